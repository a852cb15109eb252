import { describe, expect, test } from '@jest/globals';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { markUnread } from '../../../shared/operations/mark-unread.ts';
import { addMembers, applyJoin } from '../../../shared/operations/members.ts';
import { readStatuses } from '../../../shared/operations/message-statuses.ts';
import { deleteMessage, recordMessage, type SentAlone } from '../../../shared/operations/messages.ts';
import { readOwnView } from '../../../shared/operations/own-view.ts';
import { countReceipts } from '../../../shared/operations/receipts.ts';
import { at } from '../../support/positions.ts';
import { countsOf } from '../../support/receipt-counts.ts';
import { aGroup, aUser, forget, withTidemark } from '../../support/tidemark.ts';

const tidemark = withTidemark();

type Details = Pick<SentAlone, 'isSilent' | 'mentions' | 'advanceSender' | 'isFact' | 'sentAtMs'>;

/** Alice and Bob are members, and Alice has looked, so that the cache has the window. */
async function aChat() {
  const [groupId, alice, bob] = [aGroup(), aUser('alice'), aUser('bob')];
  await addMembers(tidemark, groupId, [alice, bob]);
  await readOwnView(tidemark, { groupId, userId: alice });
  const send = (id: number, senderId: typeof bob, details: Details = {}) =>
    recordMessage(tidemark, { groupId, position: at(id), senderId, ...details });
  const unreadOf = async (userId: typeof bob) => (await readOwnView(tidemark, { groupId, userId }))?.unread;
  /** What is unread with the warm cache, after the loss of the messages, and after the loss of everything. */
  const expectUnread = async (
    userId: typeof bob,
    count: number,
    mentions: number,
    firstId: number | null,
  ) => {
    const unread = { count, mentions, first: firstId && at(firstId), exact: true };
    expect(await unreadOf(userId)).toEqual(unread);
    await forget(tidemark.redis, groupId, ['messages']);
    expect(await unreadOf(userId)).toEqual(unread);
    await forget(tidemark.redis, groupId);
    expect(await unreadOf(userId)).toEqual(unread);
  };
  return { groupId, alice, bob, send, unreadOf, expectUnread };
}

describe('a silent message', () => {
  test('raises the head and is never unread', async () => {
    const { groupId, alice, bob, send, expectUnread } = await aChat();
    await send(1, bob, { isSilent: true });
    await send(2, bob);
    expect(await send(3, bob, { isSilent: true })).toEqual({ outcome: 'recorded', head: at(3) });
    expect(await readOwnView(tidemark, { groupId, userId: alice })).toMatchObject({
      head: { position: at(3), loud: at(2) },
    });
    await expectUnread(alice, 1, 0, 2);
    await markRead(tidemark, { groupId, userId: alice }, at(2));
    await expectUnread(alice, 0, 0, null);
  });

  test('mentions nobody', async () => {
    const { alice, bob, send, expectUnread } = await aChat();
    await send(1, bob, { isSilent: true, mentions: 'all' });
    await send(2, bob, { isSilent: true, mentions: [alice] });
    await send(3, bob);
    await expectUnread(alice, 1, 0, 3);
  });

  test('has receipts, and its sender has read it', async () => {
    const { groupId, alice, bob, send } = await aChat();
    await send(1, alice);
    await send(2, bob, { isSilent: true });
    await markRead(tidemark, { groupId, userId: alice }, at(2));
    expect(countsOf(await countReceipts(tidemark, { groupId, userId: bob }, [at(1), at(2)]))).toEqual([
      [1, 1, 1],
      [1, 1, 1],
    ]);
    await markUnread(tidemark, { groupId, userId: bob }, at(1));
    for (const keys of [[], ['messages']]) {
      if (keys.length > 0) await forget(tidemark.redis, groupId, keys);
      expect(await readStatuses(tidemark, { groupId, userId: bob }, [at(1), at(2)])).toMatchObject({
        statuses: [
          { position: at(1), isRead: false },
          { position: at(2), isRead: true },
        ],
      });
    }
  });

  test('does not count twice as uncounted if its sender has marked it unread', async () => {
    const { groupId, alice, bob, send, expectUnread } = await aChat();
    await send(1, alice);
    await send(2, bob, { isSilent: true });
    await send(3, bob);
    await send(4, alice);
    await markUnread(tidemark, { groupId, userId: bob }, at(1));
    await expectUnread(bob, 2, 0, 1);
  });
});

