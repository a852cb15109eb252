import { describe, expect, test } from '@jest/globals';
import { ID_RULE, parseGroupId, parseUserId } from '../../../shared/domain/ids.ts';

describe.each([
  ['a group', parseGroupId],
  ['a user', parseUserId],
])('the id of %s', (_, parse) => {
  test.each([
    'a',
    'auth0|5f7c1b2e9d3a4b0071c2d3e4',
    'alice@example.com',
    'room:42',
    'ABCXYZabcxyz0189._:@!+=~|$*-',
    '...',
    '.a',
    'a.',
    '-',
    '*',
    '|',
    '$',
    '|laggard',
    '!floor|',
    '__proto__',
    '0',
    'x'.repeat(128),
  ])('may be %j', (id) => {
    expect(parse(id)).toBe(id);
  });

  test.each([
    '',
    '.',
    '..',
    'x'.repeat(129),
    'a#b',
    '#index',
    '{x}',
    'a}',
    'a b',
    ' a',
    'a\n',
    '.\n',
    'a\u0000',
    'a/b',
    'a%7Cb',
    'a?b',
    'a&b',
    'a,b',
    'a;b',
    'a"b',
    "a'b",
    'a\\b',
    'a<b',
    'a^b',
    'a`b',
    'a(b)',
    'a[b]',
    'é',
    'ａ',
    '🌊',
    null,
    undefined,
    42,
    true,
    ['a'],
    { toString: () => 'a' },
  ])('may not be %j', (id) => {
    expect(parse(id)).toBeNull();
  });
});

test('the rule in the error message contains every allowed character', () => {
  expect(ID_RULE).toBe(
    'must be 1 to 128 characters out of A-Z a-z 0-9 . _ : @ ! + = ~ | $ * -, and neither . nor ..',
  );
});
