import type { GroupId, UserId } from '../domain/ids.ts';
import { advance, isSame, type MembershipState } from '../domain/membership.ts';
import type { Position } from '../domain/position.ts';
import { join } from './members.ts';
import { completeView, memberIn, type OwnView, readMember } from './own-view.ts';
import type { Stores } from './stores.ts';

/** Who may mark: `strict` is members alone; in `open` a user's first mark makes them a member. */
export type MembershipMode = 'strict' | 'open';

export interface Marked {
  readonly view: OwnView;
  /** This mark moved the watermark. */
  readonly advanced: boolean;
  /** The mark was beyond the head, and counts as one of the head. */
  readonly clamped: boolean;
}

/**
 * Marks a group read up to a message: cache read, ledger write, cache merge, each one call. Where the cache already
 * stands there, the first call is the last. Null where the user is no member. Once this returns, the ledger holds
 * the mark; it throws `unavailable` where the ledger would not take it.
 */
export async function markRead(
  stores: Stores,
  groupId: GroupId,
  userId: UserId,
  requested: Position,
  mode: MembershipMode,
): Promise<Marked | null> {
  const { ledger, cache, nowMs } = stores;
  const seen = await cache.read(groupId, userId);
  const [position, known] = await Promise.all([
    clamp(stores, groupId, requested, seen?.head ?? null),
    memberIn(seen) ?? readMember(stores, groupId, userId),
  ]);
  const clamped = position !== requested;
  const believed = known ?? (mode === 'open' ? await join(stores, groupId, userId) : null);
  if (!believed) return null;

  const at = nowMs();
  const forward = (current: MembershipState | null) =>
    current?.kind === 'member' ? advance(current, position, at) : current;
  if (isSame(believed, advance(believed, position, at))) {
    const view = await completeView(stores, groupId, userId, believed, seen);
    return { view, advanced: false, clamped };
  }
  const { state, changed } = await ledger.memberships.change(userId, groupId, forward, believed);
  if (state?.kind !== 'member') {
    return mode === 'open' && known ? markRead(stores, groupId, userId, requested, mode) : null;
  }
  // Told also where it did not answer before: it may be back, and another instance may read from it by now.
  const merged = await cache.mergeFor(groupId, userId, [{ kind: 'member', userId, state }]);
  const view = await completeView(stores, groupId, userId, state, merged);
  return { view, advanced: changed, clamped };
}

/**
 * The position that a mark counts as. A position at or below the cached head is one below the true head too; any
 * other is compared with the ledger's, since a clamp made from an old head could not be taken back.
 */
async function clamp(
  { ledger }: Stores,
  groupId: GroupId,
  requested: Position,
  cachedHead: Position | null,
): Promise<Position> {
  if (cachedHead && requested <= cachedHead) return requested;
  const head = await ledger.messages.readHead(groupId);
  return head && requested > head ? head : requested;
}
