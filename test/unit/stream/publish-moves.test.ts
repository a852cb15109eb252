import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { TidemarkEvent } from '../../../shared/contract/event.ts';
import { DeadLetters } from '../../../shared/stream/dead-letters.ts';
import { publishMoves } from '../../../shared/stream/publish-moves.ts';
import { RecentRecords } from '../../../shared/stream/recent-records.ts';
import type { StreamRecord } from '../../../shared/stream/stream-records.ts';
import { at } from '../../support/positions.ts';
import {
  breakMembership,
  brokenMembership,
  expire,
  G,
  hiddenMoves,
  KeptLetters,
  leave,
  membership,
  move,
  recordOf,
  T,
  unknownKind,
} from '../../support/stream-records.ts';

let published: TidemarkEvent[];
/** The users whose events the bus refuses. */
let refused: Set<string>;
let letters: KeptLetters;
let run: (records: readonly StreamRecord[]) => Promise<string[]>;
beforeEach(() => {
  published = [];
  refused = new Set();
  letters = new KeptLetters();
  const deadLetters = new DeadLetters(letters);
  jest.spyOn(console, 'error').mockImplementation(() => undefined);
  jest.spyOn(console, 'info').mockImplementation(() => undefined);
  const publish = async (events: readonly TidemarkEvent[]) => {
    const failed = events.filter((event) => 'userId' in event && refused.has(event.userId));
    published.push(...events.filter((event) => !failed.includes(event)));
    return failed;
  };
  const remembered = new RecentRecords(100);
  run = (records) => publishMoves({ publisher: { publish }, deadLetters, published: remembered }, records);
});
afterEach(() => {
  jest.restoreAllMocks();
});

const advances = () =>
  published.flatMap((event) =>
    event.type === 'WatermarkAdvanced' ? [[event.userId, event.from, event.to]] : [],
  );

describe('a move in a batch of the stream', () => {
  test('is published as one move for each member, from the oldest position to the newest', async () => {
    expect(await run([move('a', 0, 5), move('b', 0, 3), move('a', 5, 9), move('a', 9, 20)])).toEqual([]);
    expect(advances()).toEqual([
      ['a', '1', '20'],
      ['b', '1', '3'],
    ]);
    expect(published[0]).toEqual({
      type: 'WatermarkAdvanced',
      groupId: 'g',
      userId: 'a',
      membership: 1_700_000_000_000,
      from: '1',
      to: '20',
      readAt: '2023-11-14T22:13:20.020Z',
      ownRevision: 0,
    });
  });

  test('is published for everyone if it is public, and otherwise only for the member', async () => {
    for (const record of hiddenMoves('a')) await run([record]);
    expect(published.map(({ type }) => type)).toEqual([
      'OwnWatermarkMoved',
      'OwnWatermarkMoved',
      'DeliveryAdvanced',
    ]);
  });

  test('does not exist if a member joins, leaves, joins again or expires, or a message comes', async () => {
    const message = { kind: { S: 'message' }, groupId: { S: G }, position: { S: at(7) } };
    const records = [
      recordOf(null, membership('a', 0)),
      leave('a', 9),
      recordOf(membership('a', 9), membership('a', 0, T + 1)),
      expire('a'),
      recordOf(null, message),
    ];
    expect(await run(records)).toEqual([]);
    expect(published).toEqual([]);
  });

  test('includes what a member read before it joined again', async () => {
    const rejoined = recordOf(membership('a', 9), membership('a', 0, T + 1));
    const after = recordOf(membership('a', 0, T + 1), membership('a', 30, T + 1));
    await run([move('a', 5, 9), rejoined, after]);
    expect(advances()).toEqual([
      ['a', '5', '9'],
      ['a', '1', '30'],
    ]);
  });

  test('reports only the records of an event that the bus refused as failed, and publishes the others once', async () => {
    refused.add('b');
    const records = [move('a', 0, 5), move('b', 0, 3), move('b', 3, 4), move('c', 0, 7)];
    expect(await run(records)).toEqual([records[1]?.sequenceNumber, records[2]?.sequenceNumber]);
    expect(advances()).toEqual([
      ['a', '1', '5'],
      ['c', '1', '7'],
    ]);
    refused.clear();
    expect(await run(records.slice(1))).toEqual([]);
    expect(advances().slice(2)).toEqual([['b', '1', '4']]);
  });

  test('is published even if the kind of another item is unknown', async () => {
    expect(await run([move('a', 0, 5), unknownKind('connection'), move('b', 0, 3)])).toEqual([]);
    expect(advances()).toHaveLength(2);
    expect(letters.messages).toEqual([]);
    expect(console.info).toHaveBeenCalledTimes(1);
  });

  test('is published even if another item is broken, which goes to the dead-letter queue once', async () => {
    refused.add('b');
    const records = [move('a', 0, 5), breakMembership('c'), move('b', 0, 3)];
    expect(await run(records)).toEqual([records[2]?.sequenceNumber]);
    expect(letters.letters).toMatchObject([{ key: { PK: 'USER#c', SK: 'GROUP#g' } }]);
    refused.clear();
    expect(await run(records)).toEqual([]);
    expect(advances()).toEqual([
      ['a', '1', '5'],
      ['b', '1', '3'],
    ]);
    expect(letters.messages).toHaveLength(1);
  });

  test('is published even if the dead-letter queue is down, and the broken record fails', async () => {
    letters.isDown = true;
    const records = [move('a', 0, 5), breakMembership('c'), move('b', 0, 3)];
    expect(await run(records)).toEqual([records[1]?.sequenceNumber]);
    expect(advances()).toHaveLength(2);
  });

  test('is published from the start of the membership if only the old image is broken', async () => {
    expect(await run([recordOf(brokenMembership('a'), membership('a', 9)), move('a', 9, 12)])).toEqual([]);
    expect(advances()).toEqual([['a', '1', '12']]);
    expect(letters.messages).toEqual([]);
  });
});
