import { type DynamoDBClient, GetItemCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { GroupId, UserId } from '../../../shared/domain/ids.ts';
import { START } from '../../../shared/domain/position.ts';
import type { Item } from '../../../shared/ledger/items.ts';
import type { Ledger } from '../../../shared/ledger/ledger.ts';
import { readInbox } from '../../../shared/operations/inbox.ts';
import { addMembers, removeMember } from '../../../shared/operations/members.ts';
import { recordMessage } from '../../../shared/operations/messages.ts';
import { readOwnView } from '../../../shared/operations/own-view.ts';
import { countReceipts, listReceipts } from '../../../shared/operations/receipts.ts';
import type { Tidemark } from '../../../shared/operations/tidemark.ts';
import { connectDynamoDb, freshPrefix } from '../../support/engines.ts';
import { AT_START, headAt } from '../../support/heads.ts';
import { at } from '../../support/positions.ts';
import { countsOf, shown } from '../../support/receipt-counts.ts';
import { aGroup, aUser, type CountedTidemark, forget, openTidemark } from '../../support/tidemark.ts';

let tidemark: CountedTidemark;
let client: DynamoDBClient;
beforeAll(async () => {
  tidemark = await openTidemark();
  client = connectDynamoDb();
});
afterAll(async () => {
  client.destroy();
  await tidemark.close();
});

beforeEach(() => {
  for (const level of ['error', 'warn', 'info'] as const) {
    jest.spyOn(console, level).mockImplementation(() => undefined);
  }
});
afterEach(() => {
  jest.restoreAllMocks();
});

const put = (item: Item) => client.send(new PutItemCommand({ TableName: tidemark.tableName, Item: item }));

/** Writes an item again, changed by `change`. */
async function breakItem(PK: string, SK: string, change: (item: Item) => Item): Promise<void> {
  const Key = { PK: { S: PK }, SK: { S: SK } };
  const { Item: item } = await client.send(new GetItemCommand({ TableName: tidemark.tableName, Key }));
  if (!item) throw new Error(`there is no item ${PK} ${SK}`);
  await put(change(item));
}

const without =
  (...names: string[]) =>
  (item: Item): Item =>
    Object.fromEntries(Object.entries(item).filter(([name]) => !names.includes(name)));

const breakMember = (userId: UserId, groupId: GroupId, ...lost: string[]) =>
  breakItem(`USER#${userId}`, `GROUP#${groupId}`, without(...lost));

const breakMessage = (groupId: GroupId, messageId: number, ...lost: string[]) =>
  breakItem(`GROUP#${groupId}`, `MSG#${at(messageId)}`, without(...lost));

/** An instance whose cache does not answer. */
function withoutCache(): Tidemark {
  const { capacity, unreadLimit } = tidemark.cache;
  const cache = {
    ...{ capacity, unreadLimit },
    ...{ read: async () => null, readInbox: async () => null, merge: async () => false },
    receipts: { count: async () => null, list: async () => null, claim: async () => null },
  };
  return { ...tidemark, cache: cache as unknown as Tidemark['cache'] };
}

/** The lines that were logged as errors. */
const logged = () => jest.mocked(console.error).mock.calls.map(([line]) => line);

describe('an unreadable membership', () => {
  let alice: UserId;
  let bob: UserId;
  let g1: GroupId;
  let g2: GroupId;
  let memberships: Ledger['memberships'];
  beforeEach(async () => {
    [alice, bob] = [aUser('alice'), aUser('bob')];
    const prefix = freshPrefix('g');
    [g1, g2] = [`${prefix}-1`, `${prefix}-2`] as [GroupId, GroupId];
    ({ memberships } = tidemark.ledger);
    for (const groupId of [g1, g2]) await addMembers(tidemark, groupId, [alice, bob]);
    await breakMember(alice, g1, 'public');
  });

  test('does not hide the other groups of its user', async () => {
    const { memberships: listed, next } = await memberships.ofUser(alice, 10, null);
    expect(listed.map(({ groupId }) => groupId)).toEqual([g2]);
    expect(next).toBeNull();
  });

  test('does not hide the other members of its group', async () => {
    expect([...(await memberships.readMany(g1, [alice, bob])).keys()]).toEqual([bob]);
    const { members, next } = await memberships.page(g1, 10, null);
    expect(members.map(({ userId }) => userId)).toEqual([bob]);
    expect(next).toBeNull();
    const everyone: UserId[] = [];
    for await (const { userId } of memberships.everyone(g1, 1)) everyone.push(userId);
    expect(everyone).toEqual([bob]);
  });

  test('is logged in one line for each call, with the first one', async () => {
    await breakMember(bob, g1, 'self');
    await memberships.readMany(g1, [alice]);
    for await (const _ of memberships.everyone(g1, 1));
    await memberships.ofUser(alice, 10, null);
    const message = 'items of the ledger that cannot be read were passed over';
    const ofAlice = `an item of the ledger has no valid public: USER#${alice} GROUP#${g1}`;
    expect(logged()).toEqual([
      { message, count: 1, first: ofAlice },
      { message, count: 2, first: ofAlice },
      { message, count: 1, first: ofAlice },
    ]);
  });

  test.each([
    ['its group', ['groupId']],
    ['its user', ['userId']],
    ['its kind', ['kind']],
    ['all but its key', ['kind', 'groupId', 'userId', 'generation', 'joinedAfter', 'self', 'delivered']],
  ])('is left out if it lost %s, and pages of one entry continue after it', async (_, lost) => {
    await breakMember(alice, g1, ...lost);
    const groups: GroupId[] = [];
    let after: GroupId | null = null;
    do {
      const page = await memberships.ofUser(alice, 1, after);
      groups.push(...page.memberships.map(({ groupId }) => groupId));
      after = page.next;
    } while (after);
    expect(groups).toEqual([g2]);
  });

  test('does not stop pages if it is in the middle, or if there are many in a row', async () => {
    const user = aUser();
    const prefix = freshPrefix('g');
    const groups = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => `${prefix}-${name}` as GroupId);
    for (const groupId of groups) await addMembers(tidemark, groupId, [user]);
    for (const index of [1, 2, 3, 5]) await breakMember(user, groups[index] as GroupId, 'groupId');
    for (const limit of [1, 2, 3]) {
      const found: GroupId[] = [];
      let after: GroupId | null = null;
      do {
        const page = await memberships.ofUser(user, limit, after);
        found.push(...page.memberships.map(({ groupId }) => groupId));
        after = page.next;
      } while (after);
      expect(found).toEqual([groups[0], groups[4]]);
    }
  });

  test('does not stop pages of members if even its user id is unreadable', async () => {
    const ids = ['!#1', '!#2', '~#3'];
    for (const userId of ids) {
      await put({
        ...{ PK: { S: `USER#${userId}` }, SK: { S: `GROUP#${g2}` }, kind: { S: 'membership' } },
        ...{ groupId: { S: g2 }, userId: { S: userId } },
      });
    }
    const found: UserId[] = [];
    let after: UserId | null = null;
    do {
      const page = await memberships.page(g2, 1, after);
      found.push(...page.members.map(({ userId }) => userId));
      after = page.next;
    } while (after);
    expect(found).toEqual([alice, bob]);
  });

  test('is left out of inbox and receipts, with a cache and without', async () => {
    for (const messageId of [1, 2]) {
      await recordMessage(tidemark, { groupId: g1, position: at(messageId), senderId: bob });
      await recordMessage(tidemark, { groupId: g2, position: at(messageId), senderId: bob });
    }
    const cem = aUser('cem');
    await addMembers(tidemark, g1, [cem], START);
    await forget(tidemark.redis, g1);
    for (const one of [tidemark, withoutCache()]) {
      const { groups, next } = await readInbox(one, alice, { unreadOnly: false, limit: 10, after: null });
      expect(groups.map(({ groupId, unread }) => [groupId, unread.count])).toEqual([[g2, 2]]);
      expect(next).toBeNull();
      expect(countsOf(await countReceipts(one, { groupId: g1, userId: cem }, [at(1)]))).toEqual([[1, 0, 0]]);
      const list = { state: 'unread', limit: 10, after: null } as const;
      expect(await listReceipts(one, { groupId: g1, userId: cem }, at(1), list)).toMatchObject({
        page: { members: [{ userId: cem }], next: null },
      });
    }
  });

  test('still fails a call that reads it by its key', async () => {
    await expect(memberships.read({ groupId: g1, userId: alice })).rejects.toThrow('has no valid public');
    await forget(tidemark.redis, g1);
    await expect(readOwnView(tidemark, { groupId: g1, userId: alice })).rejects.toThrow(
      'has no valid public',
    );
    expect(await readOwnView(tidemark, { groupId: g1, userId: bob })).toMatchObject({ head: AT_START });
  });

  test('is distinguished from an item of another kind, which a newer version may store', async () => {
    await put({
      ...{ PK: { S: `USER#${bob}` }, SK: { S: `GROUP#${g1}!` }, kind: { S: 'draft' } },
      ...{ groupId: { S: g1 }, userId: { S: bob } },
    });
    const { members } = await memberships.page(g1, 10, null);
    expect(members.map(({ userId }) => userId)).toEqual([bob]);
    const { memberships: listed } = await memberships.ofUser(bob, 10, null);
    expect(listed.map(({ groupId }) => groupId)).toEqual([g1, g2]);
    expect(console.info).toHaveBeenCalledTimes(1);
    expect(console.info).toHaveBeenCalledWith({
      message: 'items of the ledger that cannot be read were passed over',
      count: 1,
      first: `an item of the ledger is no membership: USER#${bob} GROUP#${g1}!`,
    });
  });

  test('does not turn a departure into a member', async () => {
    await removeMember(tidemark, { groupId: g2, userId: bob });
    await breakMember(bob, g2, 'generation');
    const { memberships: listed, next } = await memberships.ofUser(bob, 1, null);
    expect(listed.map(({ groupId }) => groupId)).toEqual([g1]);
    expect(next === null || (await memberships.ofUser(bob, 1, next)).memberships).toEqual([]);
  });
});

