import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { decodeMembership, encodeMembership } from '../../../shared/cache/membership-text.ts';
import { advance, joinAt } from '../../../shared/domain/membership.ts';
import { NO_PREFERENCES } from '../../../shared/domain/preferences.ts';
import { copy } from '../../support/memberships.ts';
import { at } from '../../support/positions.ts';

const T = 1_700_000_000_000;

describe('the text of a membership', () => {
  test('is short if the registers are equal', () => {
    expect(encodeMembership(joinAt(at(5), T))).toBe('0loyw3v280000000000005');
    expect(encodeMembership(advance(joinAt(at(5), T), at(9), T + 40))).toBe(
      '0loyw3v280000000000005|0000000000009@14',
    );
  });

  test('has preferences at its end, with what differs from the default', () => {
    const preferences = { ...NO_PREFERENCES, revision: 3, at: T + 40, hideReceipts: true };
    const hidden = { ...joinAt(at(5), T), preferences };
    expect(encodeMembership(hidden)).toBe('0loyw3v280000000000005;3@14H');
    const archived = { ...preferences, mutedUntil: 36, archive: 'untilNew' as const, archivedAt: at(9) };
    expect(encodeMembership({ ...hidden, preferences: { ...archived, notify: 'none' } })).toBe(
      '0loyw3v280000000000005;3@14NU10HA0000000000009',
    );
  });

  test('converts a departure and back', () => {
    expect(encodeMembership({ kind: 'departed', generation: T })).toBe('0loyw3v28-');
  });

  test('converts back to the same membership', () => {
    fc.assert(fc.property(copy, (state) => expect(decodeMembership(encodeMembership(state))).toEqual(state)));
  });

  test.each([
    '',
    'x',
    '0loyw3v28',
    '0loyw3v285',
    '!!!!!!!!!0000000000005',
    '0loyw3v280000000000005|nine',
    '0loyw3v280000000000005@0123456789',
    '0loyw3v280000000000005@-',
    '0loyw3v280000000000005;1',
    '0loyw3v280000000000005;1@14X',
    '0loyw3v280000000000005;1@14A5',
    '0loyw3v280000000000005;1@14;',
  ])('%j is refused', (text) => {
    expect(() => decodeMembership(text)).toThrow('not a ');
  });
});
