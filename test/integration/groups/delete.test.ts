import { DeleteItemCommand, GetItemCommand, QueryCommand, ScanCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import * as change from '../../../shared/cache/changes.ts';
import type { GroupId } from '../../../shared/domain/ids.ts';
import { START } from '../../../shared/domain/position.ts';
import { eraseGroup } from '../../../shared/erasure/erase-group.ts';
import { GroupItems } from '../../../shared/ledger/group-items.ts';
import { Table } from '../../../shared/ledger/table.ts';
import { countBadge } from '../../../shared/operations/badge.ts';
import { deleteGroup, readGroup, setGroup } from '../../../shared/operations/groups.ts';
import { readInbox } from '../../../shared/operations/inbox.ts';
import { markAll } from '../../../shared/operations/mark-all.ts';
import { markDelivered } from '../../../shared/operations/mark-delivered.ts';
import { markGroups } from '../../../shared/operations/mark-groups.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { markUnread } from '../../../shared/operations/mark-unread.ts';
import { addMembers, applyJoin, applyLeave, listMembers } from '../../../shared/operations/members.ts';
import { readStatuses } from '../../../shared/operations/message-statuses.ts';
import { deleteMessage, recordMessage } from '../../../shared/operations/messages.ts';
import { readOwnView } from '../../../shared/operations/own-view.ts';
import { readPreferences, setPreferences } from '../../../shared/operations/preferences.ts';
import { countReceipts, listReceipts } from '../../../shared/operations/receipts.ts';
import { recordMessages } from '../../../shared/operations/record-messages.ts';
import type { Tidemark } from '../../../shared/operations/tidemark.ts';
import { CACHE_STATES, withoutCache } from '../../support/cache-states.ts';
import { connectDynamoDb } from '../../support/engines.ts';
import { AT_START } from '../../support/heads.ts';
import { at } from '../../support/positions.ts';
import { countsOf } from '../../support/receipt-counts.ts';
import { replacing } from '../../support/replacing.ts';
import { HUGE, openSpoiltChat, type SpoiltChat } from '../../support/spoilt-chat.ts';
import { aGroup, aUser, type CountedTidemark, openTidemark } from '../../support/tidemark.ts';

const ALWAYS = { hasTime: () => true, settledByMs: Number.POSITIVE_INFINITY };

let tidemark: CountedTidemark;
let groupItems: GroupItems;
const client = connectDynamoDb();
beforeAll(async () => {
  tidemark = await openTidemark();
  groupItems = new GroupItems(new Table(client, tidemark.tableName), 'members');
});
afterAll(() => {
  client.destroy();
  return tidemark.close();
});

beforeEach(() => {
  // The cache that does not answer.
  jest.spyOn(console, 'warn').mockImplementation(() => undefined);
});
afterEach(() => {
  jest.restoreAllMocks();
});

async function aSpoiltChat(): Promise<SpoiltChat> {
  const chat = await openSpoiltChat(tidemark);
  expect(await countBadge(tidemark, chat.bob)).toMatchObject({ groups: 1, messages: 3 });
  return chat;
}

async function erase(groupId: GroupId, epoch: number): Promise<void> {
  expect(await eraseGroup({ groupItems }, { groupId, begunAtMs: epoch }, ALWAYS)).toBe('done');
}

const REMOVED = { hideReceipts: false } as const;

/** What each route returns to a user. */
async function seenBy(service: Tidemark, { groupId, ann: userId }: Pick<SpoiltChat, 'groupId' | 'ann'>) {
  const member = { groupId, userId };
  const marks = [{ groupId, position: at(2), kind: 'read', ifRevision: null }] as const;
  return {
    view: await readOwnView(service, member),
    read: await markRead(service, member, at(3)),
    everything: await markRead(service, member, at('18446744073709551615')),
    delivered: await markDelivered(service, member, at(3)),
    unread: await markUnread(service, member, at(1)),
    statuses: await readStatuses(service, member, [at(1), at(HUGE)]),
    counts: await countReceipts(service, member, [at(1)]),
    list: await listReceipts(service, member, at(1), { state: 'unread', limit: 10, after: null }),
    preferences: await readPreferences(service, member),
    set: await setPreferences(service, member, REMOVED),
    muted: await setPreferences(service, member, { notify: 'none' }),
    batch: await markGroups(service, userId, marks),
    badge: await countBadge(service, userId),
    inbox: (await readInbox(service, userId, { unreadOnly: false, limit: 10, after: null })).groups,
    all: (await markAll(service, userId, { unmutedOnly: false, after: null })).results,
    members: (await listMembers(service, groupId, 10, null)).members,
    head: (await readGroup(service, groupId)).position,
  };
}

const NOTHING = {
  ...{ view: null, read: null, everything: null, delivered: null, unread: null, statuses: null },
  ...{ counts: null, list: null, preferences: null, set: null, muted: null },
  batch: [{ outcome: 'not_found' }],
  badge: { groups: 0, messages: 0, mentions: 0, exact: true },
  ...{ inbox: [], all: [], members: [], head: '00000000000000000000' },
};

describe.each(CACHE_STATES)('a deleted group, with a cache %s,', (_, stateOf) => {
  test('is gone for its members at once, and after its items are gone', async () => {
    const chat = await aSpoiltChat();
    const { epoch } = await deleteGroup(tidemark, chat.groupId);
    expect(await seenBy(await stateOf(tidemark, [chat.groupId]), chat)).toEqual(NOTHING);
    expect(await seenBy(tidemark, { ...chat, ann: chat.bob })).toEqual(NOTHING);
    await erase(chat.groupId, epoch);
    expect(await seenBy(await stateOf(tidemark, [chat.groupId]), chat)).toEqual(NOTHING);
  });

  test('begins again with small ids at once, and what is left from before does no harm', async () => {
    const { groupId, ann, bob } = await aSpoiltChat();
    const { epoch } = await deleteGroup(tidemark, groupId);
    const service = await stateOf(tidemark, [groupId]);
    const joined = await addMembers(service, groupId, [ann, bob]);
    expect(joined.map(({ isNew, membership }) => [isNew, membership.joinedAfter])).toEqual([
      [true, START],
      [true, START],
    ]);
    // The revision of the own view does not go back.
    for (const { membership } of joined) expect(membership.self.revision).toBeGreaterThanOrEqual(epoch);
    expect(await recordMessage(service, { groupId, position: at(1), senderId: bob })).toEqual({
      ...{ outcome: 'recorded', head: at(1) },
    });
    expect(await recordMessage(service, { groupId, position: at(2), senderId: bob })).toMatchObject({
      head: at(2),
    });
    const check = async () => {
      for (const reader of [service, withoutCache(tidemark), await stateOf(tidemark, [groupId])]) {
        expect(await readOwnView(reader, { groupId, userId: ann })).toMatchObject({
          head: { epoch, position: at(2) },
          unread: { count: 2, first: at(1), exact: true },
        });
        expect(await countBadge(reader, ann)).toMatchObject({ groups: 1, messages: 2 });
        const counted = await countReceipts(reader, { groupId, userId: ann }, [at(2), at(3), at(HUGE)]);
        expect(countsOf(counted)).toEqual([[1, 0, 0], null, null]);
        expect(await readStatuses(reader, { groupId, userId: ann }, [at(1), at(3)])).toMatchObject({
          statuses: [{ isRead: false }, { isRead: false }],
        });
      }
    };
    await check();
    await erase(groupId, epoch);
    await check();
    expect(await markRead(service, { groupId, userId: ann }, at(HUGE))).toMatchObject({
      clamped: true,
      view: { membership: { self: { position: at(2) } }, unread: { count: 0 } },
    });
    expect(countsOf(await countReceipts(service, { groupId, userId: bob }, [at(2)]))).toEqual([[1, 1, 1]]);
  });
});

describe('in a deleted group', () => {
  test('settings are as in a new group, and can be made again', async () => {
    const groupId = aGroup();
    await setGroup(tidemark, groupId, { parentId: 'tea' as GroupId, receipts: 'off' });
    const { epoch } = await deleteGroup(tidemark, groupId);
    expect(await readGroup(tidemark, groupId)).toEqual({ ...AT_START, epoch });
    const head = await setGroup(tidemark, groupId, { parentId: 'coffee' as GroupId });
    expect(head).toMatchObject({ epoch, settings: { revision: 1, parentId: 'coffee', receipts: 'members' } });
    expect(await readOwnView(tidemark, { groupId, userId: aUser() })).toBeNull();
  });

  test.each<[string, (groupId: GroupId) => Promise<unknown>]>([
    ['a joining', (groupId) => addMembers(tidemark, groupId, [aUser()])],
    [
      'a joining as a fact',
      (groupId) =>
        applyJoin(tidemark, { groupId, userId: aUser() }, { joinedAtMs: Date.now(), joinedAfter: null }),
    ],
    ['a message', (groupId) => recordMessage(tidemark, { groupId, position: at(1), senderId: aUser() })],
    ['a setting', (groupId) => setGroup(tidemark, groupId, { receipts: 'off' })],
  ])('%s keeps the head from expiring', async (_, use) => {
    const groupId = aGroup();
    const expiresAt = async () => {
      const { Item } = await client.send(
        new GetItemCommand({
          ...{ TableName: tidemark.tableName, ConsistentRead: true },
          Key: { PK: { S: `GROUP#${groupId}` }, SK: { S: 'HEAD' } },
        }),
      );
      return { epoch: Item?.epoch, expiresAt: Item?.expiresAt };
    };
    const { epoch } = await deleteGroup({ ...tidemark, nowMs: () => 1_700_000_000_000 }, groupId);
    expect(await expiresAt()).toEqual({ epoch: { N: String(epoch) }, expiresAt: { N: '1702592000' } });
    await use(groupId);
    expect(await expiresAt()).toEqual({ epoch: { N: String(epoch) }, expiresAt: undefined });
  });

  test('what follows is shown when the ledger has removed the head, though the cache still has it', async () => {
    const { groupId, bob } = await aSpoiltChat();
    const head = await deleteGroup(tidemark, groupId);
    await erase(groupId, head.epoch);
    await setGroup(tidemark, groupId, {});
    const key = { PK: { S: `GROUP#${groupId}` }, SK: { S: 'HEAD' } };
    await client.send(new DeleteItemCommand({ TableName: tidemark.tableName, Key: key }));
    await addMembers(tidemark, groupId, [bob]);
    await recordMessage(tidemark, { groupId, position: at(7), senderId: aUser() });
    await tidemark.cache.merge(groupId, [change.expiredHead(head)]);
    expect(await readOwnView(tidemark, { groupId, userId: bob })).toMatchObject({
      head: { epoch: 0, position: at(7) },
      unread: { count: 1, first: at(7), exact: true },
    });
  });

  test('a first mark makes a member where the deployment lets it', async () => {
    const { groupId, ann } = await aSpoiltChat();
    const { epoch } = await deleteGroup(tidemark, groupId);
    await recordMessage(tidemark, { groupId, position: at(1), senderId: aUser() });
    const open = { ...tidemark, mode: 'open' } as const;
    expect(await markRead(open, { groupId, userId: ann }, at(1))).toMatchObject({
      view: { head: { epoch, position: at(1) }, membership: { self: { position: at(1) } } },
    });
  });

  test('a message id may be used again by another sender, and a deletion from before is void', async () => {
    const { groupId, ann, bob } = await aSpoiltChat();
    await deleteMessage(tidemark, groupId, at(2));
    await deleteMessage(tidemark, groupId, at(8));
    const { epoch } = await deleteGroup(tidemark, groupId);
    await addMembers(tidemark, groupId, [ann, bob]);
    for (const id of [1, 2, 8]) {
      const sent = { groupId, position: at(id), senderId: bob };
      expect(await recordMessage(tidemark, sent)).toMatchObject({ outcome: 'recorded' });
      expect(await recordMessage(tidemark, sent)).toMatchObject({ outcome: 'known' });
      expect(await recordMessage(tidemark, { ...sent, senderId: ann })).toEqual({ outcome: 'conflict' });
    }
    const counts = async () =>
      countsOf(await countReceipts(tidemark, { groupId, userId: ann }, [1, 2, 8].map(at)));
    expect(await counts()).toEqual([
      [1, 0, 0],
      [1, 0, 0],
      [1, 0, 0],
    ]);
    await deleteMessage(tidemark, groupId, at(2));
    await erase(groupId, epoch);
    expect(await counts()).toEqual([[1, 0, 0], null, [1, 0, 0]]);
    expect(await readOwnView(withoutCache(tidemark), { groupId, userId: ann })).toMatchObject({
      unread: { count: 2, first: at(1) },
    });
  });

  test('in one call with ids from before, each message has the outcome of its own', async () => {
    const { groupId, ann, bob } = await aSpoiltChat();
    await deleteGroup(tidemark, groupId);
    const call = [
      { groupId, position: at(6), senderId: ann },
      { groupId, position: at(3), senderId: bob },
      { groupId, position: at(6), senderId: ann },
      { groupId, position: at(2), senderId: ann },
      { groupId, position: at(2), senderId: bob },
    ];
    expect(await recordMessages(tidemark, call)).toEqual([
      ...['recorded', 'recorded', 'known', 'recorded', 'conflict'],
    ]);
    expect(await recordMessages(tidemark, call)).toEqual(['known', 'known', 'known', 'known', 'conflict']);
    expect((await readGroup(tidemark, groupId)).position).toBe(at(6));
  });

  test('a message that leaves the own view of its sender leaves it, whatever the one from before did', async () => {
    const { groupId, ann } = await aSpoiltChat();
    await recordMessage(tidemark, { groupId, position: at(2), senderId: ann });
    await deleteGroup(tidemark, groupId);
    await addMembers(tidemark, groupId, [ann]);
    const sent = { groupId, position: at(2), senderId: ann, advanceSender: false };
    expect(await recordMessage(tidemark, sent)).toMatchObject({ outcome: 'recorded' });
    for (const service of [tidemark, withoutCache(tidemark)]) {
      expect(await readOwnView(service, { groupId, userId: ann })).toMatchObject({
        membership: {
          self: { position: START },
          public: { position: START },
          delivered: { position: START },
        },
      });
    }
  });

  test('the outcomes of one call are in its order, also if an item from before is removed meanwhile', async () => {
    const { groupId, ann, bob } = await aSpoiltChat();
    const { epoch } = await deleteGroup(tidemark, groupId);
    const { messages } = tidemark.ledger;
    let calls = 0;
    const removed = replacing(messages, {
      record: async (...args) => {
        const found = await messages.record(...args);
        calls += 1;
        if (calls === 1) await erase(groupId, epoch);
        return found;
      },
    });
    const service = { ...tidemark, ledger: { ...tidemark.ledger, messages: removed } };
    const message = { groupId, position: at(2) };
    expect(
      await recordMessages(service, [
        { ...message, senderId: ann },
        { ...message, senderId: bob },
        { ...message, senderId: ann },
      ]),
    ).toEqual(['recorded', 'conflict', 'known']);
  });

  const ITEMS_FROM_BEFORE: readonly (readonly [string, (groupId: GroupId) => Promise<unknown>])[] = [
    ['an item', async () => undefined],
    ['a deletion', async (groupId) => deleteMessage(tidemark, groupId, at(2))],
  ];
  describe.each(ITEMS_FROM_BEFORE)('a deletion of a message over %s from before counts', (_, before) => {
    test.each([
      ['that is still stored', async () => undefined],
      ['that is removed then', erase],
    ])('%s', async (_, removal) => {
      const { groupId, ann, bob } = await aSpoiltChat();
      await before(groupId);
      const { epoch } = await deleteGroup(tidemark, groupId);
      await addMembers(tidemark, groupId, [ann, bob]);
      await deleteMessage(tidemark, groupId, at(2));
      await removal(groupId, epoch);
      for (const id of [2, 3]) {
        const recorded = await recordMessage(tidemark, { groupId, position: at(id), senderId: bob });
        expect(recorded).toMatchObject({ outcome: 'recorded', head: at(id) });
      }
      for (const service of [tidemark, withoutCache(tidemark)]) {
        expect(await readOwnView(service, { groupId, userId: ann })).toMatchObject({
          head: { position: at(3) },
          unread: { count: 1, first: at(3) },
        });
      }
    });
  });

  test('a message is recorded over one from before, whose removal leaves its deletion meanwhile', async () => {
    const { groupId, ann, bob } = await aSpoiltChat();
    const { epoch } = await deleteGroup(tidemark, groupId);
    await addMembers(tidemark, groupId, [ann]);
    await deleteMessage(tidemark, groupId, at(2));
    const { messages } = tidemark.ledger;
    const removed = replacing(messages, {
      recordAfter: async (...args) => {
        await erase(groupId, epoch);
        return messages.recordAfter(...args);
      },
    });
    const service = { ...tidemark, ledger: { ...tidemark.ledger, messages: removed } };
    const sent = { groupId, position: at(2), senderId: bob };
    expect(await recordMessage(service, sent)).toEqual({ outcome: 'recorded', head: at(2) });
    expect(await readOwnView(withoutCache(tidemark), { groupId, userId: ann })).toMatchObject({
      unread: { count: 0 },
    });
  });

  test('of a message that is deleted again, nothing from before stays but its id', async () => {
    const { groupId } = await aSpoiltChat();
    const { epoch } = await deleteGroup(tidemark, groupId);
    await deleteMessage({ ...tidemark, nowMs: () => epoch + 5 }, groupId, at(2));
    await erase(groupId, epoch);
    const { Items } = await client.send(
      new QueryCommand({
        TableName: tidemark.tableName,
        KeyConditionExpression: 'PK = :group AND begins_with(SK, :messages)',
        ExpressionAttributeValues: { ':group': { S: `GROUP#${groupId}` }, ':messages': { S: 'MSG#' } },
      }),
    );
    const time = { N: String(epoch + 5) };
    expect(Items).toEqual([
      {
        PK: { S: `GROUP#${groupId}` },
        SK: { S: `MSG#${at(2)}` },
        kind: { S: 'message' },
        groupId: { S: groupId },
        position: { S: at(2) },
        recordedAt: time,
        deletedAt: time,
        expiresAt: { N: expect.stringMatching(/^\d{10}$/) },
      },
    ]);
  });

  test('what an item from before had of reminders, silence and mentions does not stay', async () => {
    const { groupId, ann, bob } = await aSpoiltChat();
    const sent = { groupId, position: at(5), senderId: ann };
    await recordMessage(tidemark, { ...sent, isSilent: true, advanceSender: false });
    const mentioning = { ...sent, position: at(6), mentions: 'all', remindAfterSeconds: 60 } as const;
    await recordMessage(tidemark, mentioning);
    await deleteGroup(tidemark, groupId);
    await addMembers(tidemark, groupId, [ann, bob]);
    for (const id of [5, 6]) await recordMessage(tidemark, { ...sent, position: at(id) });
    const { Items = [] } = await client.send(
      new QueryCommand({
        TableName: tidemark.tableName,
        KeyConditionExpression: 'PK = :group AND SK BETWEEN :five AND :six',
        ExpressionAttributeValues: {
          ...{
            ':group': { S: `GROUP#${groupId}` },
            ':five': { S: `MSG#${at(5)}` },
            ':six': { S: `MSG#${at(6)}` },
          },
        },
      }),
    );
    const names = [
      'PK',
      'SK',
      'expiresAt',
      'groupId',
      'kind',
      'position',
      'recordedAt',
      'senderId',
      'sentAt',
    ];
    expect(Items.map((item) => Object.keys(item).sort())).toEqual([names, names]);
    expect(await readOwnView(tidemark, { groupId, userId: bob })).toMatchObject({
      unread: { count: 2, mentions: 0, first: at(5) },
    });
  });
});

describe('facts of a deleted group', () => {
  test('of a time up to the deletion change nothing, whatever their order; later ones count', async () => {
    const { groupId, ann, bob } = await aSpoiltChat();
    const { epoch } = await deleteGroup(tidemark, groupId);
    await addMembers(tidemark, groupId, [ann]);
    await recordMessage(tidemark, { groupId, position: at(1), senderId: ann });
    await erase(groupId, epoch);
    const [carl, member] = [aUser('carl'), { groupId, userId: bob }];
    const fact = { groupId, senderId: ann, isFact: true };
    await recordMessage(tidemark, { ...fact, position: at(HUGE), sentAtMs: epoch });
    await recordMessage(tidemark, { ...fact, position: at(7), sentAtMs: epoch - 1_000 });
    await deleteMessage(tidemark, groupId, at(1), epoch);
    await deleteMessage(tidemark, groupId, at(9), epoch);
    await applyJoin(tidemark, member, { joinedAtMs: epoch, joinedAfter: at(HUGE) });
    await applyLeave(tidemark, { groupId, userId: ann }, epoch);
    await applyLeave(tidemark, { groupId, userId: carl }, epoch);
    expect(await itemsOf(groupId)).toEqual([
      `GROUP#${groupId} HEAD`,
      `GROUP#${groupId} MSG#${at(1)}`,
      `USER#${ann} GROUP#${groupId}`,
    ]);
    expect(await readOwnView(tidemark, { groupId, userId: ann })).toMatchObject({
      head: { position: at(1) },
      membership: { self: { position: at(1) } },
    });

    await applyJoin(tidemark, member, { joinedAtMs: epoch + 1, joinedAfter: null });
    await recordMessage(tidemark, { ...fact, position: at(5), sentAtMs: epoch + 2 });
    expect(await readOwnView(tidemark, member)).toMatchObject({
      head: { position: at(5) },
      membership: { generation: epoch + 1, firstRevision: epoch, joinedAfter: START },
      unread: { first: at(1), count: 2 },
    });
    await deleteMessage(tidemark, groupId, at(5), epoch + 3);
    await applyLeave(tidemark, member, epoch + 4);
    expect(await readOwnView(tidemark, member)).toBeNull();
    expect(await readOwnView(withoutCache(tidemark), { groupId, userId: ann })).toMatchObject({
      unread: { count: 0 },
    });
  });

  test('that overtake the deletion do not survive it', async () => {
    const [groupId, ann] = [aGroup(), aUser('ann')];
    const now = Date.now();
    await applyJoin(tidemark, { groupId, userId: ann }, { joinedAtMs: now - 10, joinedAfter: null });
    await recordMessage(tidemark, {
      groupId,
      position: at(9),
      senderId: ann,
      sentAtMs: now - 5,
      isFact: true,
    });
    await deleteGroup(tidemark, groupId);
    expect(await seenBy(tidemark, { groupId, ann })).toEqual(NOTHING);
  });
});

/** The items of the table that name a group, as `PK SK`. */
async function itemsOf(groupId: GroupId): Promise<string[]> {
  const { Items = [] } = await client.send(
    new ScanCommand({ TableName: tidemark.tableName, ConsistentRead: true }),
  );
  return Items.filter((item) => JSON.stringify(item).includes(groupId))
    .map(({ PK, SK }) => `${PK?.S} ${SK?.S}`)
    .sort();
}
