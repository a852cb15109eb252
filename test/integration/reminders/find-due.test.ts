import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { GroupId } from '../../../shared/domain/ids.ts';
import { inParallel } from '../../../shared/domain/in-parallel.ts';
import { dueItem } from '../../../shared/ledger/due.ts';
import { deleteMessage, recordMessage } from '../../../shared/operations/messages.ts';
import { findDue } from '../../../shared/reminders/find-due.ts';
import type { ReminderJob } from '../../../shared/reminders/reminder-job.ts';
import { at } from '../../support/positions.ts';
import { JobsInMemory, type RemindersOfTable, remindersOf } from '../../support/reminders.ts';
import { replacing } from '../../support/replacing.ts';
import { aGroup, aUser, type CountedTidemark, openTidemark } from '../../support/tidemark.ts';

const NOON = Date.parse('2026-03-01T12:00:00.000Z');
const MINUTE = 60_000;
const sender = aUser('sender');

let tidemark: CountedTidemark;
let table: RemindersOfTable;
let queue: JobsInMemory;
beforeEach(async () => {
  tidemark = await openTidemark();
  table = remindersOf(tidemark.tableName);
  queue = new JobsInMemory();
});
// Each test has a table of its own, because a run finds what is due in the whole table.
afterEach(async () => {
  table.close();
  await tidemark.close();
});

const record = (groupId: GroupId, id: number, remindAfterSeconds?: number, sentAtMs = NOON) =>
  recordMessage(tidemark, { groupId, position: at(id), senderId: sender, sentAtMs, remindAfterSeconds });

const find = (atMs: number, messages = table.messages, hasTime = () => true) =>
  findDue({ messages, queue, hasTime }, atMs);

const keyOf = (groupId: GroupId, id: number) => `GROUP#${groupId} MSG#${String(id).padStart(20, '0')}`;
const keysOf = (jobs: readonly ReminderJob[]) => jobs.map(({ key }) => `${key.PK.S} ${key.SK.S}`).sort();

describe('a message', () => {
  test('without a reminder has no attribute of one, and never stands in the index', async () => {
    const groupId = aGroup();
    await record(groupId, 1);
    expect(await table.attributes(groupId, at(1))).toEqual({});
    expect(await table.inIndex()).toEqual([]);
  });

  test('with one stands in the index until it is due, and then waits in the queue', async () => {
    const groupId = aGroup();
    await record(groupId, 1, 600);
    expect(await table.inIndex()).toEqual([keyOf(groupId, 1)]);
    expect(await find(NOON + 10 * MINUTE - 1)).toEqual({ queued: 0, late: 0, dropped: 0 });
    expect(queue.take()).toEqual([]);
    expect(await find(NOON + 10 * MINUTE)).toEqual({ queued: 1, late: 0, dropped: 0 });
    expect(queue.take()).toEqual([
      {
        key: { PK: { S: `GROUP#${groupId}` }, SK: { S: 'MSG#00000000000000000001' } },
        atMs: NOON + 10 * MINUTE,
      },
    ]);
    expect(await table.inIndex()).toEqual([]);
    expect(await table.attributes(groupId, at(1))).toEqual({ reminder: 'queued' });
    expect(await find(NOON + 11 * MINUTE)).toEqual({ queued: 0, late: 0, dropped: 0 });
  });

  test('keeps the reminder of its first recording', async () => {
    const groupId = aGroup();
    await record(groupId, 1, 600);
    await record(groupId, 1, 60);
    await record(groupId, 1);
    await record(groupId, 2);
    await record(groupId, 2, 60);
    await find(NOON + 9 * MINUTE);
    expect(queue.take()).toEqual([]);
    await find(NOON + 10 * MINUTE);
    expect(keysOf(queue.take())).toEqual([keyOf(groupId, 1)]);
    await record(groupId, 1, 600);
    expect(await table.inIndex()).toEqual([]);
  });

  test('that is deleted before it is due has no reminder', async () => {
    const groupId = aGroup();
    await record(groupId, 1, 600);
    await deleteMessage(tidemark, groupId, at(1));
    expect(await table.attributes(groupId, at(1))).toEqual({});
    await find(NOON + 60 * MINUTE);
    expect(queue.take()).toEqual([]);
  });

  test('that is silent has no reminder: it is never unread', async () => {
    const groupId = aGroup();
    const sent = { groupId, position: at(1), senderId: sender, sentAtMs: NOON, remindAfterSeconds: 60 };
    await recordMessage(tidemark, { ...sent, isSilent: true });
    expect(await table.attributes(groupId, at(1))).toEqual({});
    expect(await table.inIndex()).toEqual([]);
  });

  test('whose time is over when it is recorded is found by the next run', async () => {
    const groupId = aGroup();
    await find(NOON + 60 * MINUTE);
    await record(groupId, 1, 60);
    expect(await find(NOON + 61 * MINUTE)).toEqual({ queued: 1, late: 1, dropped: 0 });
    expect(keysOf(queue.take())).toEqual([keyOf(groupId, 1)]);
  });
});

