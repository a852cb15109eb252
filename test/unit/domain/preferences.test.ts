import { expect, test } from '@jest/globals';
import { isMuted, NO_PREFERENCES } from '../../../shared/domain/preferences.ts';

test.each([
  ['nothing chosen', {}, false],
  ['only mentions wanted', { notify: 'mentions' }, false],
  ['nothing wanted', { notify: 'none' }, true],
  ['muted until later', { mutedUntil: 1_001 }, true],
  ['muted until now', { mutedUntil: 1_000 }, false],
  ['muted until a time that has passed', { mutedUntil: 999 }, false],
  ['nothing wanted, and a time that has passed', { notify: 'none', mutedUntil: 999 }, true],
] as const)('a group with %s is muted: %j, %p', (_what, chosen, expected) => {
  expect(isMuted({ ...NO_PREFERENCES, ...chosen }, 1_000)).toBe(expected);
});
