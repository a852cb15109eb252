import fc from 'fast-check';
import type { Membership, MembershipState } from '../../shared/domain/membership.ts';
import { type Position, START } from '../../shared/domain/position.ts';
import { NO_PREFERENCES, type Preferences } from '../../shared/domain/preferences.ts';

const IDS = [0n, 1n, 2n, 99n, 100n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 64n - 2n, 2n ** 64n - 1n];

/** Few positions, so that copies meet, among them some that are equal as doubles. */
const position = fc.constantFrom(...IDS).map((id) => String(id).padStart(20, '0') as Position);

/** A register's time belongs to its position: the write that moved it set both. */
const register = position.map((at) => ({ position: at, at: at.endsWith('0') ? null : Number(at.slice(-4)) }));

const generation = fc.integer({ min: 1_700_000_000_000, max: 1_700_000_000_003 });

/** Some memberships are later ones, whose revisions begin past those of the one before. */
const firstRevisionOf = (began: number) => (began % 2 === 0 ? 0 : began);

/** One revision has the same values in every copy: one write of the ledger made both. */
const PREFERENCES: readonly Preferences[] = [
  NO_PREFERENCES,
  { ...NO_PREFERENCES, revision: 1, at: 1_700_000_000_009, hideReceipts: true },
  { ...NO_PREFERENCES, revision: 2, at: 1_600_000_000_000, notify: 'mentions', archive: 'always' },
  {
    ...NO_PREFERENCES,
    revision: 9,
    at: 1_700_000_000_009,
    notify: 'none',
    archive: 'untilNew',
    archivedAt: START,
  },
  {
    revision: 10,
    at: 1_700_000_000_010,
    notify: 'none',
    mutedUntil: 253_402_300_799_999,
    hideReceipts: true,
    archive: 'untilNew',
    archivedAt: '18446744073709551615' as Position,
  },
  { ...NO_PREFERENCES, revision: 100, at: 1_700_000_000_011, mutedUntil: 0 },
];

const membership: fc.Arbitrary<Membership> = fc
  .record({
    generation,
    self: fc.tuple(register, fc.constantFrom(0, 1, 2, 9, 10, 100)),
    public: register,
    delivered: register,
    preferences: fc.constantFrom(...PREFERENCES),
  })
  .map(({ self: [moved, count], ...rest }) => {
    const firstRevision = firstRevisionOf(rest.generation);
    return {
      kind: 'member' as const,
      joinedAfter: '00000000000000000001' as Position,
      firstRevision,
      ...rest,
      self: { ...moved, revision: firstRevision + count },
    };
  });

/** Copies of one membership as two stores, late retries and reordered streams may hold them. */
export const copy: fc.Arbitrary<MembershipState> = fc.oneof(
  { weight: 5, arbitrary: membership },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('departed' as const), generation }) },
);
