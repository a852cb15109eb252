import {
  advance,
  type Departure,
  isPast,
  isSame,
  joinAt,
  type Membership,
  type MembershipState,
  type Register,
  type Registers,
} from './membership.ts';
import { laterOf, type Position, START } from './position.ts';
import { NO_PREFERENCES } from './preferences.ts';

/** A joining that the service knows of. Times are milliseconds since the epoch. */
export interface Joining {
  /** When it happened. */
  readonly at: number;
  /** The position that the member starts after. */
  readonly joinedAfter: Position;
  /** The back end named the start. Otherwise the start was computed from the time of the joining. */
  readonly isGiven?: boolean;
  /** When the service received it. */
  readonly receivedAt: number;
}

/**
 * The state of one user in one group, and the history that places late joinings and departures. The state depends on
 * the order in which they happened, not on the order in which the service receives them.
 */
export interface Belonging {
  readonly state: MembershipState | null;
  /** The latest known departure; null if there was none. */
  readonly leftAt: number | null;
  /** The joinings since then, by time. The membership begins with the first of them. */
  readonly joinings: readonly Joining[];
  /** The last revision of the earlier memberships; null if there was none or its record has expired. */
  readonly lastRevision: number | null;
  /**
   * The newest own message that moved only the own view, since the receipts were hidden; null if there was none. The
   * public watermark does not show it, and a repetition of the message must not move the member again.
   */
  readonly sentHidden: Position | null;
}

export const NO_BELONGING: Belonging = {
  state: null,
  leftAt: null,
  joinings: [],
  lastRevision: null,
  sentHidden: null,
};

/**
 * The most joinings that are kept. A second joining matters only if the departure between the two arrives late, so few
 * are needed. If there are more, the earliest stays, since the membership began with it, and then the latest ones.
 */
const MOST_JOININGS = 10;

/**
 * Returns the same object if the joining changes nothing. At equal times a departure wins over a joining,
 * and the joining with the earlier start wins over the other: a repetition changes nothing, even if
 * messages arrived in between.
 */
export function applyJoining(belonging: Belonging, joining: Joining): Belonging {
  const { state, leftAt, joinings } = belonging;
  if (leftAt !== null && joining.at <= leftAt) return applyEndedJoining(belonging, leftAt);
  const same = joinings.find(({ at }) => at === joining.at);
  if (same && same.joinedAfter <= joining.joinedAfter) return belonging;
  const others = joinings.filter((other) => other !== same);
  const [first = joining, ...later] = [...others, joining].toSorted((a, b) => a.at - b.at);
  const kept = [first, ...later.slice(-(MOST_JOININGS - 1))];
  if (!kept.includes(joining)) return belonging;
  if (state?.kind === 'member' && first !== joining) return { ...belonging, joinings: kept };
  const firstRevision =
    state?.kind === 'member' ? state.firstRevision : revisionAfter(leftAt, belonging.lastRevision);
  return { ...belonging, joinings: kept, state: membershipFrom(state, first, firstRevision, () => true) };
}

/** Returns the same object if the departure changes nothing. */
export function applyDeparture(belonging: Belonging, leftAt: number): Belonging {
  const { state, joinings } = belonging;
  if (belonging.leftAt !== null && leftAt <= belonging.leftAt) return belonging;
  const [first, ...later] = joinings.filter(({ at }) => at > leftAt);
  const joined = first ? [first, ...later] : [];
  const left = { ...belonging, leftAt, joinings: joined };
  if (state?.kind !== 'member') return { ...left, state: departure(state, leftAt) };
  const lastRevision = state.self.revision;
  if (!first) return { ...left, lastRevision, sentHidden: null, state: departure(state, leftAt) };
  if (first === joinings[0]) {
    return belonging.lastRevision === null ? left : { ...left, state: raiseRevision(state, leftAt) };
  }
  // A mark made before the service received the joining belongs to the membership that has ended.
  const isOfThisOne = ({ at }: Timed) => at !== null && at > Math.max(first.at, first.receivedAt);
  const firstRevision = revisionAfter(leftAt, lastRevision);
  const next = membershipFrom(state, first, firstRevision, isOfThisOne);
  // It belongs to the preferences that hid the receipts.
  const sentHidden = next.preferences === state.preferences ? belonging.sentHidden : null;
  return { ...left, lastRevision, sentHidden, state: next };
}

/**
 * Applies the deletion of the group: a departure of everybody. What is kept of earlier memberships is deleted too, so each later
 * one starts in a revision that is not below the epoch: clients then take it for the newer one. Returns the same object if
 * that changes nothing. An epoch of 0 means that the group was never deleted.
 */
