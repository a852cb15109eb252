import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { TidemarkEvent } from '../../../shared/contract/event.ts';
import type { GroupId, UserId } from '../../../shared/domain/ids.ts';
import type { Membership } from '../../../shared/domain/membership.ts';
import type { FrameQueue, Live } from '../../../shared/live/live.ts';
import { pushDueFrame, pushEvent } from '../../../shared/live/push.ts';
import { setGroup } from '../../../shared/operations/groups.ts';
import { markDelivered } from '../../../shared/operations/mark-delivered.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { markUnread } from '../../../shared/operations/mark-unread.ts';
import { addMembers, removeMember } from '../../../shared/operations/members.ts';
import { recordMessage } from '../../../shared/operations/messages.ts';
import { setPreferences } from '../../../shared/operations/preferences.ts';
import { eventsOf } from '../../../shared/stream/membership-changes.ts';
import { eventually, freshPrefix } from '../../support/engines.ts';
import { openLive, type TestLive } from '../../support/live.ts';
import { at } from '../../support/positions.ts';
import { replacing } from '../../support/replacing.ts';
import { aGroup, aUser, forget } from '../../support/tidemark.ts';

let live: TestLive;
beforeAll(async () => {
  live = await openLive();
});
afterAll(() => live.close());
beforeEach(() => {
  for (const list of [live.posted, live.closed, live.due]) list.length = 0;
  live.results.clear();
});

interface Prepared {
  readonly groupId: GroupId;
  readonly alice: UserId;
  readonly bob: UserId;
  readonly carol: UserId;
}

/** Alice has sent 1 to 3, and Bob 4. Carol is the third member. */
async function aGroupOfThree(): Promise<Prepared> {
  const [groupId, alice, bob, carol] = [aGroup(), aUser('alice'), aUser('bob'), aUser('carol')];
  await addMembers(live.tidemark, groupId, [alice, bob, carol]);
  for (const [id, senderId] of [
    [1, alice],
    [2, alice],
    [3, alice],
    [4, bob],
  ] as const) {
    await recordMessage(live.tidemark, { groupId, position: at(id), senderId });
  }
  return { groupId, alice, bob, carol };
}

/** Runs a change of a member, and returns the events that the ledger's stream leads to. */
async function eventsBy(
  groupId: GroupId,
  userId: UserId,
  change: () => Promise<unknown>,
): Promise<TidemarkEvent[]> {
  const read = async () => (await live.tidemark.ledger.memberships.read({ groupId, userId })) as Membership;
  const before = await read();
  await change();
  return eventsOf({ groupId, userId, before, after: await read() });
}

async function push(events: readonly TidemarkEvent[], by: Live = live): Promise<void> {
  for (const event of events) await pushEvent(by, live.queue, event, freshPrefix('e'));
}

const reads = ({ groupId }: Prepared, userId: UserId, id: number, isPrivate = false) =>
  eventsBy(groupId, userId, () =>
    markRead(live.tidemark, { groupId, userId }, at(id), { isPrivate, ifRevision: null }),
  );

const frames = () => live.posted.map(({ connectionId, frame }) => [connectionId, frame]);

