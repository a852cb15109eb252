import type { Change, View, Window } from '../cache/group-cache.ts';
import type { GroupId, UserId } from '../domain/ids.ts';
import { isSame, type Membership, merge } from '../domain/membership.ts';
import type { Unread } from '../domain/message.ts';
import { type Position, START } from '../domain/position.ts';
import { headChange, loadWindow } from './message-window.ts';
import type { Stores } from './stores.ts';

/** What one member sees of a group. Without a recorded message there is no head, and nothing is unread. */
export interface OwnView {
  readonly membership: Membership;
  readonly head: Position | null;
  readonly unread: Unread;
}

export const NOTHING_UNREAD: Unread = { count: 0, exact: true };

/** A window that could hold so much more is loaded anew for who asks for what is below it. */
const WORN_SHARE = 0.9;

export function isWorn(kept: number, capacity: number): boolean {
  return kept < capacity * WORN_SHARE;
}

/** The caller's own view, or null where the caller is no member. One call where the cache holds it. */
export async function lookAt(stores: Stores, groupId: GroupId, userId: UserId): Promise<OwnView | null> {
  const view = await stores.cache.read(groupId, userId);
  const membership = memberIn(view) ?? (await readMember(stores, groupId, userId));
  return membership && completeView(stores, groupId, userId, membership, view);
}

/** The membership that the cache holds. A departure there is no answer: only the ledger turns anyone away. */
export function memberIn(view: View | null): Membership | null {
  return view?.state?.kind === 'member' ? view.state : null;
}

export async function readMember(
  { ledger }: Stores,
  groupId: GroupId,
  userId: UserId,
): Promise<Membership | null> {
  const state = await ledger.memberships.read(userId, groupId);
  return state?.kind === 'member' ? state : null;
}

/**
 * Completes what the cache told, from the ledger where the cache lacks something, and lets the cache have it.
 * `view` is null where the cache did not answer: then it is not asked again in this call.
 */
export async function completeView(
  stores: Stores,
  groupId: GroupId,
  userId: UserId,
  known: Membership,
  view: View | null,
): Promise<OwnView> {
  const told = view && (await ownViewIn(stores, groupId, userId, known, view));
  if (told) return told;
  const filled = view && (await fill(stores, groupId, userId, known, view));
  const complete = filled && (await ownViewIn(stores, groupId, userId, known, filled));
  return complete ?? countInLedger(stores, groupId, userId, known);
}

/** What a view tells; null where it does not tell the unread count of the newest state that is known. */
async function ownViewIn(
  stores: Stores,
  groupId: GroupId,
  userId: UserId,
  known: Membership,
  { state, head, window }: View,
): Promise<OwnView | null> {
  if (!window || !state || !head) return null;
  const membership = merge(known, state);
  if (membership.kind === 'departed' || !isSame(membership, state)) return null;
  if (head === START) return { membership, head: null, unread: NOTHING_UNREAD };
  const unread = await unreadIn(stores, groupId, userId, membership.self.position, window);
  return unread && { membership, head, unread };
}

/**
 * What is unread above a position, by what the cache keeps and, where that does not decide, by the ledger below it.
 * Null where the window should be loaded anew, since it has lost much of what it kept.
 */
export async function unreadIn(
  { cache, ledger }: Stores,
  groupId: GroupId,
  userId: UserId,
  position: Position,
  window: Window,
): Promise<Unread | null> {
  const { unreadLimit, capacity } = cache;
  if (position >= window.floor || window.unread > unreadLimit) return atMost(unreadLimit, window.unread);
  if (isWorn(window.kept, capacity)) return null;
  const { count, isDecided } = await ledger.messages.countOfOthers(groupId, userId, {
    above: position,
    upTo: window.floor,
    enough: unreadLimit + 1 - window.unread,
  });
  return unreadOf(unreadLimit, window.unread + count, isDecided);
}

async function countInLedger(
  { ledger, cache }: Stores,
  groupId: GroupId,
  userId: UserId,
  membership: Membership,
): Promise<OwnView> {
  const { unreadLimit } = cache;
  const [head, { count, isDecided }] = await Promise.all([
    ledger.messages.readHead(groupId),
    ledger.messages.countOfOthers(groupId, userId, {
      above: membership.self.position,
      enough: unreadLimit + 1,
    }),
  ]);
  return { membership, head, unread: head ? unreadOf(unreadLimit, count, isDecided) : NOTHING_UNREAD };
}

/** A count that is not decided tells that there is something, and no more. */
function unreadOf(limit: number, count: number, isDecided: boolean): Unread {
  return isDecided ? atMost(limit, count) : { count: Math.min(Math.max(count, 1), limit), exact: false };
}

function atMost(limit: number, count: number): Unread {
  return { count: Math.min(count, limit), exact: count <= limit };
}

/** Gives the cache the membership and what else it lacks: the head, the window where it has none that tells enough. */
async function fill(
  stores: Stores,
  groupId: GroupId,
  userId: UserId,
  membership: Membership,
  view: View,
): Promise<View | null> {
  const { cache, ledger } = stores;
  const member: Change = { kind: 'member', userId, state: membership };
  const { window } = view;
  if (window && (membership.self.position >= window.floor || !isWorn(window.kept, cache.capacity))) {
    const head = view.head ? [] : [headChange(await ledger.messages.readHead(groupId))];
    return cache.mergeFor(groupId, userId, [member, ...head]);
  }
  const loaded = await loadWindow(stores, groupId, membership.self.position);
  return loaded && cache.mergeFor(groupId, userId, [member, ...loaded]);
}
