import {
  type BatchGetItemCommand,
  ConditionalCheckFailedException,
  DynamoDBClient,
} from '@aws-sdk/client-dynamodb';
import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Item } from '../../../shared/ledger/items.ts';
import { Table } from '../../../shared/ledger/table.ts';
import { eventually } from '../../support/engines.ts';
import { replacing } from '../../support/replacing.ts';

const keyOf = (name: string) => ({ PK: { S: name }, SK: { S: name } });
const itemOf = (name: string): Item => ({ ...keyOf(name), kind: { S: 'head' } });

/** The names that each call requested. */
let calls: string[][];
let pauses: number[];
let nowMs = 0;

/** How many of the names a call returns; the rest stays unprocessed. */
type Share = (call: number, names: readonly string[]) => number | Promise<number>;

function tableThatGives(share: Share, { random = 1, callMs = 0 } = {}): Table {
  const send = async ({ input }: BatchGetItemCommand) => {
    const names = input.RequestItems?.t?.Keys?.map(({ PK }) => PK?.S ?? '') ?? [];
    calls.push(names);
    nowMs += callMs;
    const given = await share(calls.length, names);
    const rest = names.slice(given).map(keyOf);
    return {
      Responses: { t: names.slice(0, given).map(itemOf) },
      ...(rest.length > 0 && { UnprocessedKeys: { t: { Keys: rest, ConsistentRead: true } } }),
    };
  };
  const client = replacing(new DynamoDBClient({ region: 'us-east-1' }), { send: send as never });
  return new Table(client, 't', {
    pause: async (ms) => {
      pauses.push(ms);
      nowMs += ms;
    },
    random: () => random,
    nowMs: () => nowMs,
  });
}

const namesIn = (items: readonly Item[]) => items.map(({ PK }) => PK?.S);
const read = (table: Table, ...names: string[]) => table.getMany(names.map(keyOf));

beforeEach(() => {
  calls = [];
  pauses = [];
  nowMs = 0;
});

describe('many items of a table that throttles', () => {
  test('are read without a pause if all are returned', async () => {
    const table = tableThatGives((_call, names) => names.length);
    expect(namesIn(await read(table, 'a', 'b', 'c'))).toEqual(['a', 'b', 'c']);
    expect(pauses).toEqual([]);
  });

  test('are read again if they were not returned, and only those', async () => {
    const table = tableThatGives(() => 1);
    expect(namesIn(await read(table, 'a', 'b', 'c'))).toEqual(['a', 'b', 'c']);
    expect(calls).toEqual([['a', 'b', 'c'], ['b', 'c'], ['c']]);
    expect(pauses).toEqual([50, 100]);
  });

  test('are read again after growing pauses, up to seven calls', async () => {
    const table = tableThatGives(() => 0);
    await expect(read(table, 'a')).rejects.toMatchObject({ code: 'unavailable' });
    expect(calls).toHaveLength(7);
    expect(pauses).toEqual([50, 100, 200, 400, 800, 800]);
  });

  test.each([
    [0, [0, 0]],
    [0.5, [25, 50]],
  ])('are read again after a random pause: at %d of the longest', async (random, expected) => {
    const table = tableThatGives((call) => (call === 3 ? 1 : 0), { random });
    await read(table, 'a');
    expect(pauses).toEqual(expected);
  });

  test('are not read again 3 s after the first throttling, even after few calls', async () => {
    const table = tableThatGives(() => 0, { callMs: 1_450 });
    await expect(read(table, 'a')).rejects.toMatchObject({ code: 'unavailable' });
    expect(calls).toHaveLength(3);
    expect(pauses).toEqual([50, 100]);
  });

  test('share these 3 s between all batches', async () => {
    const names = Array.from({ length: 101 }, (_, index) => `item-${index}`);
    // The batch of one item is throttled for the first time when the other has been throttled for almost 3 s.
    const table = tableThatGives(async (_call, batch) => {
      if (batch.length > 1) return calls.length > 2 ? batch.length : 0;
      await eventually(() => expect(pauses).toEqual([50]));
      nowMs = 2_960;
      return 0;
    });
    await expect(read(table, ...names)).rejects.toMatchObject({ code: 'unavailable' });
    expect(pauses).toEqual([50]);
  });
});

describe('an update whose condition failed', () => {
  const set: Item = { senderId: { S: 'a' }, mentions: { SS: ['b', 'c'] } };

  async function updated(item: Item, attempts: number): Promise<boolean> {
    const failure = new ConditionalCheckFailedException({
      message: 'The conditional request failed',
      Item: { ...keyOf('m'), ...item },
      $metadata: { attempts },
    });
    const send = async () => {
      throw failure;
    };
    const client = replacing(new DynamoDBClient({ region: 'us-east-1' }), { send: send as never });
    return (await new Table(client, 't').update({ key: keyOf('m'), set, conditions: [] })).applied;
  }

  // DynamoDB keeps no order of a set.
  test.each([
    ['counts as applied if it was sent again and the item has its values', set, 2, true],
    ['also if a set has another order', { ...set, mentions: { SS: ['c', 'b'] } }, 2, true],
    ['not if a set has other members', { ...set, mentions: { SS: ['b', 'd'] } }, 2, false],
    ['not if it was sent once', set, 1, false],
  ])('%s', async (_, item, attempts, isApplied) => {
    expect(await updated(item, attempts)).toBe(isApplied);
  });
});
