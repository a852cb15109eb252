import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { TidemarkEvent } from '../../../shared/contract/event.ts';
import type { Item } from '../../../shared/ledger/items.ts';
import type { Key } from '../../../shared/ledger/keys.ts';
import { DeadLetters } from '../../../shared/stream/dead-letters.ts';
import { sortErasures, startErasures } from '../../../shared/stream/erasures.ts';
import { publishMoves } from '../../../shared/stream/publish-moves.ts';
import { RecentRecords } from '../../../shared/stream/recent-records.ts';
import { readAll, type StreamRecord } from '../../../shared/stream/stream-records.ts';
import { KeptLetters, move, recordOf } from '../../support/stream-records.ts';

const erasure = (begunAt: number, more: Item = {}): Item => ({
  ...{ PK: { S: 'USER#ann' }, SK: { S: 'ERASURE' } },
  ...{ kind: { S: 'erasure' }, userId: { S: 'ann' }, begunAt: { N: String(begunAt) } },
  ...more,
});

beforeEach(() => {
  jest.spyOn(console, 'error').mockImplementation(() => undefined);
});
afterEach(() => {
  jest.restoreAllMocks();
});

describe('the work of an erasure', () => {
  let started: Key[];
  let isDown: boolean;
  let records: RecentRecords;
  beforeEach(() => {
    started = [];
    isDown = false;
    records = new RecentRecords(100);
  });

  const start = async (key: Key) => {
    if (isDown) throw new Error('the queue is down');
    started.push(key);
  };
  const run = (...batch: StreamRecord[]) =>
    startErasures({ start, started: records }, sortErasures(readAll(batch).readable).ofErasures);
  const KEY = { PK: { S: 'USER#ann' }, SK: { S: 'ERASURE' } };

  test('is started when it begins, and when it begins again', async () => {
    expect(await run(recordOf(null, erasure(1)), move('bob', 0, 5))).toEqual([]);
    expect(started).toEqual([KEY]);
    expect(await run(recordOf(erasure(1), erasure(2)))).toEqual([]);
    expect(started).toEqual([KEY, KEY]);
  });

  test('is not started by another change of its item, or by its end', async () => {
    expect(await run(recordOf(erasure(1), erasure(1, { later: { S: 'x' } })))).toEqual([]);
    expect(await run(recordOf(erasure(1), null))).toEqual([]);
    expect(started).toEqual([]);
  });

  test('is started by a repetition of the record if the queue was down', async () => {
    isDown = true;
    const record = recordOf(null, erasure(1));
    expect(await run(record)).toEqual([record.sequenceNumber]);
    isDown = false;
    expect(await run(record)).toEqual([]);
    expect(started).toEqual([KEY]);
  });

  test('is not started by a repetition of the record, which another record of its batch may need', async () => {
    const record = recordOf(null, erasure(1));
    expect(await run(record)).toEqual([]);
    expect(await run(record)).toEqual([]);
    expect(started).toEqual([KEY]);
  });

  test('of which the item is broken goes to the dead-letter queue', () => {
    const { readable, unreadable } = readAll([recordOf(null, erasure(1, { userId: { S: 'no id' } }))]);
    expect(readable).toEqual([]);
    expect(unreadable).toMatchObject([
      { reason: 'an item of the ledger has no valid userId: USER#ann ERASURE' },
    ]);
  });
});

describe('the end of an erasure', () => {
  let published: TidemarkEvent[];
  let isDown: boolean;
  let run: (...records: StreamRecord[]) => Promise<string[]>;
  beforeEach(() => {
    published = [];
    isDown = false;
    const publisher = {
      publish: async (events: readonly TidemarkEvent[]) => {
        if (isDown) return events;
        published.push(...events);
        return [];
      },
    };
    const publication = {
      publisher,
      ...{ deadLetters: new DeadLetters(new KeptLetters()), published: new RecentRecords(100) },
    };
    run = (...records) => publishMoves(publication, records);
  });

  test('is published once, also if its batch is repeated', async () => {
    const records = [
      recordOf(null, erasure(1)),
      recordOf(erasure(1), erasure(2)),
      recordOf(erasure(2), null),
    ];
    expect(await run(...records)).toEqual([]);
    expect(await run(...records)).toEqual([]);
    expect(published).toEqual([{ type: 'UserErased', userId: 'ann' }]);
  });

  test('is reported as failed if the bus refuses it, and published then', async () => {
    isDown = true;
    const record = recordOf(erasure(1), null);
    expect(await run(record)).toEqual([record.sequenceNumber]);
    isDown = false;
    expect(await run(record)).toEqual([]);
    expect(published).toEqual([{ type: 'UserErased', userId: 'ann' }]);
  });
});
