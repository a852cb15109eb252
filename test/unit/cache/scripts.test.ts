import { describe, expect, test } from '@jest/globals';
import { SCRIPTS } from '../../../shared/cache/scripts.ts';

describe.each(Object.entries(SCRIPTS))('the script %s', (_name, source) => {
  // Upstash refuses a script that asks for its own keys alone and touches another; no local Redis does.
  test('touches the keys that it declares and no other', () => {
    const touched = [...source.matchAll(/redis\.call\(\s*'\w+',\s*([\w[\]]+)/g)].map(([, key]) => key);
    expect(touched.length).toBeGreaterThan(0);
    expect(touched.filter((key) => key !== 'members' && key !== 'messages')).toEqual([]);
    expect(source.match(/redis\.call\(/g)).toHaveLength(touched.length);
  });

  test('asks Upstash to lock its own keys alone, in its first line', () => {
    expect(source.split('\n')[0]).toBe('#!lua flags=allow-key-locking');
  });

  test('makes no number of a position', () => {
    const numbers = [...source.matchAll(/tonumber\(([^)]*)\)/g)].map(([, argument]) => argument);
    expect(numbers.filter((argument) => argument !== 'revision' && argument !== 'ARGV[2]')).toEqual([]);
  });
});