describe('a mark', () => {
  test('pushes the view to each own device, and receipts to the connected senders, and nothing to others', async () => {
    const group = await aGroupOfThree();
    const { groupId, alice, bob, carol } = group;
    const [phone, laptop, ofAlice] = [
      await live.connect(carol),
      await live.connect(carol),
      await live.connect(alice),
    ];
    const stranger = await live.connect(aUser('stranger'));
    const begun = Date.now();
    await push(await reads(group, carol, 3));
    const view = {
      type: 'view',
      asOf: expect.any(Number),
      groupId,
      messageId: '3',
      revision: 0,
      head: '4',
      unread: { count: 1, mentions: 0, firstId: '4', exact: true },
      ...{ parentId: null, notify: 'all', mutedUntil: null, archive: 'no', archived: false },
      preferencesRevision: 0,
    };
    const receipts = {
      type: 'receipts',
      asOf: expect.any(Number),
      groupId,
      // Bob has read them too, by sending 4.
      receipts: ['3', '2', '1'].map((messageId) => ({
        messageId,
        audience: 2,
        readCount: 2,
        deliveredCount: 2,
      })),
    };
    expect(frames()).toEqual(
      expect.arrayContaining([
        [phone, view],
        [laptop, view],
        [ofAlice, receipts],
      ]),
    );
    expect(frames()).toHaveLength(3);
    for (const { frame } of live.posted) {
      expect('asOf' in frame && frame.asOf >= begun && frame.asOf <= Date.now()).toBe(true);
    }
    expect(live.posted.map(({ connectionId }) => connectionId)).not.toContain(stranger);
    // Bob is not connected: nothing waits for him either.
    expect(live.due.map(({ userId }) => userId)).not.toContain(bob);
  });

  test('sends a sender receipts of its own messages alone', async () => {
    const group = await aGroupOfThree();
    const [ofAlice, ofBob] = [await live.connect(group.alice), await live.connect(group.bob)];
    await push(await reads(group, group.carol, 4));
    const ids = Object.fromEntries(
      live.posted.map(({ connectionId, frame }) => [
        connectionId,
        frame.type === 'receipts' ? frame.receipts.map(({ messageId }) => messageId) : frame.type,
      ]),
    );
    expect(ids).toEqual({ [ofAlice]: ['3', '2', '1'], [ofBob]: ['4'] });
  });

  test.each([
    ['sender', { alice: ['3', '2', '1'], bob: ['4'] }],
    ['off', {}],
  ] as const)(
    'where receipts are for %s sends them to these senders, and views as before',
    async (policy, expected) => {
      const group = await aGroupOfThree();
      await setGroup(live.tidemark, group.groupId, { receipts: policy });
      const connections = {
        alice: await live.connect(group.alice),
        bob: await live.connect(group.bob),
        carol: await live.connect(group.carol),
      };
      // The second push has the policy from the ledger.
      for (const isCached of [true, false]) {
        live.posted.length = 0;
        const events = await eventsBy(group.groupId, group.carol, () =>
          markRead(live.tidemark, { groupId: group.groupId, userId: group.carol }, at(isCached ? 3 : 4)),
        );
        if (!isCached) await forget(live.tidemark.redis, group.groupId);
        await push(events);
        for (const frame of live.due.splice(0)) await pushDueFrame(live, frame);
        const receiptsOf = (name: keyof typeof connections) =>
          live.posted.flatMap(({ connectionId, frame }) =>
            connectionId === connections[name] && frame.type === 'receipts'
              ? frame.receipts.map(({ messageId }) => messageId)
              : [],
          );
        const own = Object.entries(expected).map(([name, ids]) => [
          name,
          ids.filter((id) => (isCached ? id !== '4' : id === '4')),
        ]);
        expect({ alice: receiptsOf('alice'), bob: receiptsOf('bob'), carol: receiptsOf('carol') }).toEqual({
          ...{ alice: [], bob: [], carol: [] },
          ...Object.fromEntries(own),
        });
        expect(live.posted.filter(({ frame }) => frame.type === 'view')).toMatchObject([
          { connectionId: connections.carol, frame: { messageId: isCached ? '3' : '4' } },
        ]);
      }
    },
  );

  test('has the newest 20 of its messages in a frame', async () => {
    const group = await aGroupOfThree();
    for (let id = 5; id <= 40; id += 1) {
      await recordMessage(live.tidemark, { groupId: group.groupId, position: at(id), senderId: group.alice });
    }
    await live.connect(group.alice);
    await push(await reads(group, group.carol, 40));
    const [only] = live.posted;
    const ids = only?.frame.type === 'receipts' ? only.frame.receipts.map(({ messageId }) => messageId) : [];
    expect(ids).toHaveLength(20);
    expect([ids.at(0), ids.at(-1)]).toEqual(['40', '21']);
  });

  test('that only delivers pushes receipts, and no view', async () => {
    const group = await aGroupOfThree();
    const { groupId, alice, carol } = group;
    await Promise.all([live.connect(alice), live.connect(carol)]);
    await push(
      await eventsBy(groupId, carol, () => markDelivered(live.tidemark, { groupId, userId: carol }, at(2))),
    );
    expect(live.posted.map(({ frame }) => frame)).toEqual([
      {
        type: 'receipts',
        asOf: expect.any(Number),
        groupId,
        receipts: [
          { messageId: '2', audience: 2, readCount: 1, deliveredCount: 2 },
          { messageId: '1', audience: 2, readCount: 1, deliveredCount: 2 },
        ],
      },
    ]);
  });
});

