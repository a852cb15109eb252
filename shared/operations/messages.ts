import * as change from '../cache/changes.ts';
import type { GroupId, UserId } from '../domain/ids.ts';
import { inParallel } from '../domain/in-parallel.ts';
import { loggedError } from '../domain/logged-error.ts';
import { applyEarlyMarks, type EarlyMark } from '../domain/mark.ts';
import type { MembershipState } from '../domain/membership.ts';
import type { Position } from '../domain/position.ts';
import { dueItem } from '../ledger/due.ts';
import { advanceSender } from './own-messages.ts';
import type { Tidemark } from './tidemark.ts';

export interface Sent {
  readonly groupId: GroupId;
  readonly position: Position;
  readonly senderId: UserId;
  /** Milliseconds since the epoch; now if it is not given. */
  readonly sentAtMs?: number | undefined;
  /** How long after `sentAtMs` its unread readers are named in events; never if it is not given. */
  readonly remindAfterSeconds?: number | undefined;
  /** A fact may arrive late: its sender moves to the message only if it was a member when the message was sent. */
  readonly isFact?: boolean;
}

export type Recorded =
  | { readonly outcome: 'recorded' | 'known'; readonly head: Position }
  /** The message is known under another sender. Nothing has changed. */
  | { readonly outcome: 'conflict' };

/** Memberships written at the same time when early marks are applied. */
const CONCURRENT_MARKS = 20;

/** One message takes due marks out of the cache at most this often. The rest waits for the next message. */
const MOST_ROUNDS = 10;

/**
 * Records a message. First comes the message itself, since it may be known under another sender; then, in parallel, the
 * head and the sender's watermark; then the cache. Each step is correct alone and repeatable, so the caller's retry
 * completes what a failure interrupted.
 */
export async function recordMessage(
  tidemark: Tidemark,
  { groupId, position, senderId, sentAtMs, remindAfterSeconds, isFact = false }: Sent,
): Promise<Recorded> {
  const { ledger, cache, nowMs } = tidemark;
  const now = nowMs();
  const sentAt = sentAtMs ?? now;
  const reminder = remindAfterSeconds ? dueItem(groupId, position, sentAt + remindAfterSeconds * 1_000) : {};
  const { message, known } = await ledger.messages.record(
    ...([groupId, position, senderId, sentAt, now, reminder] as const),
  );
  if (message.senderId !== senderId) return { outcome: 'conflict' };
  const [head, sender] = await Promise.all([
    ledger.messages.raiseHead(groupId, position),
    advanceSender(tidemark, { groupId, userId: senderId }, position, {
      sentAtMs: isFact ? sentAt : null,
      isRepeated: known,
    }),
  ]);
  const changes = [change.message(message), change.head(head)];
  if (sender) changes.push(change.member(senderId, sender));
  const due = await cache.mergeRecorded(groupId, changes);
  await applyDueMarks(tidemark, groupId, due ?? []);
  return { outcome: known ? 'known' : 'recorded', head };
}

/** Applies marks that overtook their message, best effort: the message is recorded even if this fails. */
async function applyDueMarks(
  tidemark: Tidemark,
  groupId: GroupId,
  due: readonly EarlyMark[],
  round = 1,
): Promise<void> {
  if (due.length === 0) return;
  const { ledger, cache, nowMs } = tidemark;
  try {
    const marks = Map.groupBy(due, ({ userId }) => userId);
    const known = await ledger.memberships.readMany(groupId, [...marks.keys()]);
    const states = await inParallel([...known], CONCURRENT_MARKS, async ([userId, expected]) => {
      const at = nowMs();
      const forward = (current: MembershipState | null) =>
        current?.kind === 'member' ? applyEarlyMarks(current, marks.get(userId) ?? [], at) : current;
      const { state } = await ledger.memberships.change({ groupId, userId }, forward, expected);
      return [userId, state ?? expected] as const;
    });
    const more = await cache.mergeRecorded(groupId, change.members(states));
    if (round < MOST_ROUNDS) await applyDueMarks(tidemark, groupId, more ?? [], round + 1);
  } catch (error) {
    console.warn({
      message: 'marks that overtook their message were not applied',
      groupId,
      error: loggedError(error),
    });
  }
}

/** Deletes a message, whether or not it is known yet. The head stays. */
export async function deleteMessage(
  { ledger, cache, nowMs }: Tidemark,
  groupId: GroupId,
  position: Position,
): Promise<void> {
  await ledger.messages.delete(groupId, position, nowMs());
  await cache.merge(groupId, [change.deleted(position)]);
}
