import type { GroupId, UserId } from '../domain/ids.ts';
import { PLAIN_READING, type Reading } from '../domain/membership.ts';
import type { Position } from '../domain/position.ts';
import { type MembershipMode, moveForward } from './move-forward.ts';
import { completeView, type OwnView } from './own-view.ts';
import type { Stores } from './stores.ts';

export interface Marked {
  readonly view: OwnView;
  /** This mark moved a register. */
  readonly advanced: boolean;
  /** The mark was beyond the head, and counts as one of the head. */
  readonly clamped: boolean;
  /** `ifRevision` was not the current revision, so that the own view did not move. */
  readonly isConflict: boolean;
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
  position: Position,
  mode: MembershipMode,
  { isPrivate, ifRevision }: Reading = PLAIN_READING,
): Promise<Marked | null> {
  const mark = { position, kind: isPrivate ? 'private' : 'read', ifRevision } as const;
  const moved = await moveForward(stores, groupId, userId, mode, [mark]);
  if (!moved) return null;
  const view = await completeView(stores, groupId, userId, moved.membership, moved.view);
  const [outcome] = moved.outcomes;
  if (!outcome) throw new Error('a mark has no outcome');
  return { view, advanced: moved.changed, clamped: outcome.clamped, isConflict: outcome.isConflict };
}