describe('an unreadable message', () => {
  let groupId: GroupId;
  let ann: UserId;
  let sender: UserId;
  let messages: Ledger['messages'];
  beforeEach(async () => {
    [groupId, ann, sender] = [aGroup(), aUser('ann'), aUser('sender')];
    ({ messages } = tidemark.ledger);
    await addMembers(tidemark, groupId, [ann, sender]);
    for (const messageId of [1, 2, 3]) {
      const sentAtMs = 1_700_000_000_000 + messageId;
      await recordMessage(tidemark, { groupId, position: at(messageId), senderId: sender, sentAtMs });
    }
    await breakMessage(groupId, 3, 'position');
    await breakMessage(groupId, 2, 'senderId');
    await forget(tidemark.redis, groupId);
  });

  test('is left out by every read of several messages, and logged in one line', async () => {
    const readable = {
      ...{ position: at(1), senderId: sender, deleted: false, isSilent: false, mentions: [] },
      recordedAt: expect.any(Number),
    };
    const range = { abovePosition: START, epoch: 0 };
    expect(await messages.readMany(groupId, [at(1), at(2), at(3)])).toEqual([readable]);
    expect(await messages.newest(groupId, range, 1)).toEqual([readable]);
    expect(await messages.countUnread({ groupId, userId: ann }, { ...range, limit: 1 })).toEqual({
      tally: { count: 1, mentions: 0, first: at(1) },
      isDecided: true,
    });
    expect(await messages.newestSentBy(groupId, 1_700_000_000_009, 0)).toEqual(at(1));
    expect(await messages.newestOf({ groupId, userId: sender }, range, 0)).toEqual(at(1));
    const message = 'items of the ledger that cannot be read were passed over';
    const first = `an item of the ledger has no valid position: GROUP#${groupId} MSG#${at(3)}`;
    expect(logged()).toEqual([
      { message, count: 2, first: expect.stringMatching(/no valid (position|senderId)/) },
      ...Array.from({ length: 4 }, () => ({ message, count: 2, first })),
    ]);
  });

  test('does not fail a read of its group', async () => {
    expect(await readOwnView(tidemark, { groupId, userId: ann })).toMatchObject({
      head: headAt(3),
      unread: { count: 1 },
    });
    const counted = await countReceipts(tidemark, { groupId, userId: ann }, [at(1), at(2), at(3)]);
    expect(shown(counted)?.map((receipt) => receipt?.audience ?? null)).toEqual([1, null, null]);
  });
});