describe('missed runs', () => {
  test('are caught up by the next one, and late reminders are counted', async () => {
    const groupId = aGroup();
    await record(groupId, 1, 600);
    await record(groupId, 2, 60 * 55);
    await record(groupId, 3, 60 * 56);
    await record(groupId, 4, 60 * 61);
    expect(await find(NOON + 60 * MINUTE)).toEqual({ queued: 3, late: 2, dropped: 0 });
    expect(keysOf(queue.take())).toEqual([keyOf(groupId, 1), keyOf(groupId, 2), keyOf(groupId, 3)]);
    expect(await table.inIndex()).toEqual([keyOf(groupId, 4)]);
  });

  test('of more than two weeks are not: such reminders are dropped', async () => {
    const groupId = aGroup();
    const twoWeeks = 14 * 24 * 60 * MINUTE;
    await record(groupId, 1, 60);
    await record(groupId, 2, 120);
    expect(await find(NOON + MINUTE + twoWeeks)).toEqual({ queued: 1, late: 1, dropped: 1 });
    expect(keysOf(queue.take())).toEqual([keyOf(groupId, 2)]);
    expect(await table.inIndex()).toEqual([]);
  });

  test('after which there is too much for one run are caught up by several', async () => {
    const groupId = aGroup();
    // Eight shards, of which each has more than one page.
    const ids = Array.from({ length: 1_000 }, (_, index) => index + 1);
    const { messages } = tidemark.ledger;
    await inParallel(ids, 20, (id) =>
      messages.record(
        groupId,
        {
          ...{ position: at(id), senderId: sender, sentAtMs: NOON, recordedAt: NOON },
          ...{
            ownViewStays: false,
            isSilent: false,
            mentions: [],
            reminder: dueItem(groupId, at(id), NOON + MINUTE),
          },
        },
        NOON,
      ),
    );
    // One page of each shard.
    expect((await find(NOON + MINUTE, table.messages, () => false)).queued).toBeLessThanOrEqual(800);
    expect((await table.inIndex()).length).toBeGreaterThanOrEqual(200);
    await find(NOON + MINUTE);
    expect(keysOf(queue.take())).toEqual(ids.map((id) => keyOf(groupId, id)).sort());
    expect(await table.inIndex()).toEqual([]);
  });
});

describe('a run', () => {
  test('that dies between the queue and the index leaves the message for the next one', async () => {
    const groupId = aGroup();
    await record(groupId, 1, 60);
    const dying = replacing(table.messages, {
      take: async () => {
        throw new Error('the instance dies');
      },
    });
    await expect(find(NOON + MINUTE, dying)).rejects.toThrow('the instance dies');
    expect(await table.inIndex()).toEqual([keyOf(groupId, 1)]);
    await find(NOON + 2 * MINUTE);
    // Twice: send-reminders notices a repeated job.
    expect(keysOf(queue.take())).toEqual([keyOf(groupId, 1), keyOf(groupId, 1)]);
    expect(await table.inIndex()).toEqual([]);
  });

  test('whose queue refuses a job leaves that message in the index, queues the others, and fails', async () => {
    const groupId = aGroup();
    for (const id of [1, 2, 3]) await record(groupId, id, 60);
    queue.refuses = ({ key }) => key.SK.S.endsWith('2');
    await expect(find(NOON + MINUTE)).rejects.toThrow('the queue did not accept 1 reminders');
    expect(keysOf(queue.take())).toEqual([keyOf(groupId, 1), keyOf(groupId, 3)]);
    expect(await table.inIndex()).toEqual([keyOf(groupId, 2)]);
    queue.refuses = () => false;
    await find(NOON + 2 * MINUTE);
    expect(keysOf(queue.take())).toEqual([keyOf(groupId, 2)]);
  });

  test('whose queries fail for one shard queues those of the others, and fails', async () => {
    const groupId = aGroup();
    const ids = Array.from({ length: 40 }, (_, index) => index + 1);
    for (const id of ids) await record(groupId, id, 60);
    const dueBy = table.messages.dueBy.bind(table.messages);
    const failing = replacing(table.messages, {
      dueBy: (shard, ...rest) => {
        if (shard === '4') throw new Error('this shard is throttled');
        return dueBy(shard, ...rest);
      },
    });
    await expect(find(NOON + MINUTE, failing)).rejects.toThrow('this shard is throttled');
    const left = await table.inIndex();
    expect(left.length).toBeGreaterThan(0);
    expect([...keysOf(queue.take()), ...left].sort()).toEqual(ids.map((id) => keyOf(groupId, id)).sort());
  });

  test('that meets another one loses nothing', async () => {
    const groupId = aGroup();
    const ids = Array.from({ length: 40 }, (_, index) => index + 1);
    for (const id of ids) await record(groupId, id, 60);
    await Promise.all([find(NOON + MINUTE), find(NOON + MINUTE)]);
    const found = keysOf(queue.take());
    expect([...new Set(found)]).toEqual(ids.map((id) => keyOf(groupId, id)).sort());
    expect(found.length).toBeLessThanOrEqual(80);
    expect(await table.inIndex()).toEqual([]);
  });

  test('makes a query for each shard, and for each message one write', async () => {
    const calls: string[] = [];
    const groupId = aGroup();
    for (const id of [1, 2]) await record(groupId, id, 60);
    const counting = replacing(table.messages, {
      dueBy: (...given) => {
        calls.push('query');
        return table.messages.dueBy(...given);
      },
      take: (given) => {
        calls.push('write');
        return table.messages.take(given);
      },
    });
    await find(NOON + MINUTE, counting);
    expect(calls.toSorted()).toEqual([...Array(8).fill('query'), 'write', 'write']);
    calls.length = 0;
    await find(NOON + 2 * MINUTE, counting);
    expect(calls).toEqual(Array(8).fill('query'));
  });
});

test('recording a message with a reminder makes the calls of any message', async () => {
  const groupId = aGroup();
  await record(groupId, 1);
  tidemark.takeCalls();
  await record(groupId, 2, 600);
  expect(tidemark.takeCalls().filter((call) => call !== 'cache')).toEqual([
    'ledger UpdateItem',
    'ledger UpdateItem',
    'ledger UpdateItem',
  ]);
});
