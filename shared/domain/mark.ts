import type { UserId } from './ids.ts';
import { advance, deliver, isSame, type Membership } from './membership.ts';
import { END, earlierOf, type Position, START } from './position.ts';

const MARK_KINDS = ['read', 'private', 'delivered'] as const;

/** What a mark moves. `read`: all registers. `private`: only the own view. `delivered`: only the delivered register. */
export type MarkKind = (typeof MARK_KINDS)[number];

export function parseMarkKind(value: unknown): MarkKind | null {
  return MARK_KINDS.find((kind) => kind === value) ?? null;
}

/** A mark as the member sent it. */
export interface Mark {
  readonly position: Position;
  readonly kind: MarkKind;
  /**
   * The revision of the own view that the client knows. If it is not the current one, the
   * own view stays. Null for any.
   */
  readonly ifRevision: number | null;
}

/** A mark beyond the head, with the membership and the revision that it was made in. */
export interface EarlyMark {
  readonly userId: UserId;
  readonly position: Position;
  readonly generation: number;
  readonly revision: number;
  readonly kind: MarkKind;
}

/** The result of one mark. */
export interface MarkOutcome {
  /** It moved a register. */
  readonly moved: boolean;
  /** Its `ifRevision` was not the current revision. */
  readonly isConflict: boolean;
  readonly clamped: boolean;
  /** The position of the marked register afterwards: `delivered` for a delivered mark, otherwise the own view. */
  readonly position: Position;
  readonly revision: number;
}

/**
 * The position that a mark counts as. Nothing beyond the head can be marked. In a group without recorded messages every
 * id can be marked except the largest: it means "everything", and no message is known that it could stand for.
 */
export function clampTo(head: Position, position: Position): Position {
  if (head !== START) return earlierOf(position, head);
  return position === END ? START : position;
}

/** Applies marks one after the other. Returns the membership, and one outcome for each mark in their order. */
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

/** Applies the early marks of one member. Each counts only in the membership and the revision that it was made in. */
export function applyEarlyMarks(membership: Membership, marks: readonly EarlyMark[], at: number): Membership {
  const still = marks.filter(({ generation }) => generation === membership.generation);
  const made = still.map(({ position, kind, revision }) => ({ position, kind, ifRevision: revision }));
  return applyMarks(membership, made, (position) => position, at).membership;
}