export function applyEpoch(belonging: Belonging, epoch: number): Belonging {
  if (epoch === 0) return belonging;
  const ended = applyDeparture(belonging, epoch);
  const { state, lastRevision } = ended;
  if (lastRevision !== null) return ended;
  return { ...ended, lastRevision: 0, state: state?.kind === 'member' ? raiseRevision(state, epoch) : state };
}

/**
 * Ends the memberships that began by a time, and those of joinings that the service had received by then, whenever they
 * happened. Returns the same object if that changes nothing.
 */
export function applyErasure(belonging: Belonging, begunAtMs: number): Belonging {
  const received = belonging.joinings.filter(({ receivedAt }) => receivedAt <= begunAtMs);
  return applyDeparture(belonging, Math.max(begunAtMs, ...received.map(({ at }) => at)));
}

/** Whether an erasure that began at a time ends the membership, or a part of it. */
export function isBegunBy({ state, joinings }: Belonging, begunAtMs: number): boolean {
  if (state?.kind !== 'member') return false;
  return state.generation <= begunAtMs || joinings.some(({ receivedAt }) => receivedAt <= begunAtMs);
}

/**
 * Moves a member up to its own message. While its receipts are hidden, notes the message. Returns the same object if that
 * changes nothing.
 */
export function applySending(belonging: Belonging, position: Position, at: number): Belonging {
  const { state } = belonging;
  if (state?.kind !== 'member') return belonging;
  const next = advance(state, position, at);
  const isNoted = state.preferences.hideReceipts && position > sentUpTo(belonging);
  if (isSame(state, next) && !isNoted) return belonging;
  return { ...belonging, state: next, ...(isNoted && { sentHidden: position }) };
}

/** The newest position that sending has moved the member to. A public reading may have moved it there too. */
export function sentUpTo({ state, sentHidden }: Belonging): Position {
  const shown = state?.kind === 'member' ? state.public.position : START;
  return laterOf(shown, sentHidden ?? START);
}

/**
 * Whether a message was sent before a joining that arrived as a fact. With a given start, a message of the same time is
 * before the joining. Without one, the member starts after all messages sent by that time, so it stands at such a
 * message anyway. A member that joined by the route is a member from that call on: times of facts are not compared with
 * it.
 */
export function isSentBefore(sentAtMs: number, { at, receivedAt, isGiven = false }: Joining): boolean {
  const isByFact = receivedAt !== at;
  return isByFact && (isGiven ? sentAtMs <= at : sentAtMs < at);
}

/** A membership that begins with a joining. It keeps the registers of the earlier one that `isOfThisOne` accepts. */
function membershipFrom(
  before: MembershipState | null,
  { at, joinedAfter }: Joining,
  firstRevision: number,
  isOfThisOne: (register: Timed) => boolean,
): Membership {
  const generation = Math.max(at, (before?.generation ?? -1) + 1);
  const start = joinAt(joinedAfter, generation, firstRevision);
  if (before?.kind !== 'member') return start;
  const kept = <R extends Register>(register: R, other: R): R => {
    if (register.at === null || !isOfThisOne(register) || !isPast(register, other)) return other;
    return { ...register, position: laterOf(register.position, other.position) };
  };
  const revision = Math.max(before.self.revision, firstRevision);
  // Typed as all registers: one that is missing here would silently return to its start.
  const registers: Registers = {
    self: kept({ ...before.self, revision }, start.self),
    public: kept(before.public, start.public),
    delivered: kept(before.delivered, start.delivered),
  };
  const preferences = isOfThisOne(before.preferences) ? before.preferences : NO_PREFERENCES;
  return { ...start, ...registers, preferences };
}

/** A register with the time when it last moved. */
type Timed = Pick<Register, 'at'>;

/** The departure has already ended this joining. It still shows that there was a membership before the current one. */
function applyEndedJoining(belonging: Belonging, leftAt: number): Belonging {
  const { state, lastRevision } = belonging;
  if (lastRevision !== null) return belonging;
  const raised = state?.kind === 'member' ? raiseRevision(state, leftAt) : state;
  return { ...belonging, lastRevision: 0, state: raised };
}

function departure(before: MembershipState | null, leftAt: number): Departure {
  return { kind: 'departed', generation: Math.max(leftAt, before?.generation ?? 0) };
}

/**
 * The revision that a membership starts in: 0 for a first one, above the last revision for a later one. It comes from
 * the time of the departure, so it does not depend on the order in which facts arrive.
 */
function revisionAfter(leftAt: number | null, lastRevision: number | null): number {
  return lastRevision === null ? 0 : Math.max(leftAt ?? 0, lastRevision + 1);
}

/** Moves all revisions of a membership above those of an earlier membership, which is now known. */
function raiseRevision(state: Membership, leftAt: number): Membership {
  const firstRevision = Math.max(state.firstRevision, leftAt);
  const revision = firstRevision + state.self.revision - state.firstRevision;
  return { ...state, firstRevision, self: { ...state.self, revision } };
}
