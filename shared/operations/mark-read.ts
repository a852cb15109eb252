import type { Member } from '../domain/ids.ts';
import { PLAIN_READING, type Reading } from '../domain/membership.ts';
import type { Position } from '../domain/position.ts';
import { moveForward } from './move-forward.ts';
import { completeView, type OwnView } from './own-view.ts';
import type { Tidemark } from './tidemark.ts';

export interface Marked {
  readonly view: OwnView;
  /** This mark moved a register. */
  readonly advanced: boolean;
  /** The mark was beyond the head and counts as a mark of the head. */
  readonly clamped: boolean;
  /** `ifRevision` was not the current revision, so the own view did not move. */
  readonly isConflict: boolean;
}

/**
 * Marks a group read up to a message: a read of the cache, a write of the ledger, a merge into the cache, each one
 * call. If the cache already holds the mark, the read is the only call. When this returns, the ledger holds the mark.
 * Returns null if the user is not a member. Throws `unavailable` if the ledger does not accept the write.
 */
export async function markRead(
  tidemark: Tidemark,
  member: Member,
  position: Position,
  { isPrivate, ifRevision }: Reading = PLAIN_READING,
): Promise<Marked | null> {
  const mark = { position, kind: isPrivate ? 'private' : 'read', ifRevision } as const;
  const moved = await moveForward(tidemark, member, [mark]);
  if (!moved) return null;
  const view = await completeView(tidemark, member, moved.membership, moved.view);
  if (!view) return null;
  const [outcome] = moved.outcomes;
  if (!outcome) throw new Error('a mark has no outcome');
  return { view, advanced: moved.changed, clamped: outcome.clamped, isConflict: outcome.isConflict };
}
