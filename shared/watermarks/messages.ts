import type { Change } from '../cache/group-cache.ts';
import type { GroupId, UserId } from '../domain/ids.ts';
import type { Position } from '../domain/position.ts';
import type { Stores } from './stores.ts';

export interface Sent {
  readonly groupId: GroupId;
  readonly position: Position;
  readonly senderId: UserId;
  /** Milliseconds since the epoch; now, where it is not given. */
  readonly sentAtMs?: number | undefined;
}

/**
 * Records a message: the message itself, the head and the sender's own watermark, side by side, then the cache.
 * Each is right by itself and done again by a repetition, so a failure between them heals with the caller's retry.
 */
export async function recordMessage(
  { ledger, cache, nowMs }: Stores,
  { groupId, position, senderId, sentAtMs }: Sent,
): Promise<{ readonly head: Position; readonly known: boolean }> {
  const now = nowMs();
  const [{ message, known }, head, sender] = await Promise.all([
    ledger.messages.record(groupId, position, senderId, sentAtMs ?? now, now),
    ledger.messages.raiseHead(groupId, position),
    ledger.memberships.advanceSender(senderId, groupId, position, now),
  ]);
  const changes: Change[] = [
    { kind: 'message', message },
    { kind: 'head', position: head },
  ];
  if (sender) changes.push({ kind: 'member', userId: senderId, state: sender });
  await cache.merge(groupId, changes);
  return { head, known };
}

/** Deletes a message, whether it is known yet or not. The head stays where it is. */
export async function deleteMessage(
  { ledger, cache, nowMs }: Stores,
  groupId: GroupId,
  position: Position,
): Promise<void> {
  await ledger.messages.delete(groupId, position, nowMs());
  await cache.merge(groupId, [{ kind: 'message', message: { position, senderId: null, deleted: true } }]);
}
