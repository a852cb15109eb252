import { describe, expect, test } from '@jest/globals';
import { LIVE_SCRIPTS } from '../../../shared/cache/live-scripts.ts';
import { SCRIPTS } from '../../../shared/cache/scripts.ts';

describe.each(Object.entries({ ...SCRIPTS, ...LIVE_SCRIPTS }))('the script %s', (_name, source) => {
  // Upstash refuses a script with this flag that uses an undeclared key; no local Redis does.
  test('uses only the keys that it declares', () => {
    const touched = [...source.matchAll(/redis\.call\(\s*'\w+',\s*(unpack\(\w+|[\w[\]]+)/g)].map(
      ([, key]) => key,
    );
    expect(touched.length).toBeGreaterThan(0);
    // `set` is a parameter of the functions in sections.lua.
    const declared = [
      'members',
      'messages',
      'receipts',
      'head',
      'joined',
      'doubts',
      'early',
      'online',
      'gate',
      'due',
      'set',
      'unpack(KEYS',
    ];
    expect(touched.filter((key) => !declared.includes(key ?? ''))).toEqual([]);
    expect(source.match(/redis\.call\(/g)).toHaveLength(touched.length);
  });

  test("limits Upstash's lock to its own keys, in its first line", () => {
    expect(source.split('\n')[0]).toBe('#!lua flags=allow-key-locking');
  });

  // If Lua is built for 32 bits, as in the embedded Redis, `%d` ends at 2147483647, which is below every time.
  test('writes no number with %d', () => {
    expect(source).not.toMatch(/format\('[^']*%d/);
  });

  test('never converts a position to a number', () => {
    const numbers = [...source.matchAll(/tonumber\(([^)]*)\)/g)].map(([, argument]) => argument);
    // Counts, times and revisions.
    const allowed =
      /^(count|first|revision|doubt_end|lease_end|mark_end|due_until|known|score|most|ARGV\[\d\])$/;
    expect(numbers.filter((argument) => !allowed.test(argument ?? ''))).toEqual([]);
  });
});
