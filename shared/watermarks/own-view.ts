import type { Change, GroupCache, View, Window } from '../cache/group-cache.ts';
import type { GroupId, UserId } from '../domain/ids.ts';
import { isSame, type Membership, merge } from '../domain/membership.ts';
import type { Unread } from '../domain/message.ts';
import { type Position, START } from '../domain/position.ts';
import { headChange, loadWindow } from './message-window.ts';
import type { Stores } from './stores.ts';

/** What one member sees of a group. Without a recorded message there is no head and nothing to count. */
export interface OwnView {
  readonly membership: Membership;
  readonly head: Position | null;
  readonly unread: Unread | null;
}

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
  const told = view && ownViewIn(stores, known, view);
  if (told) return told;
  const filled = view && (await fill(stores, groupId, userId, known, view));
  return (filled && ownViewIn(stores, known, filled)) ?? countInLedger(stores, groupId, userId, known);
}

/** What a view tells by itself; null where it does not tell the unread count of the newest state that is known. */
function ownViewIn({ cache }: Stores, known: Membership, { state, head, window }: View): OwnView | null {
  if (!window || !state || !head) return null;
  const membership = merge(known, state);
  if (membership.kind === 'departed' || !isSame(membership, state)) return null;
  if (head === START) return { membership, head: null, unread: null };
  const unread = unreadIn(cache, membership.self.position, window);
  return unread && { membership, head, unread };
}

/** What a window tells of the messages above a position; null where it should be loaded anew to tell more. */
export function unreadIn({ capacity }: GroupCache, position: Position, window: Window): Unread | null {
  const exact = position >= window.floor;
  if (!exact && isWorn(window.kept, capacity)) return null;
  return { count: window.unread, exact };
}

async function countInLedger(
  { ledger, cache }: Stores,
  groupId: GroupId,
  userId: UserId,
  membership: Membership,
): Promise<OwnView> {
  const [head, above] = await Promise.all([
    ledger.messages.readHead(groupId),
    ledger.messages.newest(groupId, membership.self.position, cache.capacity + 1),
  ]);
  if (!head) return { membership, head, unread: null };
  const live = above.filter(({ deleted }) => !deleted);
  const ofOthers = live.slice(0, cache.capacity).filter(({ senderId }) => senderId !== userId);
  return { membership, head, unread: { count: ofOthers.length, exact: live.length <= cache.capacity } };
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
  if (view.window && membership.self.position >= view.window.floor) {
    const head = view.head ? [] : [headChange(await ledger.messages.readHead(groupId))];
    return cache.mergeFor(groupId, userId, [member, ...head]);
  }
  const loaded = await loadWindow(stores, groupId, membership.self.position);
  return loaded && cache.mergeFor(groupId, userId, [member, ...loaded]);
}
