import type { Member } from '../domain/ids.ts';
import type { Position } from '../domain/position.ts';
import { moveForward } from './move-forward.ts';
import type { Tidemark } from './tidemark.ts';

export interface Delivered {
  readonly position: Position;
  readonly advanced: boolean;
  readonly clamped: boolean;
}

/** Marks a group delivered up to a message, with the same calls as `markRead`. Null if the user is not a member. */
export async function markDelivered(
  tidemark: Tidemark,
  member: Member,
  position: Position,
): Promise<Delivered | null> {
  const mark = { position, kind: 'delivered', ifRevision: null } as const;
  const moved = await moveForward(tidemark, member, [mark]);
  return (
    moved && {
      position: moved.membership.delivered.position,
      advanced: moved.changed,
      clamped: moved.outcomes.some(({ clamped }) => clamped),
    }
  );
}