describe('what only the member may know', () => {
  test('a private read goes to the own devices alone', async () => {
    const group = await aGroupOfThree();
    const [own] = [
      await live.connect(group.carol),
      await live.connect(group.alice),
      await live.connect(group.bob),
    ];
    await push(await reads(group, group.carol, 4, true));
    expect(live.posted).toEqual([
      { connectionId: own, frame: expect.objectContaining({ type: 'view', messageId: '4' }) },
    ]);
    expect(live.due).toEqual([]);
  });

  test('a read with hidden receipts goes there too, and nothing goes to others when they are shown again', async () => {
    const group = await aGroupOfThree();
    const { groupId, alice, bob, carol } = group;
    const device = await live.connect(carol);
    await live.connect(alice);
    await live.connect(bob);
    const set = (hideReceipts: boolean) =>
      eventsBy(groupId, carol, () =>
        setPreferences(live.tidemark, { groupId, userId: carol }, { hideReceipts }),
      );
    const hidden = await set(true);
    const read = await reads(group, carol, 4);
    const shown = await set(false);
    expect([hidden, read, shown].map((events) => events.map(({ type }) => type))).toEqual([
      ['PreferencesChanged'],
      ['OwnWatermarkMoved'],
      ['PreferencesChanged'],
    ]);
    for (const events of [hidden, read, shown]) await push(events);
    expect(frames()).toEqual([[device, expect.objectContaining({ type: 'view', messageId: '4' })]]);
    // The later changes of the same second wait, as one frame of the own view.
    expect(live.due).toMatchObject([{ userId: carol, kind: 'view' }]);
  });

  test('changed preferences go there too, and to nobody else', async () => {
    const group = await aGroupOfThree();
    const { groupId, alice, bob, carol } = group;
    await Promise.all([live.connect(alice), live.connect(bob)]);
    const [phone, laptop] = [await live.connect(carol), await live.connect(carol)];
    await push(
      await eventsBy(groupId, carol, () =>
        setPreferences(
          live.tidemark,
          { groupId, userId: carol },
          { notify: 'mentions', mutedUntil: Date.parse('2999-01-01T00:00:00Z'), archive: 'untilNew' },
        ),
      ),
    );
    const view = expect.objectContaining({
      ...{ type: 'view', messageId: null, revision: 0, head: '4', notify: 'mentions' },
      ...{ mutedUntil: '2999-01-01T00:00:00.000Z', archive: 'untilNew', archived: true },
      preferencesRevision: 1,
    });
    expect(frames()).toHaveLength(2);
    expect(frames()).toEqual(
      expect.arrayContaining([
        [phone, view],
        [laptop, view],
      ]),
    );
    expect(live.due).toEqual([]);
  });

  test('so does marking unread', async () => {
    const group = await aGroupOfThree();
    const { groupId, carol } = group;
    await reads(group, carol, 4);
    const [own] = [await live.connect(carol), await live.connect(group.alice)];
    await push(
      await eventsBy(groupId, carol, () => markUnread(live.tidemark, { groupId, userId: carol }, at(2))),
    );
    expect(live.posted).toEqual([
      {
        connectionId: own,
        frame: expect.objectContaining({
          type: 'view',
          messageId: '1',
          revision: 1,
          unread: { count: 3, mentions: 0, firstId: '2', exact: true },
        }),
      },
    ]);
  });
});

describe('someone who has left', () => {
  test('gets no receipts of messages sent before', async () => {
    const group = await aGroupOfThree();
    await live.connect(group.alice);
    const events = await reads(group, group.carol, 4);
    await removeMember(live.tidemark, { groupId: group.groupId, userId: group.alice });
    await push(events);
    expect(live.posted).toEqual([]);
  });

  test('gets no view, although the read happened before', async () => {
    const group = await aGroupOfThree();
    await live.connect(group.carol);
    const events = await reads(group, group.carol, 4);
    await removeMember(live.tidemark, { groupId: group.groupId, userId: group.carol });
    await push(events);
    expect(live.posted).toEqual([]);
  });
});

