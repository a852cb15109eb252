import type { GroupId, UserId } from '../domain/ids.ts';
import type { Position } from '../domain/position.ts';
import { type MembershipMode, moveForward } from './move-forward.ts';
import type { Stores } from './stores.ts';

export interface Delivered {
  readonly position: Position;
  readonly advanced: boolean;
  readonly clamped: boolean;
}

/** Marks a group delivered up to a message, with the same calls as `markRead`. Null if the user is not a member. */
export async function markDelivered(
  stores: Stores,
  groupId: GroupId,
  userId: UserId,
  position: Position,
  mode: MembershipMode,
): Promise<Delivered | null> {
  const mark = { position, kind: 'delivered', ifRevision: null } as const;
  const moved = await moveForward(stores, groupId, userId, mode, [mark]);
  return (
    moved && {
      position: moved.membership.delivered.position,
      advanced: moved.changed,
      clamped: moved.outcomes.some(({ clamped }) => clamped),
    }
  );
}
