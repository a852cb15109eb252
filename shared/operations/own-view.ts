import * as change from '../cache/changes.ts';
import type { InboxView, View, Window } from '../cache/replies.ts';
import { type Head, isAfterEpoch } from '../domain/head.ts';
import type { Member } from '../domain/ids.ts';
import { isSame, type Membership, type MembershipState, merge } from '../domain/membership.ts';
import { earlierOf, type Position, START } from '../domain/position.ts';
import { joinTallies, NOTHING_UNREAD, type Unread, unreadOf } from '../domain/unread.ts';
import { loadWindow } from './message-window.ts';
import type { Tidemark } from './tidemark.ts';

/** What one member sees of a group. Without recorded messages nothing is unread. */
export interface OwnView {
  readonly membership: Membership;
  readonly head: Head;
  /**
   * Counts messages up to the head. A message is stored before the head is raised to it: if it counted before, a client that
   * adds the messages above the head would count it twice.
   */
  readonly unread: Unread;
}

/**
 * A window with fewer messages than this share of its capacity is sparse, since messages were deleted. It is loaded
 * again when a caller needs messages below its floor.
 */
const MIN_FILLED_SHARE = 0.9;

export function isSparse(kept: number, capacity: number): boolean {
  return kept < capacity * MIN_FILLED_SHARE;
}

/** Returns the caller's own view, or null if the caller is not a member. One call if the cache holds it. */
export async function readOwnView(tidemark: Tidemark, member: Member): Promise<OwnView | null> {
  const view = await tidemark.cache.read(member);
  const membership = memberIn(view) ?? (await readMember(tidemark, member, view?.head ?? null));
  return membership && completeView(tidemark, member, membership, view);
}

/** The membership that the cache holds. Null for a departure: only the ledger decides that a user is not a member. */
export function memberIn(view: View | null): Membership | null {
  return view?.state?.kind === 'member' ? view.state : null;
}

/**
 * Reads a membership from the ledger. Null if the user is not a member, or was one only before the group was last deleted.
 * `known` is the head of the group; if it is null, the head is read beside the membership.
 */
export async function readMember(
  { ledger }: Tidemark,
  member: Member,
  known: Head | null,
): Promise<Membership | null> {
  const [state, head] = await Promise.all([
    ledger.memberships.read(member),
    known ?? ledger.heads.read(member.groupId),
  ]);
  return currentIn(state, head);
}

/** The membership, if it is one and counts in the group that has this head. */
export function currentIn(state: MembershipState | null, head: Head): Membership | null {
  return state?.kind === 'member' && isAfterEpoch(head, state.generation) ? state : null;
}

/**
 * Completes the cache's view. What the cache lacks is read from the ledger and merged into the cache. `view` is null if
 * the cache did not answer: then this call does not use it again. Null if the group was deleted since the membership began.
 */
export async function completeView(
  tidemark: Tidemark,
  member: Member,
  known: Membership,
  view: View | null,
): Promise<OwnView | null> {
  const own = view && (await ownViewIn(tidemark, member, known, view));
  return own ?? completeFromLedger(tidemark, member, known, view);
}

/** As `completeView`, for a view that does not determine the own view. */
export async function completeFromLedger(
  tidemark: Tidemark,
  member: Member,
  known: Membership,
  cached: InboxView | null,
): Promise<OwnView | null> {
  const filled = cached && (await fill(tidemark, member, known, cached));
  const own = filled && (await ownViewIn(tidemark, member, known, filled));
  return own ?? countInLedger(tidemark, member, known);
}

/**
 * The own view that the cache's view determines; null if it does not determine the unread count of the newest state.
 */
async function ownViewIn(
  tidemark: Tidemark,
  member: Member,
  known: Membership,
  { state, head, window }: View,
): Promise<OwnView | null> {
  if (!window || !state || !head) return null;
  const membership = currentIn(merge(known, state), head);
  if (!membership || !isSame(membership, state)) return null;
  if (head.position === START) return { membership, head, unread: NOTHING_UNREAD };
  const unread = await unreadIn(tidemark, member, membership.self.position, { head, window });
  return unread && { membership, head, unread };
}

/**
 * Counts the unread messages above a position and up to the head: in the cache's window and, if that does not decide, in the
 * ledger below the window. Null if the window is sparse and should be loaded again.
 */
export async function unreadIn(
  { cache, ledger }: Tidemark,
  member: Member,
  position: Position,
  { head, window }: { readonly head: Head; readonly window: Window },
): Promise<Unread | null> {
  const { unreadLimit, capacity } = cache;
  const { floor, unread, kept } = window;
  if (position >= floor || unread.count > unreadLimit) return unreadOf(unread, unreadLimit);
  if (isSparse(kept, capacity)) return null;
  const below = await ledger.messages.countUnread(member, {
    abovePosition: position,
    lastPosition: earlierOf(floor, head.position),
    epoch: head.epoch,
    limit: unreadLimit - unread.count,
  });
  return unreadOf(joinTallies(unread, below.tally), unreadLimit, below.isDecided);
}

async function countInLedger(
  { ledger, cache }: Tidemark,
  member: Member,
  membership: Membership,
): Promise<OwnView | null> {
  const { unreadLimit } = cache;
  const head = await ledger.heads.read(member.groupId);
  if (!currentIn(membership, head)) return null;
  if (head.position === START) return { membership, head, unread: NOTHING_UNREAD };
  const { tally, isDecided } = await ledger.messages.countUnread(member, {
    abovePosition: membership.self.position,
    lastPosition: head.position,
    epoch: head.epoch,
    limit: unreadLimit,
  });
  return { membership, head, unread: unreadOf(tally, unreadLimit, isDecided) };
}

/**
 * Merges the membership into the cache, and the head and the window if they are missing or if the window does not reach
 * far enough.
 */
async function fill(
  tidemark: Tidemark,
  member: Member,
  membership: Membership,
  { head, window }: InboxView,
): Promise<View | null> {
  const { cache, ledger } = tidemark;
  const { groupId, userId } = member;
  const known = change.member(userId, membership);
  if (window && (membership.self.position >= window.floor || !isSparse(window.kept, cache.capacity))) {
    const lacking = head ? [] : [change.head(await ledger.heads.read(groupId))];
    return cache.mergeFor(member, [...lacking, known]);
  }
  const loaded = await loadWindow(tidemark, groupId, membership.self.position);
  return loaded && cache.mergeFor(member, [...loaded, known]);
}
