import { describe, expect, test } from '@jest/globals';
import * as v from 'valibot';
import { messageFields, time, timeAhead } from '../../../shared/contract/schemas.ts';

const read = (value: unknown) => {
  const { success, output } = v.safeParse(time, value);
  return success ? output : null;
};

const DAY_MS = 86_400_000;
const inMs = (ms: number) => new Date(Date.now() + ms).toISOString();

describe('a time', () => {
  test.each([
    ['2026-01-31T12:00:00.000Z', 1_769_860_800_000],
    ['2026-01-31T12:00:00.5Z', 1_769_860_800_500],
    ['2026-01-31T12:00:00.123456789Z', 1_769_860_800_123],
    ['2026-01-31T12:00:00.000+01:30', 1_769_855_400_000],
    ['2026-01-31T12:00:00.000-00:00', 1_769_860_800_000],
    ['2026-01-31T12:00:00.000+00:00', 1_769_860_800_000],
    ['2026-01-31T12:00:00.000+23:59', 1_769_774_460_000],
    ['2026-01-31t12:00:00.000z', 1_769_860_800_000],
    ['2024-02-29T00:00:00.000Z', 1_709_164_800_000],
    ['2025-12-31T23:59:59.999Z', 1_767_225_599_999],
    ['1970-01-01T00:00:00.000Z', 0],
  ])('is accepted: %s', (value, ms) => {
    expect(read(value)).toBe(ms);
  });

  test.each([
    ['2026-01-31T12:00:00Z', 1_769_860_800_999],
    ['2026-01-31T12:00:00+00:00', 1_769_860_800_999],
    ['2026-01-31t12:00:00z', 1_769_860_800_999],
    ['2026-01-31T12:00:00.0Z', 1_769_860_800_000],
  ])('in whole seconds counts as the last millisecond of its second: %s', (value, ms) => {
    expect(read(value)).toBe(ms);
  });

  test.each([
    '2026-01-31T24:00:00Z',
    '2026-01-31T24:00:00.000Z',
    '2026-01-31T25:00:00Z',
    '2026-01-31T12:60:00Z',
    '2026-01-31T12:00:61Z',
    '2016-12-31T23:59:60Z',
    '2016-12-31T23:59:60.000Z',
    '2026-01-31T12:00:00+24:00',
    '2026-01-31T12:00:00-24:00',
    '2026-01-31T12:00:00+12:60',
    '2026-01-31T12:00:00+99:99',
    '2026-01-31T12:00:00+0100',
    '2026-01-31T12:00:00+01',
    '2026-01-31T12:00:00 01:00',
    '2026-01-31T12:00:00',
    '2026-01-31T12:00Z',
    '2026-01-31T12:00:00.Z',
    '2026-01-31T12:00:00,5Z',
    '2026-01-31T12:00:00.1234567890Z',
    '2026-01-31 12:00:00Z',
    '2026-01-31_12:00:00Z',
    '2026-01-31',
    '20260131T120000Z',
    '2026-1-31T12:00:00Z',
    '2026-00-31T12:00:00Z',
    '2026-13-31T12:00:00Z',
    '2026-01-00T12:00:00Z',
    '2026-01-32T12:00:00Z',
    '2026-02-29T12:00:00Z',
    '2025-04-31T12:00:00Z',
    '0000-01-01T00:00:00Z',
    '0001-01-01T00:00:00Z',
    '1969-12-31T23:59:59.999Z',
    '1970-01-01T00:00:00.000+00:01',
    '+002026-01-31T12:00:00Z',
    '-000001-01-31T12:00:00Z',
    '12026-01-31T12:00:00Z',
    '2026-01-31T12:00:00Z\n',
    ' 2026-01-31T12:00:00Z',
    '2026-01-31T12:00:00ZZ',
    '２０２６-01-31T12:00:00Z',
    '2026-W05-6T12:00:00Z',
    'Sat, 31 Jan 2026 12:00:00 GMT',
    'now',
    '',
    1_769_860_800,
    null,
    true,
    ['2026-01-31T12:00:00.000Z'],
    {},
  ])('is refused: %j', (value) => {
    expect(read(value)).toBeNull();
  });

  test('can be a day ahead, and no more', () => {
    expect(read(inMs(DAY_MS - 60_000))).not.toBeNull();
    expect(read(inMs(DAY_MS + 60_000))).toBeNull();
    expect(read('2999-01-01T00:00:00.000Z')).toBeNull();
    expect(read('9999-12-31T23:59:59.999Z')).toBeNull();
  });
});

describe('a time that may be far ahead', () => {
  const readAny = (value: unknown) => {
    const { success, output } = v.safeParse(timeAhead, value);
    return success ? output : null;
  };

  test.each([
    ['1970-01-01T00:00:00Z', 0],
    ['2026-01-31T12:00:00Z', 1_769_860_800_000],
    ['2026-01-31T12:00:00.5+01:30', 1_769_855_400_500],
    ['9999-12-31T23:59:59.999Z', 253_402_300_799_999],
    ['9999-12-31T23:59:59.999999999Z', 253_402_300_799_999],
  ])('is taken as it is written: %s', (value, ms) => {
    expect(readAny(value)).toBe(ms);
  });

  test.each([
    '1969-12-31T23:59:59.999Z',
    '9999-12-31T23:59:59.999-00:01',
    '10000-01-01T00:00:00Z',
    '+010000-01-01T00:00:00Z',
    '2026-02-30T00:00:00Z',
    '2026-01-31',
    '',
    1_769_860_800_000,
    null,
  ])('is refused: %j', (value) => {
    expect(readAny(value)).toBeNull();
  });
});

describe('the mentions of a message', () => {
  const readAll = (value: unknown) => v.safeParse(messageFields.mentions, value);
  const users = (count: number) => Array.from({ length: count }, (_, index) => `user-${index}`);

  test.each<[string, unknown, unknown]>([
    ['everybody', 'all', 'all'],
    ['a user of that name', ['all'], ['all']],
    ['each user once', ['bob', 'ann', 'bob'], ['bob', 'ann']],
    ['a hundred users', users(100), users(100)],
    ['nobody, if they are missing', undefined, undefined],
  ])('are %s', (_, value, expected) => {
    expect(readAll(value)).toMatchObject({ success: true, output: expected });
  });

  test.each<[unknown, string, string | null]>([
    ['some', 'must be an array of user ids, or "all"', null],
    [{ 0: 'bob' }, 'must be an array of user ids, or "all"', null],
    [[], 'must have at least 1 entry', null],
    [users(101), 'must have at most 100 entries', null],
    [['bob', 'a b'], 'must be 1 to 128 characters out of', '1'],
  ])('are refused as %j', (value, message, path) => {
    const { issues } = readAll(value);
    expect(issues?.map((issue) => [issue.message, v.getDotPath(issue)])).toEqual([
      [expect.stringContaining(message), path],
    ]);
  });
});
