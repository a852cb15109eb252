import * as change from '../cache/changes.ts';
import type { View } from '../cache/replies.ts';
import type { Head } from '../domain/head.ts';
import type { GroupId, Member, UserId } from '../domain/ids.ts';
import { applyMarks, clampTo, type Mark, type MarkOutcome } from '../domain/mark.ts';
import { isSame, type Membership, type MembershipState } from '../domain/membership.ts';
import { END, laterOf, type Position } from '../domain/position.ts';
import { join } from './members.ts';
import { currentIn, memberIn, readMember } from './own-view.ts';
import type { Tidemark } from './tidemark.ts';

export interface Moved {
  readonly membership: Membership;
  readonly changed: boolean;
  /** One for each mark, in their order. */
  readonly outcomes: readonly MarkOutcome[];
  /** The cache's last reply; null if it did not answer. */
  readonly view: View | null;
}

/** How marks are written: the position that a requested one counts as, and the head by which it does. */
interface Clamp {
  readonly positionOf: (position: Position) => Position;
  readonly head: Head;
}

/** Positions count as they are. */
export function asked(head: Head): Clamp {
  return { positionOf: (position) => position, head };
}

/** Positions count up to the head at most. */
function clampedTo(head: Head): Clamp {
  return { positionOf: (position) => clampTo(head.position, position), head };
}

/** Applies marks to a membership, one after the other, in one write. Null if the user is not a member. */
export async function moveForward(
  tidemark: Tidemark,
  member: Member,
  marks: readonly Mark[],
): Promise<Moved | null> {
  const { cache, mode } = tidemark;
  const { groupId, userId } = member;
  const view = await cache.read(member, marks.map(({ position }) => position).reduce(laterOf));
  const cached = memberIn(view);
  const isTrusted = cached !== null && marks.every(({ ifRevision }) => isRevision(cached, ifRevision));
  const [{ clamp, headChanges }, known] = await Promise.all([
    clampFor(tidemark, groupId, marks, view?.head ?? null),
    isTrusted ? cached : tidemark.ledger.memberships.read(member),
  ]);
  let expected = currentIn(known, clamp.head);
  // The second attempt is for a user who had left, unknown to the cache: in an open group the mark makes it a member
  // again.
  for (let attempt = 0; attempt < 2; attempt += 1) {
    expected ??= mode === 'open' ? await join(tidemark, member) : null;
    if (!expected) return null;
    const written = await writeMarks(tidemark, member, expected, marks, clamp, isTrusted);
    if (written) {
      const { membership, changed, outcomes } = written;
      const early = earlyMarks(userId, membership, marks, outcomes);
      if (!changed && early.length === 0 && (isTrusted || !view)) return { ...written, view };
      // Merges even if the cache did not answer before: it may be back, and other instances may already read from it.
      const merged = await cache.mergeFor(member, [
        ...headChanges,
        change.member(userId, membership),
        ...early,
      ]);
      return applyOvertaken(tidemark, member, marks, { ...written, view: merged });
    }
    expected = null;
  }
  return null;
}

function isRevision({ self }: Membership, ifRevision: number | null): boolean {
  return ifRevision === null || ifRevision === self.revision;
}

/**
 * Writes the marks to the ledger, if they move anything. Null if the ledger no longer holds a membership. If nothing moves
 * and `known` is the cache's copy, reads the member from the ledger for a mark that may be early: the copy may be old, and
 * a mark of hidden receipts must be noted as private.
 */
