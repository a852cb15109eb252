import type { UserId } from './ids.ts';
import { advance, deliver, isSame, type Membership } from './membership.ts';
import { END, earlierOf, type Position, START } from './position.ts';

const MARK_KINDS = ['read', 'private', 'delivered'] as const;

/** What a mark moves: what all may see, the own view alone, or what was delivered alone. */
export type MarkKind = (typeof MARK_KINDS)[number];

export function parseMarkKind(value: unknown): MarkKind | null {
  return MARK_KINDS.find((kind) => kind === value) ?? null;
}

/** A mark as a member makes it. */
export interface Mark {
  readonly position: Position;
  readonly kind: MarkKind;
  /** The revision of the own view that the member knows. Where it is not the current one, the own view stays. */
  readonly ifRevision: number | null;
}

/** A mark beyond the head, and the membership and revision that it was made in. */
export interface EarlyMark {
  readonly userId: UserId;
  readonly position: Position;
  readonly generation: number;
  readonly revision: number;
  readonly kind: MarkKind;
}

/** What became of one mark. */
export interface MarkOutcome {
  /** It moved a register. */
  readonly moved: boolean;
  /** Its `ifRevision` was not the current revision. */
  readonly isConflict: boolean;
  readonly clamped: boolean;
  /** Where the register then stands that the mark is about: `delivered`, or the own view. */
  readonly position: Position;
  readonly revision: number;
}

/**
 * The position that a mark counts as. Nothing beyond the head can be marked. Where no message is recorded any id can,
 * but the largest one: it means "everything", and there is nothing.
 */
export function clampTo(head: Position | null, position: Position): Position {
  if (head) return earlierOf(position, head);
  return position === END ? START : position;
}

/** Applies marks one after the other. */
export function applyMarks(
  membership: Membership,
  marks: readonly Mark[],
  clamp: (position: Position) => Position,
  at: number,
): { readonly membership: Membership; readonly outcomes: readonly MarkOutcome[] } {
  let current = membership;
  const outcomes = marks.map((mark): MarkOutcome => {
    const position = clamp(mark.position);
    const next = applyMark(current, { ...mark, position }, at);
    const moved = !isSame(current, next);
    current = next;
    const reached = mark.kind === 'delivered' ? next.delivered : next.self;
    return {
      moved,
      isConflict: mark.ifRevision !== null && mark.ifRevision !== next.self.revision,
      clamped: position !== mark.position,
      position: reached.position,
      revision: next.self.revision,
    };
  });
  return { membership: current, outcomes };
}

function applyMark(membership: Membership, { position, kind, ifRevision }: Mark, at: number): Membership {
  if (kind === 'delivered') return deliver(membership, position, at);
  return advance(membership, position, at, { isPrivate: kind === 'private', ifRevision });
}

/** Makes early marks of one member good, each in the membership and revision it was made in alone. */
export function makeGood(membership: Membership, marks: readonly EarlyMark[], at: number): Membership {
  const still = marks.filter(({ generation }) => generation === membership.generation);
  const made = still.map(({ position, kind, revision }) => ({ position, kind, ifRevision: revision }));
  return applyMarks(membership, made, (position) => position, at).membership;
}
