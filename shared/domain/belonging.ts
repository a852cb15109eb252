import {
  type Departure,
  isPast,
  joinAt,
  type Membership,
  type MembershipState,
  type Register,
} from './membership.ts';
import { laterOf, type Position } from './position.ts';

/** A joining that was heard of. Times are milliseconds since the epoch. */
export interface Joining {
  /** When it happened. */
  readonly at: number;
  /** The position that the member starts after. */
  readonly after: Position;
  /** The back end said where the member starts. Otherwise that was found by the time of the joining. */
  readonly isGiven?: boolean;
  /** When it was heard of. */
  readonly heardAt: number;
}

/**
 * What one user is to one group, with all that is needed to give joinings and departures that are heard late their
 * place: the state is the one of the order in which they happened, whatever the order in which they are heard.
 */
export interface Belonging {
  readonly state: MembershipState | null;
  /** The latest departure that was heard of; null where there was none. */
  readonly leftAt: number | null;
  /** The joinings since then, by time. A member is one since the first of them. */
  readonly joinings: readonly Joining[];
  /** The last revision of the memberships before; null where there was none, or it is forgotten. */
  readonly lastRevision: number | null;
}

export const NO_BELONGING: Belonging = { state: null, leftAt: null, joinings: [], lastRevision: null };

/**
 * The most joinings that are kept. A second joining counts only where the departure in between is heard of later, so
 * few matter. Of more, the earliest is kept, since the membership began with it, and the latest.
 */
const MOST_JOININGS = 10;

/**
 * Returns the same belonging where the joining changes nothing. At equal times a departure wins, and of two joinings the
 * one that starts earlier: so a repetition changes nothing, though messages were heard of in between.
 */
export function hearJoining(belonging: Belonging, joining: Joining): Belonging {
  const { state, leftAt, joinings } = belonging;
  if (leftAt !== null && joining.at <= leftAt) return hearFormerJoining(belonging, leftAt);
  const same = joinings.find(({ at }) => at === joining.at);
  if (same && same.after <= joining.after) return belonging;
  const others = joinings.filter((other) => other !== same);
  const [first = joining, ...later] = [...others, joining].toSorted((a, b) => a.at - b.at);
  const kept = [first, ...later.slice(-(MOST_JOININGS - 1))];
  if (!kept.includes(joining)) return belonging;
  if (state?.kind === 'member' && first !== joining) return { ...belonging, joinings: kept };
  const firstRevision =
    state?.kind === 'member' ? state.firstRevision : revisionAfter(leftAt, belonging.lastRevision);
  return { ...belonging, joinings: kept, state: beginAnew(state, first, firstRevision, () => true) };
}

/** Returns the same belonging where the departure changes nothing. */
export function hearDeparture(belonging: Belonging, leftAt: number): Belonging {
  const { state, joinings } = belonging;
  if (belonging.leftAt !== null && leftAt <= belonging.leftAt) return belonging;
  const [first, ...later] = joinings.filter(({ at }) => at > leftAt);
  const joined = first ? [first, ...later] : [];
  const heard = { ...belonging, leftAt, joinings: joined };
  if (state?.kind !== 'member') return { ...heard, state: departure(state, leftAt) };
  const lastRevision = state.self.revision;
  if (!first) return { ...heard, lastRevision, state: departure(state, leftAt) };
  if (first === joinings[0]) {
    return belonging.lastRevision === null ? heard : { ...heard, state: raiseRevision(state, leftAt) };
  }
  // A mark from before the joining was heard of was made in the membership that has ended.
  const isOfThisOne = ({ at }: Register) => at !== null && at > Math.max(first.at, first.heardAt);
  const firstRevision = revisionAfter(leftAt, lastRevision);
  return { ...heard, lastRevision, state: beginAnew(state, first, firstRevision, isOfThisOne) };
}

/** A membership that begins with a joining, and takes over those registers of the one before that are its own. */
function beginAnew(
  before: MembershipState | null,
  { at, after }: Joining,
  firstRevision: number,
  isOfThisOne: (register: Register) => boolean,
): Membership {
  const generation = Math.max(at, (before?.generation ?? -1) + 1);
  const start = joinAt(after, generation, firstRevision);
  if (before?.kind !== 'member') return start;
  const kept = <R extends Register>(register: R, other: R): R => {
    if (register.at === null || !isOfThisOne(register) || !isPast(register, other)) return other;
    return { ...register, position: laterOf(register.position, other.position) };
  };
  const revision = Math.max(before.self.revision, firstRevision);
  return {
    ...start,
    self: kept({ ...before.self, revision }, start.self),
    public: kept(before.public, start.public),
    delivered: kept(before.delivered, start.delivered),
  };
}

/** A joining that a departure has ended already tells that there was a membership before the present one. */
function hearFormerJoining(belonging: Belonging, leftAt: number): Belonging {
  const { state, lastRevision } = belonging;
  if (lastRevision !== null) return belonging;
  const raised = state?.kind === 'member' ? raiseRevision(state, leftAt) : state;
  return { ...belonging, lastRevision: 0, state: raised };
}

function departure(before: MembershipState | null, leftAt: number): Departure {
  return { kind: 'departed', generation: Math.max(leftAt, before?.generation ?? 0) };
}

/**
 * The revision that a membership starts in: 0 for a first one, and past the last revision for a later one. It is made of
 * the time of the departure, so that it does not depend on the order in which things are heard.
 */
function revisionAfter(leftAt: number | null, lastRevision: number | null): number {
  return lastRevision === null ? 0 : Math.max(leftAt ?? 0, lastRevision + 1);
}

/** There was a membership before this one, with revisions of its own. */
function raiseRevision(state: Membership, leftAt: number): Membership {
  const firstRevision = Math.max(state.firstRevision, leftAt);
  const revision = firstRevision + state.self.revision - state.firstRevision;
  return { ...state, firstRevision, self: { ...state.self, revision } };
}
