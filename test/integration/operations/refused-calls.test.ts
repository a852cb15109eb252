import { ScanCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as change from '../../../shared/cache/changes.ts';
import { unavailable } from '../../../shared/domain/errors.ts';
import type { GroupId, UserId } from '../../../shared/domain/ids.ts';
import { END } from '../../../shared/domain/position.ts';
import type { Memberships } from '../../../shared/ledger/memberships.ts';
import { readInbox } from '../../../shared/operations/inbox.ts';
import { markDelivered } from '../../../shared/operations/mark-delivered.ts';
import { type GroupMark, markGroups } from '../../../shared/operations/mark-groups.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { markUnread } from '../../../shared/operations/mark-unread.ts';
import { addMembers, removeMember } from '../../../shared/operations/members.ts';
import { readStatuses } from '../../../shared/operations/message-statuses.ts';
import { recordMessage } from '../../../shared/operations/messages.ts';
import { type OwnView, readOwnView } from '../../../shared/operations/own-view.ts';
import { countReceipts, listReceipts } from '../../../shared/operations/receipts.ts';
import type { Tidemark } from '../../../shared/operations/tidemark.ts';
import { connectDynamoDb } from '../../support/engines.ts';
import { at } from '../../support/positions.ts';
import { replacing } from '../../support/replacing.ts';
import { aGroup, aUser, type CountedTidemark, forget, openTidemark } from '../../support/tidemark.ts';

let tidemark: CountedTidemark;
const dynamodb = connectDynamoDb();
beforeAll(async () => {
  tidemark = await openTidemark();
});
afterAll(() => {
  dynamodb.destroy();
  return tidemark.close();
});

/** All that Redis holds of a group, by key. */
async function keysOf(groupId: GroupId): Promise<Record<string, unknown>> {
  const { redis } = tidemark;
  const contentOf = async (key: string): Promise<unknown> => {
    switch (await redis.type(key)) {
      case 'string':
        return redis.get(key);
      case 'hash':
        return redis.hgetall(key);
      case 'zset':
        return redis.zrange(key, 0, -1, 'WITHSCORES');
      default:
        throw new Error(`the cache has no keys of this type: ${key}`);
    }
  };
  const keys = await redis.keys(`tm:{${groupId}}*`);
  return Object.fromEntries(
    await Promise.all(keys.toSorted().map(async (key) => [key, await contentOf(key)] as const)),
  );
}

async function bytesOf(groupId: GroupId): Promise<number> {
  return JSON.stringify(await keysOf(groupId)).length;
}

/** All items of the ledger. */
async function itemsOf({ tableName }: CountedTidemark): Promise<unknown[]> {
  const { Items = [], LastEvaluatedKey } = await dynamodb.send(
    new ScanCommand({ TableName: tableName, ConsistentRead: true }),
  );
  expect(LastEvaluatedKey).toBeUndefined();
  return Items.toSorted((a, b) => (JSON.stringify([a.PK, a.SK]) < JSON.stringify([b.PK, b.SK]) ? -1 : 1));
}

/** Every operation of users, and its result for a user who is not a member. */
const OPERATIONS: readonly (readonly [
  name: string,
  ask: (groupId: GroupId, userId: UserId) => Promise<unknown>,
  refusal: unknown,
])[] = [
  ['a mark', (groupId, userId) => markRead(tidemark, { groupId, userId }, at(2)), null],
  ['a mark of everything', (groupId, userId) => markRead(tidemark, { groupId, userId }, END), null],
  ['a mark beyond the head', (groupId, userId) => markRead(tidemark, { groupId, userId }, at(99)), null],
  [
    'a private mark',
    (groupId, userId) =>
      markRead(tidemark, { groupId, userId }, at(2), { isPrivate: true, ifRevision: null }),
    null,
  ],
  [
    'a mark of a revision',
    (groupId, userId) => markRead(tidemark, { groupId, userId }, at(2), { isPrivate: false, ifRevision: 1 }),
    null,
  ],
  ['a delivered mark', (groupId, userId) => markDelivered(tidemark, { groupId, userId }, at(2)), null],
  [
    'a delivered mark beyond the head',
    (groupId, userId) => markDelivered(tidemark, { groupId, userId }, at(99)),
    null,
  ],
  [
    'a batch',
    (groupId, userId) => {
      const marks: GroupMark[] = [
        { groupId, position: at(2), kind: 'read', ifRevision: null },
        { groupId, position: at(99), kind: 'private', ifRevision: 0 },
        { groupId, position: at(3), kind: 'delivered', ifRevision: null },
      ];
      return markGroups(tidemark, userId, marks);
    },
    [{ outcome: 'not_found' }, { outcome: 'not_found' }, { outcome: 'not_found' }],
  ],
  ['a mark unread', (groupId, userId) => markUnread(tidemark, { groupId, userId }, at(1)), null],
  [
    'a mark unread of the largest id',
    (groupId, userId) => markUnread(tidemark, { groupId, userId }, END),
    null,
  ],
  ['statuses', (groupId, userId) => readStatuses(tidemark, { groupId, userId }, [at(1), at(99)]), null],
  ['a read of the own view', (groupId, userId) => readOwnView(tidemark, { groupId, userId }), null],
  [
    'counts of receipts',
    (groupId, userId) => countReceipts(tidemark, { groupId, userId }, [at(1), at(99)]),
    null,
  ],
  ...(['read', 'unread', 'delivered'] as const).map(
    (state) =>
      [
        `a list of receipts (${state})`,
        (groupId: GroupId, userId: UserId) =>
          listReceipts(tidemark, { groupId, userId }, at(1), { state, limit: 10, after: null }),
        null,
      ] as const,
  ),
  [
    'the inbox',
    (_, userId) => readInbox(tidemark, userId, { unreadOnly: false, limit: 200, after: null }),
    { groups: [], next: null },
  ],
];

const SHORT_MS = 60_000;

/** A group of two members and three messages; a third member has left. The cache holds all of it for another minute. */
async function prepare(): Promise<{ groupId: GroupId; reader: UserId; former: UserId }> {
  const [groupId, sender, reader, former] = [aGroup(), aUser('sender'), aUser('reader'), aUser('former')];
  await addMembers(tidemark, groupId, [sender, reader, former]);
  for (let id = 1; id <= 3; id += 1) {
    await recordMessage(tidemark, { groupId, position: at(id), senderId: sender });
  }
  await readOwnView(tidemark, { groupId, userId: reader });
  await markUnread(tidemark, { groupId, userId: former }, at(1));
  await removeMember(tidemark, { groupId, userId: former });
  await countReceipts(tidemark, { groupId, userId: reader }, [at(1)]);
  for (const key of await tidemark.redis.keys(`tm:{${groupId}}*`))
    await tidemark.redis.pexpire(key, SHORT_MS);
  return { groupId, reader, former };
}

describe.each(OPERATIONS)('%s by a user who is not a member', (_, ask, refusal) => {
  test('leaves nothing in a group that does not exist', async () => {
    const groupId = aGroup();
    const items = await itemsOf(tidemark);
    expect(await ask(groupId, aUser('stranger'))).toEqual(refusal);
    expect(await keysOf(groupId)).toEqual({});
    expect(await itemsOf(tidemark)).toEqual(items);
  });

  test('changes nothing in a group of others, nor how long the cache keeps it', async () => {
    const { groupId, former } = await prepare();
    const [keys, items] = [await keysOf(groupId), await itemsOf(tidemark)];
    expect(Object.keys(keys).map((key) => key.slice(key.lastIndexOf(':') + 1))).toEqual([
      'head',
      'joined',
      'members',
      'messages',
      'receipts',
    ]);
    for (const userId of [aUser('stranger'), former]) {
      expect(await ask(groupId, userId)).toEqual(refusal);
      expect(await keysOf(groupId)).toEqual(keys);
      expect(await itemsOf(tidemark)).toEqual(items);
    }
    for (const key of Object.keys(keys)) expect(await tidemark.redis.pttl(key)).toBeLessThanOrEqual(SHORT_MS);
  });

  test('leaves an empty cache empty', async () => {
    const { groupId, former } = await prepare();
    await forget(tidemark.redis, groupId);
    for (const userId of [aUser('stranger'), former]) {
      expect(await ask(groupId, userId)).toEqual(refusal);
      expect(await keysOf(groupId)).toEqual({});
    }
  });
});

describe('marking unread', () => {
  const DOUBT_MS = 30_000;
  const refused = () => Promise.reject(unavailable(new Error('refused')));

  /** The ledger, with some calls that it refuses. */
  function refusing(methods: Partial<Memberships>): Tidemark {
    const memberships = replacing(tidemark.ledger.memberships, methods);
    return { ...tidemark, ledger: { ...tidemark.ledger, memberships } };
  }

  const doubtsOf = async (groupId: GroupId) => (await keysOf(groupId))[`tm:{${groupId}}:doubts`];
  const own = (view: OwnView | null) =>
    view && [view.membership.self.position, view.membership.self.revision];

  /** Only the cache is read: it holds the member, without a doubt. */
  async function expectTrusted(groupId: GroupId, userId: UserId): Promise<void> {
    tidemark.takeCalls();
    await readOwnView(tidemark, { groupId, userId });
    expect(tidemark.takeCalls()).toEqual(['cache']);
  }

  test('leaves no doubt if it moved', async () => {
    const { groupId, reader } = await prepare();
    await markRead(tidemark, { groupId, userId: reader }, at(3));
    expect(own(await markUnread(tidemark, { groupId, userId: reader }, at(2)))).toEqual([at(1), 1]);
    expect(await doubtsOf(groupId)).toBeUndefined();
    await expectTrusted(groupId, reader);
  });

  test('leaves no doubt if the cache did not know the member', async () => {
    const { groupId, reader } = await prepare();
    await markRead(tidemark, { groupId, userId: reader }, at(3));
    await forget(tidemark.redis, groupId);
    expect(own(await markUnread(tidemark, { groupId, userId: reader }, at(2)))).toEqual([at(1), 1]);
    expect(await doubtsOf(groupId)).toBeUndefined();
    await expectTrusted(groupId, reader);
  });

  test('leaves no doubt if there was nothing to move', async () => {
    const { groupId, reader } = await prepare();
    await markRead(tidemark, { groupId, userId: reader }, at(2));
    for (const cold of [false, true]) {
      if (cold) await forget(tidemark.redis, groupId);
      expect(own(await markUnread(tidemark, { groupId, userId: reader }, at(3)))).toEqual([at(2), 0]);
      expect(await doubtsOf(groupId)).toBeUndefined();
      await expectTrusted(groupId, reader);
    }
  });

  test('leaves no doubt of a former member who is still in the cache', async () => {
    const { groupId, reader } = await prepare();
    await markRead(tidemark, { groupId, userId: reader }, at(3));
    const unheard = { ...tidemark, cache: replacing(tidemark.cache, { merge: async () => false }) };
    await removeMember(unheard, { groupId, userId: reader });
    for (const id of [99, 2, 2]) {
      expect(await markUnread(tidemark, { groupId, userId: reader }, at(id))).toBeNull();
      expect(await doubtsOf(groupId)).toBeUndefined();
    }
  });

  test('leaves no doubt if the ledger does not answer whether there is something to move', async () => {
    const { groupId, reader } = await prepare();
    await markRead(tidemark, { groupId, userId: reader }, at(2));
    const marked = markUnread(refusing({ read: refused }), { groupId, userId: reader }, at(3));
    await expect(marked).rejects.toMatchObject({ code: 'unavailable' });
    expect(await doubtsOf(groupId)).toBeUndefined();
    await expectTrusted(groupId, reader);
  });

  test('leaves few doubts, for half a minute, if the ledger may have the write and did not answer', async () => {
    const { groupId, reader } = await prepare();
    await markRead(tidemark, { groupId, userId: reader }, at(3));
    for (let call = 0; call < 500; call += 1) {
      const marked = markUnread(refusing({ change: refused }), { groupId, userId: reader }, at(2));
      await expect(marked).rejects.toMatchObject({ code: 'unavailable' });
    }
    expect(await bytesOf(groupId)).toBeLessThan(1_500);
    const left = await tidemark.redis.pttl(`tm:{${groupId}}:doubts`);
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(DOUBT_MS);
    expect(await readOwnView(tidemark, { groupId, userId: reader })).toMatchObject({
      membership: { self: { position: at(3) } },
    });
  });

  /** Reads on, then marks unread several times at once; some of these move and some do not. Then repeats all of it. */
  async function markAgainAndAgain(groupId: GroupId, reader: UserId, ids: readonly number[]): Promise<void> {
    for (let marks = 0; marks < 500; marks += ids.length) {
      await markRead(tidemark, { groupId, userId: reader }, at(3));
      await Promise.all(ids.map((id) => markUnread(tidemark, { groupId, userId: reader }, at(id))));
      expect(await bytesOf(groupId)).toBeLessThan(1_500);
    }
  }

  test('again and again, by four at once, leaves no doubt', async () => {
    const { groupId, reader } = await prepare();
    await markAgainAndAgain(groupId, reader, [2, 3, 1, 99]);
    expect(await doubtsOf(groupId)).toBeUndefined();
    await expectTrusted(groupId, reader);
  });

  test('that stores each doubt twice leaves no doubt when all calls have ended', async () => {
    const { groupId, reader } = await prepare();
    const { cache } = tidemark;
    const tokens = ['one', 'two', 'three'];
    // A call that finds the member in doubt reads the ledger, and stores its doubt again together with the member.
    for (const doubt of tokens) {
      await cache.doubt({ groupId, userId: reader }, doubt);
      await cache.merge(groupId, [change.doubt(reader, doubt)]);
    }
    await cache.merge(
      groupId,
      tokens.map((doubt) => change.settled(reader, doubt)),
    );
    expect(await doubtsOf(groupId)).toBeUndefined();
    await expectTrusted(groupId, reader);
  });

  test('again and again, by more calls at once than have their own doubt, leaves few doubts, for half a minute', async () => {
    const { groupId, reader } = await prepare();
    await markAgainAndAgain(groupId, reader, [2, 3, 1, 99, 2, 3, 1, 99, 2, 3]);
    expect(await tidemark.redis.pttl(`tm:{${groupId}}:doubts`)).toBeLessThanOrEqual(DOUBT_MS);
  });

  test('by a user who is not a member, again and again, leaves nothing', async () => {
    const { groupId } = await prepare();
    const stranger = aUser('stranger');
    const keys = await keysOf(groupId);
    for (let call = 0; call < 500; call += 1) {
      expect(await markUnread(tidemark, { groupId, userId: stranger }, at(1))).toBeNull();
    }
    expect(await keysOf(groupId)).toEqual(keys);
  });
});