describe('bursts', () => {
  test('make one frame now and one in a second, which has the last state and all messages', async () => {
    const group = await aGroupOfThree();
    await Promise.all([live.connect(group.carol), live.connect(group.alice)]);
    const [first, second, third] = [
      await reads(group, group.carol, 1),
      await reads(group, group.carol, 2),
      await reads(group, group.carol, 3),
    ];
    for (const events of [first, second, third]) await push(events);
    expect(live.posted.map(({ frame }) => frame.type)).toEqual(['view', 'receipts']);
    expect(live.due.map(({ kind, userId }) => [kind, userId])).toEqual([
      ['view', group.carol],
      ['receipts', group.alice],
    ]);

    const waiting = live.due.splice(0);
    for (const frame of waiting) await pushDueFrame(live, frame);
    expect(live.posted.slice(2).map(({ frame }) => frame)).toEqual([
      expect.objectContaining({ type: 'view', messageId: '3' }),
      expect.objectContaining({
        type: 'receipts',
        receipts: [
          { messageId: '3', audience: 2, readCount: 2, deliveredCount: 2 },
          { messageId: '2', audience: 2, readCount: 2, deliveredCount: 2 },
        ],
      }),
    ]);

    // The frame that was due has left just now: the gate is closed for another second.
    await push(await reads(group, group.carol, 4));
    expect(live.posted).toHaveLength(4);
    expect(live.due.map(({ kind }) => kind)).toContain('view');
  });

  test('of another kind, group or user have gates of their own', async () => {
    const [one, other] = [await aGroupOfThree(), await aGroupOfThree()];
    for (const group of [one, other])
      await Promise.all([live.connect(group.alice), live.connect(group.carol)]);
    await push(await reads(one, one.carol, 1));
    await push(await reads(other, other.carol, 1));
    expect(live.posted).toHaveLength(4);
    expect(live.due).toEqual([]);
  });

  test('leave again at once when a second has passed', async () => {
    const group = await aGroupOfThree();
    await live.connect(group.carol);
    await push(await reads(group, group.carol, 1));
    const gate = `tm:{${group.groupId}}:gate:view:${group.carol}`;
    const leftMs = await live.tidemark.redis.pttl(gate);
    expect(leftMs).toBeGreaterThan(0);
    expect(leftMs).toBeLessThanOrEqual(1_000);
    await eventually(async () => expect(await live.tidemark.redis.exists(gate)).toBe(0));
    await push(await reads(group, group.carol, 2));
    expect(live.posted.map(({ frame }) => frame)).toMatchObject([{ messageId: '1' }, { messageId: '2' }]);
    expect(live.due).toEqual([]);
  });

  test('a frame that fails is tried again with all of its messages', async () => {
    const group = await aGroupOfThree();
    const ofAlice = await live.connect(group.alice);
    for (const id of [1, 2, 3]) await push(await reads(group, group.carol, id));
    const [frame] = live.due.splice(0);
    if (!frame) throw new Error('no frame is due');
    live.results.set(ofAlice, 'failed');
    await expect(pushDueFrame(live, frame)).rejects.toThrow('did not take a frame');
    live.results.clear();
    live.posted.length = 0;
    await pushDueFrame(live, frame);
    const [only] = live.posted;
    const ids = only?.frame.type === 'receipts' ? only.frame.receipts.map(({ messageId }) => messageId) : [];
    expect(ids).toEqual(['3', '2']);
  });
});

describe('an event whose push did not end', () => {
  test('is pushed again: a frame that was claimed, but not queued, is queued then', async () => {
    const group = await aGroupOfThree();
    await live.connect(group.carol);
    await push(await reads(group, group.carol, 1));
    const events = await reads(group, group.carol, 2);
    const refusing: FrameQueue = {
      async add() {
        throw new Error('the queue is down');
      },
    };
    for (const event of events) {
      await expect(pushEvent(live, refusing, event, 'e2')).rejects.toThrow('the queue is down');
      expect(live.due).toEqual([]);
      // Another event comes before the first one comes again: it relies on the frame that the first one claimed.
      await push(await reads(group, group.carol, 3));
      expect(live.due).toEqual([]);
      await pushEvent(live, live.queue, event, 'e2');
    }
    const [frame] = live.due.splice(0);
    if (!frame) throw new Error('no frame is due');
    await pushDueFrame(live, frame);
    expect(live.posted.at(-1)?.frame).toMatchObject({ type: 'view', messageId: '3' });
  });
});

