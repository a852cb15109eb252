import { describe, expect, test } from '@jest/globals';
import type { GroupId } from '../../../shared/domain/ids.ts';
import { DUE_SHARDS, dueItem, dueText } from '../../../shared/ledger/due.ts';
import { at } from '../../support/positions.ts';

const tea = 'tea' as GroupId;

test('a message with a reminder has two attributes more: a shard, and the time in ms', () => {
  const noon = 1_700_000_600_000;
  expect(dueItem(tea, at(101), noon)).toEqual({ dueShard: { S: '1' }, due: { S: '1700000600000' } });
  expect(dueItem(tea, at(102), noon)).toEqual({ dueShard: { S: '0' }, due: { S: '1700000600000' } });
  expect(dueItem(tea, at(101), 1)).toEqual({ dueShard: { S: '1' }, due: { S: '0000000000001' } });
});

test('times are ordered as text', () => {
  const times = [60_000, 999_999_999_999, 1_000_000_000_000, 1_700_000_600_000].map(dueText);
  expect(times.toSorted()).toEqual(times);
});

const snowflake = (index: number) => String(BigInt(index + 1) << 22n);

describe.each([
  ['consecutive ids of one group', (index: number) => dueItem(tea, at(index + 1), 1)],
  ['snowflakes, whose low bits are zero,', (index: number) => dueItem(tea, at(snowflake(index)), 1)],
  ['one id in many groups', (index: number) => dueItem(`group-${index}` as GroupId, at(1), 1)],
])('%s', (_name, itemOf) => {
  test.each([
    [80, 2],
    [8_000, 900],
  ])('%d of them are spread over all shards, with at least %d in each', (count, least) => {
    const counts = new Map(DUE_SHARDS.map((shard): [string, number] => [shard, 0]));
    for (let index = 0; index < count; index += 1) {
      const shard = itemOf(index).dueShard?.S ?? 'none';
      counts.set(shard, (counts.get(shard) ?? 0) + 1);
    }
    expect([...counts.keys()]).toEqual(['0', '1', '2', '3', '4', '5', '6', '7']);
    expect(Math.min(...counts.values())).toBeGreaterThanOrEqual(least);
  });
});
