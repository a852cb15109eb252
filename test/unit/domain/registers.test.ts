import { describe, expect, test } from '@jest/globals';
import { applyDeparture, applyJoining, NO_BELONGING } from '../../../shared/domain/belonging.ts';
import { NOBODY } from '../../../shared/domain/ids.ts';
import { isSame, type Membership, merge } from '../../../shared/domain/membership.ts';
import { START } from '../../../shared/domain/position.ts';
import type { Preferences } from '../../../shared/domain/preferences.ts';
import { membershipItem, membershipState } from '../../../shared/ledger/items.ts';
import { at } from '../../support/positions.ts';

/** Every value differs from its default. A value that is added must be added here, by its type. */
const PREFERENCES: Preferences = {
  revision: 3,
  at: 9_000,
  notify: 'mentions',
  mutedUntil: 253_402_300_799_999,
  hideReceipts: true,
  archive: 'untilNew',
  archivedAt: at(4),
};

/** A membership with every register beyond the start. A register that is added must be added here, by its type. */
const MOVED: Membership = {
  kind: 'member',
  generation: 1_000,
  joinedAfter: at(1),
  firstRevision: 0,
  self: { position: at(5), at: 9_000, revision: 1 },
  public: { position: at(6), at: 9_000 },
  delivered: { position: at(7), at: 9_000 },
  preferences: PREFERENCES,
};

/** Each differs from `MOVED` in one field. The keys are typed, so that no field is left out. */
const LARGER: { readonly [Name in Exclude<keyof Membership, 'kind'>]: Membership } = {
  generation: { ...MOVED, generation: 1_001 },
  joinedAfter: { ...MOVED, joinedAfter: at(2) },
  firstRevision: { ...MOVED, firstRevision: 1 },
  self: { ...MOVED, self: { position: at(6), at: 9_000, revision: 1 } },
  public: { ...MOVED, public: { position: at(7), at: 9_000 } },
  delivered: { ...MOVED, delivered: { position: at(8), at: 9_000 } },
  preferences: { ...MOVED, preferences: { ...PREFERENCES, revision: 4 } },
};

describe.each(Object.entries(LARGER))('a larger %s', (_name, larger) => {
  test('makes a membership another one, which must be written', () => {
    expect(isSame(MOVED, larger)).toBe(false);
    expect(isSame(larger, MOVED)).toBe(false);
  });

  test('wins the merge', () => {
    expect(merge(MOVED, larger)).toEqual(larger);
    expect(merge(larger, MOVED)).toEqual(larger);
  });
});

test('a larger time alone changes nothing', () => {
  expect(isSame(MOVED, { ...MOVED, public: { position: at(6), at: 9_500 } })).toBe(true);
});

test('a late joining keeps every register that has moved', () => {
  const first = { at: 1_000, joinedAfter: at(1), receivedAt: 1_000 };
  const known = { ...NO_BELONGING, state: MOVED, joinings: [first] };
  const { state } = applyJoining(known, { at: 500, joinedAfter: START, receivedAt: 10_000 });
  expect(state).toEqual({ ...MOVED, generation: 1_001, joinedAfter: START });
});

test('a late departure keeps every register that has moved after the joining', () => {
  const first = { at: 500, joinedAfter: START, receivedAt: 500 };
  const second = { at: 2_000, joinedAfter: at(2), receivedAt: 2_000 };
  const known = { ...NO_BELONGING, state: MOVED, joinings: [first, second] };
  const { state } = applyDeparture(known, 1_500);
  expect(state).toEqual({
    kind: 'member',
    generation: 2_000,
    joinedAfter: at(2),
    firstRevision: 1_500,
    self: { position: at(5), at: 9_000, revision: 1_500 },
    public: { position: at(6), at: 9_000 },
    delivered: { position: at(7), at: 9_000 },
    preferences: PREFERENCES,
  });
});

test('a late departure forgets preferences of the membership that has ended', () => {
  const first = { at: 500, joinedAfter: START, receivedAt: 500 };
  const second = { at: 2_000, joinedAfter: at(2), receivedAt: 9_000 };
  const known = { ...NO_BELONGING, state: MOVED, joinings: [first, second], sentHidden: at(3) };
  const { state, sentHidden } = applyDeparture(known, 1_500);
  expect(state).toMatchObject({ preferences: { revision: 0, hideReceipts: false, archive: 'no' } });
  expect(sentHidden).toBeNull();
});

test('an item of the ledger holds every register', () => {
  const item = membershipItem(NOBODY, MOVED);
  expect(membershipState(item)).toEqual(MOVED);
  const always = { ...MOVED, preferences: { ...PREFERENCES, archive: 'always' as const } };
  expect(membershipState(membershipItem(NOBODY, always))).toEqual(always);
});