describe('a connection', () => {
  test('that is gone is forgotten', async () => {
    const group = await aGroupOfThree();
    const [gone, open] = [await live.connect(group.carol), await live.connect(group.carol)];
    live.results.set(gone, 'gone');
    await push(await reads(group, group.carol, 1));
    expect(live.posted.map(({ connectionId }) => connectionId)).toEqual([open]);
    const left = await live.connections.ofUser(group.carol, Date.now());
    expect(left.map(({ connectionId }) => connectionId)).toEqual([open]);
    expect(live.due).toEqual([]);
  });

  test('that does not take a frame gets one from the queue, and delays no other', async () => {
    const group = await aGroupOfThree();
    const [slow, open] = [await live.connect(group.carol), await live.connect(group.carol)];
    live.results.set(slow, 'failed');
    await push(await reads(group, group.carol, 1));
    expect(live.posted.map(({ connectionId }) => connectionId)).toEqual([open]);
    expect(live.due).toMatchObject([{ kind: 'view', userId: group.carol }]);
  });

  test('whose token has expired gets an error and is closed, and gets nothing of the group', async () => {
    const group = await aGroupOfThree();
    const old = await live.connect(group.carol, { tokenExpiresAtMs: Date.now() - 1 });
    await push(await reads(group, group.carol, 1));
    expect(live.posted).toEqual([
      {
        connectionId: old,
        frame: {
          type: 'error',
          code: 'token_expired',
          detail: 'The token has expired. Connect again with a new one.',
        },
      },
    ]);
    expect(live.closed).toEqual([old]);
    expect(await live.connections.ofUser(group.carol, Date.now())).toEqual([]);
  });
});

describe('a user whose last connection was closed', () => {
  test('is found in the ledger once, and then no more', async () => {
    const group = await aGroupOfThree();
    const only = await live.connect(group.carol);
    await live.connections.remove(group.carol, only);
    await push(await reads(group, group.carol, 1));
    const score = await live.tidemark.redis.zscore('tm:online', group.carol);
    expect(Number(score ?? 0)).toBeLessThan(Date.now());
    expect(live.posted).toEqual([]);

    // After another connect the user is found again.
    const again = await live.connect(group.carol);
    await push(await reads(group, group.carol, 2));
    const [frame] = live.due.splice(0);
    if (frame) await pushDueFrame(live, frame);
    expect(live.posted.map(({ connectionId }) => connectionId)).toEqual([again]);
  });
});

