import { before, laterOf, type Position } from './position.ts';

/** How far a register has moved, and when: milliseconds since the epoch, null until it first moves. */
export interface Register {
  readonly position: Position;
  readonly at: number | null;
}

/** The member's own view. It goes back only in a higher revision: ordered by revision, then position. */
export interface OwnRegister extends Register {
  readonly revision: number;
}

/**
 * What one member of one group has read. Every register only grows, so two copies merge by taking the larger
 * of each. A register's time belongs to its position: the ledger's one write sets both.
 */
export interface Membership {
  readonly kind: 'member';
  /** Grows with each join (milliseconds since the epoch); compared before all registers. */
  readonly generation: number;
  /** Where the member starts: the head at the moment of joining. `self`, `public` and `delivered` start here. */
  readonly joinedAfter: Position;
  /** The revision that the own view starts in: 0 for a first membership, past all revisions before it for a later one. */
  readonly firstRevision: number;
  readonly self: OwnRegister;
  readonly public: Register;
  readonly delivered: Register;
}

/** What stays of a membership after leaving, so that nothing late brings the former member back. */
export interface Departure {
  readonly kind: 'departed';
  readonly generation: number;
}

export type MembershipState = Membership | Departure;

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
  };
}

/** One reading, as a member reports it. */
export interface Reading {
  /** Moves the own view alone: nothing that others can see. */
  readonly isPrivate: boolean;
  /** The revision that the reader knows. Where it is not the current one, the own view stays. Null for any. */
  readonly ifRevision: number | null;
}

export const PLAIN_READING: Reading = { isPrivate: false, ifRevision: null };

/** Reads up to a position: moves the own view, what others see, and delivery, each forward only. */
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
    ...(!isPrivate && {
      public: larger(membership.public, reached),
      delivered: larger(membership.delivered, reached),
    }),
  };
}

/** Was delivered up to a position, whether read or not. */
export function deliver(membership: Membership, position: Position, at: number): Membership {
  return { ...membership, delivered: larger(membership.delivered, { position, at }) };
}

/**
 * Makes a message and all later ones unread again for the member alone: the own view goes just below it, in the next
 * revision, and not below the point of joining. Where that is no way back the membership stays as it is.
 */
export function retreat(membership: Membership, message: Position, at: number): Membership {
  const { self, joinedAfter } = membership;
  const position = laterOf(before(message), joinedAfter);
  if (position >= self.position) return membership;
  return { ...membership, self: { position, at, revision: self.revision + 1 } };
}

/**
 * The law on which everything else stands: commutative, associative, idempotent. Retries, duplicates,
 * reordering and two stores that disagree all converge on the same state.
 */
export function merge(a: MembershipState, b: MembershipState): MembershipState {
  if (a.generation !== b.generation) return a.generation > b.generation ? a : b;
  if (a.kind === 'departed') return a;
  if (b.kind === 'departed') return b;
  return {
    kind: 'member',
    generation: a.generation,
    joinedAfter: laterOf(a.joinedAfter, b.joinedAfter),
    firstRevision: Math.max(a.firstRevision, b.firstRevision),
    self: larger(a.self, b.self),
    public: larger(a.public, b.public),
    delivered: larger(a.delivered, b.delivered),
  };
}

/** Whether `a` is strictly past `b`. */
export function isPast(a: Register | OwnRegister, b: Register | OwnRegister): boolean {
  const [revisionA, revisionB] = [revisionOf(a), revisionOf(b)];
  return revisionA === revisionB ? a.position > b.position : revisionA > revisionB;
}

/** Whether two states of one membership hold the same registers. */
export function isSame(a: MembershipState, b: MembershipState): boolean {
  if (a.generation !== b.generation || a.kind !== b.kind) return false;
  if (a.kind === 'departed' || b.kind === 'departed') return true;
  if (a.firstRevision !== b.firstRevision) return false;
  return (['self', 'public', 'delivered'] as const).every(
    (register) => !isPast(a[register], b[register]) && !isPast(b[register], a[register]),
  );
}

function larger<R extends Register>(current: R, other: R): R {
  return isPast(other, current) ? other : current;
}

function revisionOf(register: Register | OwnRegister): number {
  return 'revision' in register ? register.revision : 0;
}