export async function writeMarks(
  tidemark: Tidemark,
  member: Member,
  known: Membership,
  marks: readonly Mark[],
  clamp: Clamp,
  isCached: boolean,
): Promise<Omit<Moved, 'view'> | null> {
  const { ledger, nowMs } = tidemark;
  const at = nowMs();
  let expected = known;
  const { positionOf, head } = clamp;
  let applied = applyMarks(expected, marks, positionOf, at);
  if (isCached && isSame(expected, applied.membership) && isReadEarly(marks, applied.outcomes)) {
    const current = await readMember(tidemark, member, head);
    if (!current) return null;
    expected = current;
    applied = applyMarks(expected, marks, positionOf, at);
  }
  if (isSame(expected, applied.membership)) {
    return { membership: expected, changed: false, outcomes: applied.outcomes };
  }
  const forward = (current: MembershipState | null) => {
    if (current?.kind !== 'member') return current;
    applied = applyMarks(current, marks, positionOf, at);
    return applied.membership;
  };
  // That the registers were below their new positions shows that one mark moved them, but not which of several did.
  const isExact = marks.length > 1 || applied.outcomes.some(({ isConflict }) => isConflict);
  const { state, changed } = await ledger.memberships.change(member, forward, expected, { isExact });
  return state?.kind === 'member' ? { membership: state, changed, outcomes: applied.outcomes } : null;
}

/**
 * Returns the clamp for the marks, and a head read from the ledger as a change for the cache. A position at or below
 * the cached head is also at or below the true head. Any other is compared with the head in the ledger: the cached
 * head may be old, and a mark clamped to it could not be undone.
 */
async function clampFor(
  { ledger }: Tidemark,
  groupId: GroupId,
  marks: readonly Mark[],
  cachedHead: Head | null,
): Promise<{ readonly clamp: Clamp; readonly headChanges: readonly change.Change[] }> {
  if (cachedHead && marks.every(({ position }) => position <= cachedHead.position)) {
    return { clamp: asked(cachedHead), headChanges: [] };
  }
  const head = await ledger.heads.read(groupId);
  return { clamp: clampedTo(head), headChanges: [change.head(head)] };
}

/**
 * Whether a mark may have overtaken its message: it was clamped. The largest id means "everything", and everything is read
 * already.
 */
function mayBeEarly({ position }: Mark, outcome: MarkOutcome | undefined): boolean {
  return outcome?.clamped === true && position !== END;
}

function isReadEarly(marks: readonly Mark[], outcomes: readonly MarkOutcome[]): boolean {
  return marks.some((mark, index) => mark.kind === 'read' && mayBeEarly(mark, outcomes[index]));
}

/**
 * The marks that may have overtaken their message, for the cache to keep. They are applied when it is recorded. A mark
 * made while the receipts are hidden stays private, even if they are shown by then.
 */
function earlyMarks(
  userId: UserId,
  { generation, self, preferences }: Membership,
  marks: readonly Mark[],
  outcomes: readonly MarkOutcome[],
): change.Change[] {
  return marks
    .filter((mark, index) => mayBeEarly(mark, outcomes[index]))
    .map(({ position, kind: asked, ifRevision }) => {
      const kind = asked === 'read' && preferences.hideReceipts ? 'private' : asked;
      return change.early({ userId, position, generation, revision: ifRevision ?? self.revision, kind });
    });
}

/**
 * Applies the marks again if the message of a clamped one was recorded in the meantime, before the cache kept the mark: the
 * merge then returned a head at or above it. All marks are applied, since their outcomes must be of one moment.
 */
async function applyOvertaken(
  tidemark: Tidemark,
  member: Member,
  marks: readonly Mark[],
  moved: Moved,
): Promise<Moved> {
  const head = moved.view?.head ?? null;
  const isDue = (mark: Mark, index: number) =>
    head !== null && mark.position <= head.position && mayBeEarly(mark, moved.outcomes[index]);
  if (!head || !marks.some(isDue) || !currentIn(moved.membership, head)) return moved;
  const { revision } = moved.membership.self;
  const again = marks.map((mark) => ({ ...mark, ifRevision: mark.ifRevision ?? revision }));
  const written = await writeMarks(tidemark, member, moved.membership, again, clampedTo(head), false);
  if (!written) return moved;
  const { membership } = written;
  const view = await tidemark.cache.mergeFor(member, [change.member(member.userId, membership)]);
  const outcomes = written.outcomes.map((outcome, index) => ({
    ...outcome,
    moved: outcome.moved || moved.outcomes[index]?.moved === true,
    // Another call may have raised the revision meanwhile: that is no conflict for a mark that names none.
    isConflict: outcome.isConflict && marks[index]?.ifRevision !== null,
  }));
  return { membership, changed: moved.changed || written.changed, outcomes, view };
}