describe('the cache', () => {
  const offline: Partial<Live['cache']> = {
    findOnline: async () => null,
    ownMessages: async () => null,
  };
  const open: Partial<Live['gates']> = { claim: async () => null, take: async () => null };

  test('if it is down, frames leave all the same, from the ledger', async () => {
    const group = await aGroupOfThree();
    await Promise.all([live.connect(group.carol), live.connect(group.alice)]);
    const events = await reads(group, group.carol, 3);
    await push(events, {
      ...live,
      cache: replacing(live.cache, offline),
      gates: replacing(live.gates, open),
    });
    expect(live.posted.map(({ frame }) => frame)).toMatchObject([
      { type: 'view', messageId: '3' },
      { type: 'receipts', receipts: [{ messageId: '3' }, { messageId: '2' }, { messageId: '1' }] },
    ]);
  });

  test('if it has lost who is connected, the ledger is read, once for each user', async () => {
    const group = await aGroupOfThree();
    const own = await live.connect(group.carol);
    await live.tidemark.redis.del('tm:online');
    await push(await reads(group, group.carol, 1));
    expect(live.posted.map(({ connectionId }) => connectionId)).toEqual([own]);
    const [ofAlice, ofCarol] = await live.tidemark.redis.zmscore('tm:online', group.alice, group.carol);
    expect(Number(ofAlice)).toBe(1);
    expect(Number(ofCarol)).toBeGreaterThan(Date.now());
  });

  test('if it lost the mark or the messages, the frames have them all the same', async () => {
    const group = await aGroupOfThree();
    await Promise.all([live.connect(group.carol), live.connect(group.alice)]);
    const events = await reads(group, group.carol, 3);
    await forget(live.tidemark.redis, group.groupId);
    await push(events);
    expect(live.posted.map(({ frame }) => frame)).toMatchObject([
      { type: 'view', messageId: '3', unread: { count: 1, mentions: 0, firstId: '4', exact: true } },
      {
        type: 'receipts',
        receipts: [
          { messageId: '3', readCount: 2 },
          { messageId: '2', readCount: 2 },
          { messageId: '1', readCount: 2 },
        ],
      },
    ]);
  });

  test('if the merge of the mark is still under way, the frames have the mark', async () => {
    const group = await aGroupOfThree();
    const { groupId, carol } = group;
    await Promise.all([live.connect(carol), live.connect(group.alice)]);
    await reads(group, carol, 1);
    const members = `tm:{${groupId}}:members`;
    const stale = (await live.tidemark.redis.hget(members, carol)) ?? '';
    const events = await reads(group, carol, 3);
    await live.tidemark.redis.hset(members, carol, stale);
    await push(events);
    expect(live.posted.map(({ frame }) => frame)).toMatchObject([
      { type: 'view', messageId: '3' },
      {
        type: 'receipts',
        receipts: [
          { messageId: '3', readCount: 2 },
          { messageId: '2', readCount: 2 },
        ],
      },
    ]);
  });
});

describe('where nobody is connected', () => {
  /** As after two hours: the set of the connected users is complete, and nobody is in it. */
  async function withNobody(): Promise<void> {
    await live.tidemark.redis.del('tm:online');
    await live.tidemark.redis.zadd('tm:online', -1, '#complete');
  }

  test('an event costs one call of the cache and none of the ledger, and makes no frame', async () => {
    const group = await aGroupOfThree();
    const events = await reads(group, group.carol, 4);
    await withNobody();
    let calls = 0;
    const counted = replacing(live.cache, {
      findOnline: (...args) => {
        calls += 1;
        return live.cache.findOnline(...args);
      },
    });
    live.tidemark.takeCalls();
    await push(events, { ...live, cache: counted });
    // Live has a connection to the cache of its own, whose calls are counted above.
    expect(live.tidemark.takeCalls()).toEqual([]);
    expect(calls).toBe(events.length);
    expect([live.posted, live.due]).toEqual([[], []]);
  });

  test('the ids of who was connected before are gone after an event', async () => {
    const group = await aGroupOfThree();
    const events = await reads(group, group.carol, 4);
    await withNobody();
    await live.tidemark.redis.zadd('tm:online', 1, aUser(), 5, aUser());
    await live.tidemark.redis.pexpire('tm:online', 60_000);
    await push(events);
    expect(await live.tidemark.redis.zrange('tm:online', 0, -1)).toEqual(['#complete']);
    // What is left is about nobody, and is kept, since without it the ledger would be asked for each user again.
    expect(await live.tidemark.redis.pttl('tm:online')).toBe(-1);
  });

  test('the ids of who was connected expire, if nothing happens any more', async () => {
    const life = 2 * 7_800_000;
    for (const note of [
      async () => void (await live.connect(aUser())),
      async () => live.cache.noteOffline([{ userId: aUser(), state: 'unknown', seen: '' }]),
    ]) {
      await live.tidemark.redis.del('tm:online');
      await note();
      const leftMs = await live.tidemark.redis.pttl('tm:online');
      expect(leftMs).toBeGreaterThan(life - 60_000);
      expect(leftMs).toBeLessThanOrEqual(life);
    }
  });

  test('the same holds where others are connected, but none whom it concerns', async () => {
    const group = await aGroupOfThree();
    const events = await reads(group, group.carol, 4);
    await withNobody();
    await live.connect(aUser('stranger'));
    // Finds out who has sent the messages. From then on the cache holds them.
    await push(events);
    live.tidemark.takeCalls();
    await push(events);
    expect(live.tidemark.takeCalls()).toEqual([]);
    expect([live.posted, live.due]).toEqual([[], []]);
  });
});
