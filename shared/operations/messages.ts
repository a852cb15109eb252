import { type Change, memberChanges } from '../cache/group-cache.ts';
import type { GroupId, UserId } from '../domain/ids.ts';
import { inParallel } from '../domain/in-parallel.ts';
import { loggedError } from '../domain/logged-error.ts';
import { type EarlyMark, makeGood } from '../domain/mark.ts';
import type { MembershipState } from '../domain/membership.ts';
import type { Position } from '../domain/position.ts';
import type { Stores } from './stores.ts';

export interface Sent {
  readonly groupId: GroupId;
  readonly position: Position;
  readonly senderId: UserId;
  /** Milliseconds since the epoch; now, where it is not given. */
  readonly sentAtMs?: number | undefined;
  /** A fact may be heard late: a sender moves to its message only where it was a member when the message was sent. */
  readonly isFact?: boolean;
}

export type Recorded =
  | { readonly outcome: 'recorded' | 'known'; readonly head: Position }
  /** The message is known under another sender. Nothing has changed. */
  | { readonly outcome: 'conflict' };

/** Memberships written at once when early marks are made good. */
const CONCURRENT_MARKS = 20;

/** So many times due marks are taken out of the cache for one message. What is left waits for the next one. */
const MOST_ROUNDS = 10;

/**
 * Records a message: first the message itself, since it may be known under another sender, then side by side the head
 * and the sender's own watermark, then the cache. Each is right by itself and done again by a repetition, so a failure
 * between them heals with the caller's retry.
 */
export async function recordMessage(
  stores: Stores,
  { groupId, position, senderId, sentAtMs, isFact = false }: Sent,
): Promise<Recorded> {
  const { ledger, cache, nowMs } = stores;
  const now = nowMs();
  const sentAt = sentAtMs ?? now;
  const { message, known } = await ledger.messages.record(groupId, position, senderId, sentAt, now);
  if (message.senderId !== senderId) return { outcome: 'conflict' };
  const [head, sender] = await Promise.all([
    ledger.messages.raiseHead(groupId, position),
    ledger.memberships.advanceSender(senderId, groupId, position, now, {
      sentAtMs: isFact ? sentAt : null,
      isRepeated: known,
    }),
  ]);
  const changes: Change[] = [
    { kind: 'message', message },
    { kind: 'head', position: head },
  ];
  if (sender) changes.push({ kind: 'member', userId: senderId, state: sender });
  const due = await cache.mergeRecorded(groupId, changes);
  await makeDueGood(stores, groupId, due ?? []);
  return { outcome: known ? 'known' : 'recorded', head };
}

/** Makes marks good that overtook their message, as far as can be: the message is recorded whatever becomes of them. */
async function makeDueGood(
  stores: Stores,
  groupId: GroupId,
  due: readonly EarlyMark[],
  round = 1,
): Promise<void> {
  if (due.length === 0) return;
  const { ledger, cache, nowMs } = stores;
  try {
    const marks = Map.groupBy(due, ({ userId }) => userId);
    const known = await ledger.memberships.readMany([...marks.keys()], groupId);
    const states = await inParallel([...known], CONCURRENT_MARKS, async ([userId, believed]) => {
      const at = nowMs();
      const good = (current: MembershipState | null) =>
        current?.kind === 'member' ? makeGood(current, marks.get(userId) ?? [], at) : current;
      const { state } = await ledger.memberships.change(userId, groupId, good, believed);
      return [userId, state ?? believed] as const;
    });
    const more = await cache.mergeRecorded(groupId, memberChanges(states));
    if (round < MOST_ROUNDS) await makeDueGood(stores, groupId, more ?? [], round + 1);
  } catch (error) {
    console.warn({
      message: 'marks that overtook their message were not made good',
      groupId,
      error: loggedError(error),
    });
  }
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
