import type { GroupId, UserId } from '../domain/ids.ts';
import { advance, PLAIN_READING, type Reading } from '../domain/membership.ts';
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
  requested: Position,
  mode: MembershipMode,
  reading: Reading = PLAIN_READING,
): Promise<Marked | null> {
  const { ifRevision } = reading;
  const moved = await moveForward(stores, groupId, userId, mode, {
    requested: [requested],
    isDoubtful: ({ self }) => ifRevision !== null && ifRevision !== self.revision,
    apply: (membership, clamp, at) => advance(membership, clamp(requested), at, reading),
  });
  if (!moved) return null;
  const view = await completeView(stores, groupId, userId, moved.membership, moved.view);
  const isConflict = ifRevision !== null && ifRevision !== moved.membership.self.revision;
  return { view, advanced: moved.changed, clamped: moved.clamped, isConflict };
}
