import { ScanCommand, UpdateItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { isAfterEpoch } from '../../../shared/domain/head.ts';
import type { GroupId } from '../../../shared/domain/ids.ts';
import { inParallel } from '../../../shared/domain/in-parallel.ts';
import { joinAt } from '../../../shared/domain/membership.ts';
import { START } from '../../../shared/domain/position.ts';
import { eraseGroup } from '../../../shared/erasure/erase-group.ts';
import { GroupItems } from '../../../shared/ledger/group-items.ts';
import type { Item } from '../../../shared/ledger/items.ts';
import { Table } from '../../../shared/ledger/table.ts';
import { countBadge } from '../../../shared/operations/badge.ts';
import { deleteGroup } from '../../../shared/operations/groups.ts';
import { markAll } from '../../../shared/operations/mark-all.ts';
import { markDelivered } from '../../../shared/operations/mark-delivered.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { markUnread } from '../../../shared/operations/mark-unread.ts';
import { addMembers, applyJoin, listMembers, removeMember } from '../../../shared/operations/members.ts';
import { readStatuses } from '../../../shared/operations/message-statuses.ts';
import { recordMessage } from '../../../shared/operations/messages.ts';
import { readOwnView } from '../../../shared/operations/own-view.ts';
import { setPreferences } from '../../../shared/operations/preferences.ts';
import { countReceipts } from '../../../shared/operations/receipts.ts';
import type { Tidemark } from '../../../shared/operations/tidemark.ts';
import { DeadLetters } from '../../../shared/stream/dead-letters.ts';
import { project } from '../../../shared/stream/project.ts';
import { RecentRecords } from '../../../shared/stream/recent-records.ts';
import type { StreamRecord } from '../../../shared/stream/stream-records.ts';
import { withoutCache } from '../../support/cache-states.ts';
import { connectDynamoDb, eventually } from '../../support/engines.ts';
import { NO_ERASURES } from '../../support/erasures.ts';
import { openInterposed } from '../../support/interposed.ts';
import { at } from '../../support/positions.ts';
import { countsOf } from '../../support/receipt-counts.ts';
import { HUGE, openSpoiltChat, type SpoiltChat } from '../../support/spoilt-chat.ts';
import { KeptLetters } from '../../support/stream-records.ts';
import { openTableStream, type TableStream } from '../../support/table-stream.ts';
import { aGroup, aUser, type CountedTidemark, forget, openTidemark } from '../../support/tidemark.ts';

const client = connectDynamoDb();
let tidemark: CountedTidemark;
let stream: TableStream;
beforeAll(async () => {
  tidemark = await openTidemark();
  stream = await openTableStream(tidemark.tableName);
});
afterAll(() => {
  stream.close();
  client.destroy();
  return tidemark.close();
});
beforeEach(() => {
  jest.spyOn(console, 'warn').mockImplementation(() => undefined);
});
afterEach(() => {
  jest.restoreAllMocks();
});

const aSpoiltChat = () => openSpoiltChat(tidemark);

type Call = (service: Tidemark, chat: SpoiltChat) => Promise<unknown>;

/** Runs a call, with the deletion of the group just before its network call with this number. */
async function runWith(call: Call, number: number, isWarm: boolean) {
  const chat = await aSpoiltChat();
  if (!isWarm) await forget(tidemark.redis, chat.groupId);
  let calls = 0;
  let epoch = 0;
  const { tidemark: service, close } = openInterposed(tidemark, async (made) => {
    calls = made + 1;
    if (made === number) ({ epoch } = await deleteGroup(tidemark, chat.groupId));
  });
  const returned = await call(service, chat);
  close();
  return { chat, returned, calls, epoch };
}

/** Runs a call with the deletion before each of its network calls, and checks what is left each time. */
async function atEach(
  call: Call,
  isWarm: boolean,
  check: (run: Awaited<ReturnType<typeof runWith>>, number: number) => Promise<void>,
): Promise<void> {
  for (let number = 0; ; number += 1) {
    const run = await runWith(call, number, isWarm);
    if (run.epoch === 0) break;
    await check(run, number);
  }
}

/** Nobody from before is a member, whatever the call has left in the cache. */
async function expectGone({ groupId, ann, bob }: SpoiltChat): Promise<void> {
  for (const service of [tidemark, withoutCache(tidemark)]) {
    for (const userId of [ann, bob]) {
      const member = { groupId, userId };
      expect(await readOwnView(service, member)).toBeNull();
      expect(await countBadge(service, userId)).toEqual({ groups: 0, messages: 0, mentions: 0, exact: true });
      expect(await countReceipts(service, member, [at(1), at(HUGE)])).toBeNull();
    }
    expect((await listMembers(service, groupId, 10, null)).members).toEqual([]);
  }
}

/** The group is used again with small ids, and all numbers are right. Members start at the head, which is at `joinedAfter`. */
async function expectSound({ groupId, ann, bob }: SpoiltChat, joinedAfter = START): Promise<void> {
  await addMembers(tidemark, groupId, [ann, bob]);
  for (const id of [4, 5]) await recordMessage(tidemark, { groupId, position: at(id), senderId: bob });
  for (const service of [tidemark, withoutCache(tidemark)]) {
    expect(await readOwnView(service, { groupId, userId: ann })).toMatchObject({
      head: { position: at(5) },
      membership: { joinedAfter },
      unread: { count: 2, first: at(4), exact: true },
    });
    const counted = await countReceipts(service, { groupId, userId: ann }, [at(5), at(1), at(HUGE)]);
    expect(countsOf(counted)).toEqual([[1, 0, 0], null, null]);
  }
}

const MARKS: readonly [string, Call][] = [
  ['a mark', (service, { groupId, bob }) => markRead(service, { groupId, userId: bob }, at(3))],
  [
    'a mark of everything',
    (service, { groupId, bob }) => markRead(service, { groupId, userId: bob }, at(HUGE)),
  ],
  [
    'a delivered mark',
    (service, { groupId, bob }) => markDelivered(service, { groupId, userId: bob }, at(3)),
  ],
  ['marking unread', (service, { groupId, ann }) => markUnread(service, { groupId, userId: ann }, at(2))],
  ['marking all read', (service, { bob }) => markAll(service, bob, { unmutedOnly: false, after: null })],
  ['a read of the own view', (service, { groupId, bob }) => readOwnView(service, { groupId, userId: bob })],
  [
    'a read of statuses',
    (service, { groupId, bob }) => readStatuses(service, { groupId, userId: bob }, [at(2)]),
  ],
  [
    'a count of receipts',
    (service, { groupId, bob }) => countReceipts(service, { groupId, userId: bob }, [at(2)]),
  ],
  [
    'preferences',
    (service, { groupId, bob }) => setPreferences(service, { groupId, userId: bob }, { hideReceipts: false }),
  ],
  ['a departure', (service, { groupId, bob }) => removeMember(service, { groupId, userId: bob })],
];

describe.each([
  ['the group', true],
  ['nothing of the group', false],
])('while the cache holds %s, the deletion before each network call of', (_, isWarm) => {
  test.each(MARKS)('%s leaves nothing from before', async (_name, call) => {
    await atEach(call, isWarm, async ({ chat }) => {
      await expectGone(chat);
      await expectSound(chat);
    });
  });

  test('a recording counts the message before the deletion or after it', async () => {
    const record: Call = (service, { groupId, ann }) =>
      recordMessage(service, { groupId, position: at(2), senderId: ann });
    await atEach(record, isWarm, async ({ chat, returned, epoch }, number) => {
      const { groupId } = chat;
      expect(returned).toMatchObject({ outcome: expect.stringMatching(/^(recorded|known)$/) });
      const head = await tidemark.ledger.heads.read(groupId);
      const [message] = await tidemark.ledger.messages.readMany(groupId, [at(2)]);
      const isCounted = message !== undefined && isAfterEpoch(head, message.recordedAt);
      expect({ epoch: head.epoch, position: head.position }).toEqual({
        epoch,
        position: isCounted ? at(2) : START,
      });
      // What is written after the deletion is not lost.
      if (number === 0) expect(isCounted).toBe(true);
      await expectGone(chat);
      await expectSound(chat, head.position);
    });
  });

  test('a recording of an id that the other sender used before', async () => {
    const record: Call = (service, { groupId, bob }) =>
      recordMessage(service, { groupId, position: at(2), senderId: bob });
    await atEach(record, isWarm, async ({ chat, returned }, number) => {
      const { outcome } = returned as Awaited<ReturnType<typeof recordMessage>>;
      if (number === 0) expect(outcome).toBe('recorded');
      expect(['recorded', 'conflict']).toContain(outcome);
      await expectGone(chat);
      await expectSound(chat, outcome === 'recorded' ? at(2) : START);
    });
  });

  test.each<[string, Call]>([
    ['a joining', (service, { groupId, bob }) => addMembers(service, groupId, [bob, aUser()])],
    [
      'a joining as a fact',
      (service, { groupId, bob }) =>
        applyJoin(service, { groupId, userId: bob }, { joinedAtMs: Date.now(), joinedAfter: null }),
    ],
  ])(
    '%s makes a member before the deletion or after it, never one that starts at the wrong id',
    async (_name, call) => {
      await atEach(call, isWarm, async ({ chat }) => {
        for (const service of [tidemark, withoutCache(tidemark)]) {
          expect(await readOwnView(service, { groupId: chat.groupId, userId: chat.ann })).toBeNull();
          for (const { joinedAfter } of (await listMembers(service, chat.groupId, 10, null)).members) {
            expect(joinedAfter).toBe(START);
          }
        }
        await expectSoundFor(chat);
      });
    },
  );
});

describe('just before the deletion is stored, with a later time than the deletion began with,', () => {
  const LATER = '18446744073709551001';

  test.each<[string, Call]>([
    [
      'a joining',
      async (service, { groupId, bob }) => {
        await removeMember(service, { groupId, userId: bob });
        await addMembers(service, groupId, [bob]);
      },
    ],
    [
      'a recording',
      (service, { groupId, ann }) => recordMessage(service, { groupId, position: at(LATER), senderId: ann }),
    ],
  ])('%s counts as before it', async (_name, call) => {
    const chat = await aSpoiltChat();
    const { tidemark: service, close } = openInterposed(tidemark, async (number) => {
      if (number > 0) return;
      const begunMs = Date.now();
      await eventually(() => expect(Date.now()).toBeGreaterThan(begunMs));
      await call(tidemark, chat);
    });
    await deleteGroup(service, chat.groupId);
    close();
    await expectGone(chat);
    await expectSound(chat);
    const { groupId, ann } = chat;
    for (const each of [tidemark, withoutCache(tidemark)]) {
      const counted = await countReceipts(each, { groupId, userId: ann }, [at(LATER)]);
      expect(countsOf(counted)).toEqual([null]);
    }
  });
});

test('a recording between the two writes of a deletion counts as before it', async () => {
  const chat = await aSpoiltChat();
  const { groupId, bob } = chat;
  const { tidemark: service, close } = openInterposed(tidemark, async (number) => {
    if (number !== 1) return;
    const begunMs = Date.now();
    await eventually(() => expect(Date.now()).toBeGreaterThan(begunMs));
    await recordMessage(tidemark, { groupId, position: at(9), senderId: bob });
  });
  await deleteGroup(service, groupId);
  close();
  await expectGone(chat);
  const sent = { groupId, position: at(9), senderId: bob };
  expect(await recordMessage(tidemark, sent)).toEqual({ outcome: 'recorded', head: at(9) });
});

/** As `expectSound`, with members that may have joined by now. */
async function expectSoundFor({ groupId, bob }: SpoiltChat): Promise<void> {
  await addMembers(tidemark, groupId, [bob]);
  await recordMessage(tidemark, { groupId, position: at(4), senderId: aUser() });
  for (const service of [tidemark, withoutCache(tidemark)]) {
    expect(await readOwnView(service, { groupId, userId: bob })).toMatchObject({
      ...{
        head: { position: at(4) },
        membership: { joinedAfter: START },
        unread: { count: 1, first: at(4) },
      },
    });
  }
}

describe('late records of the stream', () => {
  const published: unknown[] = [];
  const projectAll = (records: readonly StreamRecord[]) =>
    project(
      {
        tidemark,
        publisher: {
          publish: async (events) => {
            published.push(...events);
            return [];
          },
        },
        deadLetters: new DeadLetters(new KeptLetters()),
        erasures: NO_ERASURES,
        published: new RecentRecords(1_000),
      },
      records,
    );

  test('from before the deletion, and of the deletion of items, change nothing of the group that began again', async () => {
    await stream.take();
    const chat = await aSpoiltChat();
    const { groupId, ann, bob } = chat;
    await markRead(tidemark, { groupId, userId: bob }, at(3));
    const before = await stream.take();
    const { epoch } = await deleteGroup(tidemark, groupId);
    await eraseAll(groupId, epoch);
    const erased = await stream.take();
    await addMembers(tidemark, groupId, [ann, bob]);
    for (const id of [1, 2]) await recordMessage(tidemark, { groupId, position: at(id), senderId: bob });
    expect(await readOwnView(tidemark, { groupId, userId: ann })).toMatchObject({ unread: { count: 2 } });
    await countReceipts(tidemark, { groupId, userId: ann }, [at(1)]);
    published.length = 0;
    for (const records of [before, erased, before.toReversed(), erased.toReversed()]) {
      expect(await projectAll(records)).toEqual([]);
      expect(await readOwnView(tidemark, { groupId, userId: ann })).toMatchObject({
        head: { epoch, position: at(2) },
        unread: { count: 2, first: at(1) },
      });
      const counted = await countReceipts(tidemark, { groupId, userId: ann }, [at(1), at(2), at(3)]);
      expect(countsOf(counted)).toEqual([[1, 0, 0], [1, 0, 0], null]);
    }
    expect(published).toEqual([]);
  });

  test('empty a cache that missed the deletion', async () => {
    const { groupId, ann, bob } = await aSpoiltChat();
    await stream.take();
    const { epoch } = await deleteGroup(withoutCache(tidemark), groupId);
    expect(await projectAll((await stream.take()).toReversed())).toEqual([]);
    await expectGone({ groupId, ann, bob });
    expect(await tidemark.redis.keys(`*${groupId}*`)).toEqual([`tm:{${groupId}}:head`]);

    // The same where the cache had lost the head alone.
    await addMembers(tidemark, groupId, [ann]);
    await readOwnView(tidemark, { groupId, userId: ann });
    await deleteGroup(withoutCache(tidemark), groupId);
    await forget(tidemark.redis, groupId, ['head']);
    expect(await projectAll(await stream.take())).toEqual([]);
    expect(await readOwnView(tidemark, { groupId, userId: ann })).toBeNull();
    expect(await readStatuses(tidemark, { groupId, userId: ann }, [at(1)])).toBeNull();
    expect(epoch).toBeGreaterThan(0);
  });
});

describe('the worker', () => {
  test('may die before each of its calls, and goes on: nothing is left but the head, with its expiry', async () => {
    for (let number = 0; ; number += 1) {
      const { groupId } = await aSpoiltChat();
      const { epoch } = await deleteGroup(tidemark, groupId);
      const dead = openInterposed(tidemark, async (call) => {
        if (call >= number) throw new Error('the process is dead');
      });
      const died = await eraseGroup(
        { groupItems: new GroupItems(dead.table, 'members') },
        { groupId, begunAtMs: epoch },
        { hasTime: () => true, settledByMs: epoch },
      ).then(
        () => false,
        () => true,
      );
      dead.close();
      await eraseAll(groupId, epoch);
      expect(await itemsOf(groupId)).toEqual([`GROUP#${groupId} HEAD`]);
      expect(await tidemark.redis.keys(`*${groupId}*`)).toEqual([`tm:{${groupId}}:head`]);
      if (!died) break;
    }
  });

  test('works in steps while there is time, and waits until no call from before can write any more', async () => {
    const { groupId, ann } = await aSpoiltChat();
    const { epoch } = await deleteGroup(tidemark, groupId);
    const groupItems = new GroupItems(openTable(), 'members');
    const group = { groupId, begunAtMs: epoch };
    const never = () => false;
    const always = () => true;
    expect(await eraseGroup({ groupItems }, group, { hasTime: never, settledByMs: epoch })).toBe('more');
    expect(await itemsOf(groupId)).toHaveLength(7);
    expect(await eraseGroup({ groupItems }, group, { hasTime: always, settledByMs: epoch - 1 })).toBe(
      'waits',
    );
    expect(await itemsOf(groupId)).toHaveLength(1);
    // A call that had read the head before the deletion writes now.
    await tidemark.ledger.memberships.changeBelonging(
      { groupId, userId: ann },
      (known) => ({ ...known, state: joinAt(at(HUGE), epoch) }),
      Date.now(),
    );
    expect(await readOwnView(tidemark, { groupId, userId: ann })).toBeNull();
    await eraseAll(groupId, epoch);
    expect(await itemsOf(groupId)).toEqual([`GROUP#${groupId} HEAD`]);
  });

  test('deletes items that cannot be read', async () => {
    const { groupId, ann } = await aSpoiltChat();
    for (const [PK, SK, name] of [
      [`USER#${ann}`, `GROUP#${groupId}`, 'generation'],
      [`GROUP#${groupId}`, `MSG#${at(2)}`, 'recordedAt'],
    ] as const) {
      await client.send(
        new UpdateItemCommand({
          TableName: tidemark.tableName,
          Key: { PK: { S: PK }, SK: { S: SK } },
          UpdateExpression: 'SET #name = :text',
          ExpressionAttributeNames: { '#name': name },
          ExpressionAttributeValues: { ':text': { S: 'broken' } },
        }),
      );
    }
    const { epoch } = await deleteGroup(tidemark, groupId);
    await eraseAll(groupId, epoch);
    expect(await itemsOf(groupId)).toEqual([`GROUP#${groupId} HEAD`]);
  });

  test('deletes many members with a bounded number of calls at the same time', async () => {
    const groupId = aGroup();
    const count = Number(process.env.TIDEMARK_MEMBERS ?? 1_500);
    const userIds = Array.from({ length: count }, () => aUser());
    const generation = Date.now();
    await inParallel(userIds, 50, (userId) =>
      tidemark.ledger.memberships.changeBelonging(
        { groupId, userId },
        (known) => ({ ...known, state: joinAt(START, generation) }),
        generation,
      ),
    );
    const { epoch } = await deleteGroup(tidemark, groupId);
    const [staying] = await addMembers(tidemark, groupId, [aUser('staying')]);
    let [inFlight, most] = [0, 0];
    const counting = connectDynamoDb();
    counting.middlewareStack.add(
      (send) => async (args) => {
        inFlight += 1;
        most = Math.max(most, inFlight);
        try {
          return await send(args);
        } finally {
          inFlight -= 1;
        }
      },
      { step: 'deserialize' },
    );
    const groupItems = new GroupItems(new Table(counting, tidemark.tableName), 'members');
    await eventually(async () => {
      const share = { hasTime: () => true, settledByMs: epoch };
      expect(await eraseGroup({ groupItems }, { groupId, begunAtMs: epoch }, share)).toBe('done');
      expect((await tidemark.ledger.memberships.page(groupId, 10, null)).members).toMatchObject([
        { membership: staying?.membership },
      ]);
    });
    counting.destroy();
    expect(most).toBeLessThanOrEqual(20);
    expect((await itemsOf(groupId)).filter((item) => item.startsWith('USER#'))).toHaveLength(1);
  }, 300_000);
});

const openTable = () => new Table(client, tidemark.tableName);

/** The last pass of the worker. */
async function eraseAll(groupId: GroupId, epoch: number): Promise<void> {
  const groupItems = new GroupItems(openTable(), 'members');
  // The index of members is a moment behind.
  await eventually(async () => {
    const share = { hasTime: () => true, settledByMs: epoch };
    expect(await eraseGroup({ groupItems }, { groupId, begunAtMs: epoch }, share)).toBe('done');
    expect((await itemsOf(groupId)).filter((item) => item.startsWith('USER#'))).toEqual([]);
  });
}

/** The items of the table that name a group, as `PK SK`. */
async function itemsOf(groupId: GroupId): Promise<string[]> {
  const found: string[] = [];
  let start: Item | undefined;
  do {
    const { Items = [], LastEvaluatedKey } = await client.send(
      new ScanCommand({
        ...{ TableName: tidemark.tableName, ConsistentRead: true },
        ...(start && { ExclusiveStartKey: start }),
      }),
    );
    const ofGroup = Items.filter((item) => JSON.stringify(item).includes(groupId));
    found.push(...ofGroup.map(({ PK, SK }) => `${PK?.S} ${SK?.S}`));
    start = LastEvaluatedKey;
  } while (start);
  return found.sort();
}
