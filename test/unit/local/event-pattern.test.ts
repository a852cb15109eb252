import { describe, expect, test } from '@jest/globals';
import { compilePattern } from '../../../local/aws/events/event-pattern.ts';

const event = { source: 'chat', 'detail-type': 'MessageSent', detail: { groupId: 'g', tags: ['a', 'b'] } };

describe('an event pattern', () => {
  test.each([
    [{ source: ['chat'] }],
    [{ source: ['other', 'chat'], 'detail-type': ['MessageSent'] }],
    [{ detail: { groupId: ['g'] } }],
    [{ detail: { tags: ['b'] } }],
    [{ detail: { other: [{ exists: false }] } }],
    [{ missing: { deep: [{ exists: false }] } }],
    [{}],
  ])('%j matches', (pattern) => {
    expect(compilePattern(pattern)(event)).toBe(true);
  });

  test.each([
    [{ source: ['tidemark'] }],
    [{ source: ['chat'], 'detail-type': ['MemberLeft'] }],
    [{ detail: { other: ['x'] } }],
    [{ missing: { deep: ['x'] } }],
    [{ detail: { groupId: [{ exists: false }] } }],
  ])('%j does not match', (pattern) => {
    expect(compilePattern(pattern)(event)).toBe(false);
  });

  test.each([
    [{ source: [{ prefix: 'ch' }] }],
    [{ source: [{ suffix: 'at' }] }],
    [{ source: [{ 'anything-but': 'mail' }] }],
    [{ source: [{ 'anything-but': ['mail', 'sms'] }] }],
    [{ detail: { groupId: [{ exists: true }] } }],
    [{ source: [{ wildcard: 'c*' }] }],
    [{ source: [{ 'anything-but': { prefix: 'c' } }] }],
    [{ source: 'chat' }],
    ['chat'],
  ])('%j is refused, because it is not supported', (pattern) => {
    expect(() => compilePattern(pattern)).toThrow('event pattern');
  });
});