describe('mentions', () => {
  test('count for the mentioned, fall by reading and by deletion, and return by marking unread', async () => {
    const { groupId, alice, bob, send, expectUnread } = await aChat();
    await send(1, bob, { mentions: [alice] });
    await send(2, bob);
    await send(3, bob, { mentions: 'all' });
    await send(4, bob, { mentions: [aUser('carol'), alice] });
    await expectUnread(alice, 4, 3, 1);
    await markRead(tidemark, { groupId, userId: alice }, at(1));
    await expectUnread(alice, 3, 2, 2);
    await deleteMessage(tidemark, groupId, at(3));
    await expectUnread(alice, 2, 1, 2);
    await markUnread(tidemark, { groupId, userId: alice }, at(1));
    await expectUnread(alice, 3, 2, 1);
  });

  test('do not count for the sender, who is no mentioned user either', async () => {
    const { groupId, alice, bob, send, expectUnread } = await aChat();
    await send(1, alice);
    await send(2, bob, { mentions: [bob, alice] });
    await send(3, bob, { mentions: 'all' });
    await send(4, bob, { mentions: [bob] });
    await markUnread(tidemark, { groupId, userId: bob }, at(1));
    await expectUnread(bob, 1, 0, 1);
    const stored = await tidemark.ledger.messages.readMany(groupId, [2, 3, 4].map(at));
    const mentions = new Map(stored.map((message) => [message.position, message.mentions]));
    expect([2, 3, 4].map((id) => mentions.get(at(id)))).toEqual([[alice], 'all', []]);
  });

  test('of a user called `all` are not mentions of everybody', async () => {
    const { alice, bob, send, expectUnread } = await aChat();
    await send(1, bob, { mentions: ['all' as typeof bob] });
    await expectUnread(alice, 1, 0, 1);
  });
});

describe('a message that does not advance its sender', () => {
  test('moves nothing of the sender, and is its own', async () => {
    const { groupId, alice, bob, send, expectUnread } = await aChat();
    await send(1, alice);
    tidemark.takeCalls();
    await send(2, bob, { advanceSender: false });
    expect(tidemark.takeCalls()).toEqual(['ledger UpdateItem', 'ledger UpdateItem', 'cache']);
    expect(await tidemark.ledger.memberships.read({ groupId, userId: bob })).toMatchObject({
      self: { position: '00000000000000000000', at: null },
      public: { position: '00000000000000000000', at: null },
      delivered: { position: '00000000000000000000', at: null },
    });
    await expectUnread(bob, 1, 0, 1);
    expect(await readStatuses(tidemark, { groupId, userId: bob }, [at(1), at(2)])).toMatchObject({
      statuses: [{ isRead: false }, { isRead: true }],
    });
  });

  test('does not undo what the sender has marked unread', async () => {
    const { groupId, alice, bob, send, expectUnread } = await aChat();
    await send(1, alice);
    await send(2, alice);
    await markRead(tidemark, { groupId, userId: bob }, at(2));
    await markUnread(tidemark, { groupId, userId: bob }, at(2));
    await send(3, bob, { advanceSender: false });
    await expectUnread(bob, 1, 0, 2);
    await send(4, bob);
    await expectUnread(bob, 0, 0, null);
  });

  test('does not move a sender that joins later, by a fact', async () => {
    const [groupId, alice, bob] = [aGroup(), aUser('alice'), aUser('bob')];
    const T = 1_700_000_000_000;
    const send = (id: number, details: Details) =>
      recordMessage(tidemark, {
        groupId,
        position: at(id),
        senderId: bob,
        sentAtMs: T + id,
        isFact: true,
        ...details,
      });
    await recordMessage(tidemark, { groupId, position: at(1), senderId: alice, sentAtMs: T + 1 });
    await send(2, {});
    await send(3, { advanceSender: false });
    await applyJoin(tidemark, { groupId, userId: bob }, { joinedAtMs: T, joinedAfter: null });
    expect(await tidemark.ledger.memberships.read({ groupId, userId: bob })).toMatchObject({
      self: { position: at(2) },
      public: { position: at(2) },
    });
  });
});

describe('the first recording of a message decides', () => {
  const silent = { isSilent: true } as const;
  const toAll = { mentions: 'all' } as const;

  test.each<[string, Details, Details, readonly [number, number, number | null]]>([
    ['silent', silent, {}, [0, 0, null]],
    ['not silent', {}, silent, [1, 0, 1]],
    ['mentions all', toAll, {}, [1, 1, 1]],
    ['mentions nobody', {}, toAll, [1, 0, 1]],
  ])('that it is: %s', async (_, first, second, [count, mentions, firstId]) => {
    const { alice, bob, send, expectUnread } = await aChat();
    await send(1, bob, first);
    expect(await send(1, bob, second)).toMatchObject({ outcome: 'known' });
    await expectUnread(alice, count, mentions, firstId);
  });

  test('also if its deletion came before', async () => {
    const { groupId, bob, send } = await aChat();
    await deleteMessage(tidemark, groupId, at(1));
    await send(1, bob, { isSilent: true, advanceSender: false });
    await send(1, bob, { mentions: 'all' });
    expect(await tidemark.ledger.messages.readMany(groupId, [at(1)])).toEqual([
      {
        ...{ position: at(1), senderId: bob, deleted: true, isSilent: true, mentions: [] },
        recordedAt: expect.any(Number),
      },
    ]);
    expect(await tidemark.ledger.memberships.read({ groupId, userId: bob })).toMatchObject({
      public: { position: '00000000000000000000' },
    });
  });

  test('whether its sender moves', async () => {
    const { groupId, alice, bob, send } = await aChat();
    await send(1, alice);
    await send(2, bob, { advanceSender: false });
    await send(2, bob);
    expect(await tidemark.ledger.memberships.read({ groupId, userId: bob })).toMatchObject({
      self: { position: '00000000000000000000' },
      public: { position: '00000000000000000000' },
    });
    await send(3, bob);
    await send(3, bob, { advanceSender: false });
    expect(await tidemark.ledger.memberships.read({ groupId, userId: bob })).toMatchObject({
      self: { position: at(3) },
      public: { position: at(3) },
    });
  });
});