describe('an unreadable head', () => {
  let user: UserId;
  let g1: GroupId;
  let g2: GroupId;
  let g3: GroupId;
  beforeEach(async () => {
    user = aUser();
    const prefix = freshPrefix('g');
    [g1, g2, g3] = [`${prefix}-1`, `${prefix}-2`, `${prefix}-3`] as [GroupId, GroupId, GroupId];
    for (const groupId of [g1, g2, g3]) {
      await addMembers(tidemark, groupId, [user]);
      if (groupId === g3) continue;
      await recordMessage(tidemark, { groupId, position: at(7), senderId: aUser('sender') });
    }
    await breakItem(`GROUP#${g1}`, 'HEAD', without('position'));
    for (const groupId of [g1, g2, g3]) await forget(tidemark.redis, groupId);
  });

  test('does not count as the head of a group without messages', async () => {
    expect([...(await tidemark.ledger.heads.readMany([g1, g2, g3]))]).toEqual([
      [g2, headAt(7)],
      [g3, AT_START],
    ]);
    expect(logged()).toHaveLength(1);
  });

  test.each(['with', 'without'])('does not hide the other groups of the inbox, %s a cache', async (how) => {
    const one = how === 'with' ? tidemark : withoutCache();
    for (const unreadOnly of [false, true]) {
      const { groups, next } = await readInbox(one, user, { unreadOnly, limit: 10, after: null });
      expect(groups.map(({ groupId, head, unread }) => [groupId, head, unread.count])).toEqual([
        [g2, headAt(7), 1],
        ...(unreadOnly ? [] : [[g3, AT_START, 0]]),
      ]);
      expect(next).toBeNull();
    }
    expect(await tidemark.redis.exists(`tm:{${g1}}:head`)).toBe(0);
  });
});
