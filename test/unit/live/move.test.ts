import { expect, test } from '@jest/globals';
import { joinAt } from '../../../shared/domain/membership.ts';
import { START } from '../../../shared/domain/position.ts';
import { moveIn } from '../../../shared/live/move.ts';

const GENERATION = 1_700_000_000_000;

/** A membership whose revisions begin at a number, with preferences that were set this many times. */
const withPreferences = (firstRevision: number, times: number) => {
  const member = joinAt(START, GENERATION, firstRevision);
  return { ...member, preferences: { ...member.preferences, revision: times } };
};

test.each([
  ['a first membership', 0, 2],
  ['a later one, whose revisions go on above those of the earlier', 1_600_000_000_000, 1_600_000_000_002],
])('preferences of %s are in a state that has their revision', (_, firstRevision, revision) => {
  const move = moveIn({
    type: 'PreferencesChanged',
    groupId: 'g',
    userId: 'u',
    membership: GENERATION,
    ...{ notify: 'all', mutedUntil: null, hideReceipts: false, archive: 'no' },
    revision,
  });
  expect(move?.isIn(withPreferences(firstRevision, 1))).toBe(false);
  expect(move?.isIn(withPreferences(firstRevision, 2))).toBe(true);
  expect(move?.isIn(withPreferences(firstRevision, 3))).toBe(true);
});
