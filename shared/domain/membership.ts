import { before, laterOf, type Position } from './position.ts';
import { laterPreferences, NO_PREFERENCES, type Preferences } from './preferences.ts';

/** How far a register has moved, and when: milliseconds since the epoch, null until it first moves. */
export interface Register {
  readonly position: Position;
  readonly at: number | null;
}

/** The member's own view, ordered by revision, then position. It goes back only in a higher revision. */
export interface OwnRegister extends Register {
  readonly revision: number;
}

/** A register's time belongs to its position: one write of the ledger sets both. */
export interface Registers {
  readonly self: OwnRegister;
  readonly public: Register;
  readonly delivered: Register;
}

export type RegisterName = keyof Registers;

/** What one member of one group has read. Registers only grow, so two copies merge by taking the larger of each. */
export interface Membership extends Registers {
  readonly kind: 'member';
  /** Grows with each join (milliseconds since the epoch). Compared before all registers. */
  readonly generation: number;
  /** The position that the member starts after, usually the head at the join. All other registers start here too. */
  readonly joinedAfter: Position;
  /**
   * The revision that the own view starts in: 0 for a first membership, above all earlier revisions for a later one.
   */
  readonly firstRevision: number;
  /** What the member wants of the group. Leaving forgets them. */
  readonly preferences: Preferences;
}

/** What remains of a membership after leaving. It stops late copies from bringing the former member back. */
export interface Departure {
  readonly kind: 'departed';
  readonly generation: number;
}

export type MembershipState = Membership | Departure;

/** Each function returns the larger of two values, and the first one if they are equal. */
type Laws<Fields> = { readonly [Name in keyof Fields]: (a: Fields[Name], b: Fields[Name]) => Fields[Name] };
type MergedFields = Omit<Membership, 'kind' | 'generation'>;

/**
 * The list of all registers. Whatever merges, compares or stores memberships goes by it, so a new register has one place
 * to be added, and the types demand it there.
 */
const REGISTER_LAWS: Laws<Registers> = { self: larger, public: larger, delivered: larger };
const LAWS: Laws<MergedFields> = {
  joinedAfter: laterOf,
  firstRevision: Math.max,
  preferences: laterPreferences,
  ...REGISTER_LAWS,
};

export const REGISTER_NAMES = Object.keys(REGISTER_LAWS) as readonly RegisterName[];
const MERGED_NAMES = Object.keys(LAWS) as readonly (keyof MergedFields)[];

export function joinAt(joinedAfter: Position, generation: number, firstRevision = 0): Membership {
  const start = { position: joinedAfter, at: null };
  return {
    kind: 'member',
    generation,
    joinedAfter,
    firstRevision,
    self: { ...start, revision: firstRevision },
    public: start,
    delivered: start,
    preferences: NO_PREFERENCES,
  };
}

/** How a member reads. */
export interface Reading {
  /** Moves only the own view, which others do not see. */
  readonly isPrivate: boolean;
  /** The revision that the client knows. If it is not the current one, the own view stays. Null for any. */
  readonly ifRevision: number | null;
}

export const PLAIN_READING: Reading = { isPrivate: false, ifRevision: null };

/**
 * Reads up to a position. Moves the own view, the public watermark and delivery, each only forward. Every reading of a
 * member whose receipts are hidden is private.
 */
export function advance(
  membership: Membership,
  position: Position,
  at: number,
  { isPrivate, ifRevision }: Reading = PLAIN_READING,
): Membership {
  const reached = { position, at };
  const { revision } = membership.self;
  const own = ifRevision === null || ifRevision === revision;
  return {
    ...membership,
    ...(own && { self: larger(membership.self, { ...reached, revision }) }),
    ...(!(isPrivate || membership.preferences.hideReceipts) && {
      public: larger(membership.public, reached),
      delivered: larger(membership.delivered, reached),
    }),
  };
}

/** Moves delivery up to a position, and nothing else. Hidden receipts hide only what is read. */
export function deliver(membership: Membership, position: Position, at: number): Membership {
  return { ...membership, delivered: larger(membership.delivered, { position, at }) };
}

/**
 * Marks a message and all later ones unread, only for the member: the own view goes just below the message, in the next
 * revision, but not below `joinedAfter`. If that would not move the view back, returns the same membership.
 */
export function retreat(membership: Membership, position: Position, at: number): Membership {
  const { self, joinedAfter } = membership;
  const ownPosition = laterOf(before(position), joinedAfter);
  if (ownPosition >= self.position) return membership;
  return { ...membership, self: { position: ownPosition, at, revision: self.revision + 1 } };
}

/**
 * The revision of the preferences as callers see it. A later membership starts in a higher one, so that a client can take
 * the larger of two. A membership counts its own changes from 0.
 */
export function preferencesRevision({ firstRevision, preferences }: Membership): number {
  return firstRevision + preferences.revision;
}

/**
 * The law that everything else relies on. Merging is commutative, associative and idempotent, so retries, duplicates,
 * reordering and two stores that disagree all converge on the same state.
 */
export function merge(a: MembershipState, b: MembershipState): MembershipState {
  if (a.generation !== b.generation) return a.generation > b.generation ? a : b;
  if (a.kind === 'departed') return a;
  if (b.kind === 'departed') return b;
  return { ...a, ...Object.fromEntries(MERGED_NAMES.map((name) => [name, largerOf(name, a, b)])) };
}

/** Whether `a` is strictly above `b`. */
export function isPast(a: Register | OwnRegister, b: Register | OwnRegister): boolean {
  const [revisionA, revisionB] = [revisionOf(a), revisionOf(b)];
  return revisionA === revisionB ? a.position > b.position : revisionA > revisionB;
}

/** Whether two states are the same, but for the times of their registers. */
export function isSame(a: MembershipState, b: MembershipState): boolean {
  if (a.generation !== b.generation || a.kind !== b.kind) return false;
  if (a.kind === 'departed' || b.kind === 'departed') return true;
  return MERGED_NAMES.every((name) => largerOf(name, a, b) === a[name] && largerOf(name, b, a) === b[name]);
}

function largerOf<Name extends keyof MergedFields>(name: Name, a: MergedFields, b: MergedFields) {
  return LAWS[name](a[name], b[name]);
}

function larger<R extends Register>(current: R, other: R): R {
  return isPast(other, current) ? other : current;
}

function revisionOf(register: Register | OwnRegister): number {
  return 'revision' in register ? register.revision : 0;
}
