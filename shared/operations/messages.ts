import * as change from '../cache/changes.ts';
import { unavailable } from '../domain/errors.ts';
import { type Head, isAfterEpoch } from '../domain/head.ts';
import type { GroupId, UserId } from '../domain/ids.ts';
import { inParallel } from '../domain/in-parallel.ts';
import { loggedError } from '../domain/logged-error.ts';
import { applyEarlyMarks, type EarlyMark } from '../domain/mark.ts';
import type { MembershipState } from '../domain/membership.ts';
import { countedMentions, type Mentions, type Message } from '../domain/message.ts';
import { laterOf, type Position, START } from '../domain/position.ts';
import { dueItem } from '../ledger/due.ts';
import type { Recording } from '../ledger/messages.ts';
import { advanceSender, type OwnMessages } from './own-messages.ts';
import type { Tidemark } from './tidemark.ts';

export interface Sent {
  readonly groupId: GroupId;
  readonly position: Position;
  readonly senderId: UserId;
  /** Milliseconds since the epoch; now if it is not given. */
  readonly sentAtMs?: number | undefined;
  /** It raises the head, and is never unread. @default false */
  readonly isSilent?: boolean | undefined;
  /** Its sender among them does not count. @default none */
  readonly mentions?: Mentions | undefined;
  /** Whether the sender moves to it. Not so for what is sent in a user's name without the user. @default true */
  readonly advanceSender?: boolean | undefined;
  /** How long after `sentAtMs` events name who has not read it. Never if it is silent. @default never */
  readonly remindAfterSeconds?: number | undefined;
}

/** A message that one call records. */
export interface SentAlone extends Sent {
  /**
   * A fact may arrive late: its sender moves to the message only if it was a member when the message was sent. A message sent
   * up to the epoch changes nothing.
   */
  readonly isFact?: boolean;
}

export type Recorded =
  | { readonly outcome: 'recorded' | 'known'; readonly head: Position }
  /** The message is known under another sender. Nothing has changed. */
  | { readonly outcome: 'conflict' };

/** Messages of one group that are written at the same time. */
const CONCURRENT_MESSAGES = 10;

/** Memberships written at the same time when early marks are applied. */
const CONCURRENT_MARKS = 20;

/** A recording gives up after the group was deleted this often during the call. */
const MOST_DELETIONS = 10;

/** One message takes due marks out of the cache at most this often. The rest waits for the next message. */
const MOST_ROUNDS = 10;

/** Records a message: see `recordInGroup`. */
export async function recordMessage(
  tidemark: Tidemark,
  { isFact = false, sentAtMs = tidemark.nowMs(), ...sent }: SentAlone,
): Promise<Recorded> {
  const [recorded] = await recordInGroup(
    tidemark,
    sent.groupId,
    [{ ...sent, sentAtMs }],
    isFact ? sentAtMs : null,
  );
  if (!recorded) throw new Error('a message has no outcome');
  return recorded;
}

/**
 * Records different messages of one group. Returns one outcome for each, in their order. First come the messages themselves, since
 * they may be known under another sender; then, in parallel, the head and the watermark of each sender, each in one write;
 * then the cache, in one call. Each step is correct alone and repeatable, so the caller's retry completes what a failure
 * interrupted.
 *
 * If the group is deleted at the same time, either order is right. A head whose epoch is not before the messages shows that
 * they came first: then they are recorded again, as after the deletion, so that nothing acknowledged is lost. Messages of the
 * time before the deletion are written over.
 *
 * @param factAtMs if the messages are a fact, the time when they were sent: a sender that joined later does not move
 */
export async function recordInGroup(
  tidemark: Tidemark,
  groupId: GroupId,
  messages: readonly Sent[],
  factAtMs: number | null = null,
): Promise<Recorded[]> {
  const { cache, ledger } = tidemark;
  if (factAtMs !== null) {
    const head = await ledger.heads.read(groupId);
    if (!isAfterEpoch(head, factAtMs)) return messages.map(() => ({ outcome: 'known', head: head.position }));
  }
  let stored = await store(tidemark, groupId, messages, factAtMs, 0);
  for (let attempt = 0; attempt < MOST_DELETIONS; attempt += 1) {
    const accepted = stored.filter(({ isConflict }) => !isConflict);
    const moveSenders = () => advanceSenders(tidemark, groupId, accepted, factAtMs);
    // A sender that has joined since a deletion must not move to a message of the time before it.
    const mayBeVoid = factAtMs !== null || accepted.some(({ known }) => known);
    const [head, senders] = mayBeVoid
      ? [await raiseHead(tidemark, groupId, accepted), null]
      : await Promise.all([raiseHead(tidemark, groupId, accepted), moveSenders()]);
    const isVoid = ({ message }: Stored) => !isAfterEpoch(head, message.recordedAt);
    if (!stored.some(isVoid)) {
      if (accepted.length === 0) return messages.map(() => ({ outcome: 'conflict' }));
      const due = await cache.mergeRecorded(groupId, [
        change.head(head),
        ...accepted.map(({ message }) => change.message(message)),
        ...(senders ?? (await moveSenders())),
      ]);
      await applyDueMarks(tidemark, groupId, due ?? []);
      return stored.map(({ isConflict, known }) =>
        isConflict ? { outcome: 'conflict' } : { outcome: known ? 'known' : 'recorded', head: head.position },
      );
    }
    if (factAtMs !== null && !isAfterEpoch(head, factAtMs)) {
      return messages.map(() => ({ outcome: 'known', head: head.position }));
    }
    // Not the others: what this call has recorded after the deletion would be known by now.
    const sent = stored.filter(isVoid).map((one) => one.sent);
    const again = (await store(tidemark, groupId, sent, factAtMs, head.epoch)).values();
    stored = stored.map((one) => (isVoid(one) ? (again.next().value ?? one) : one));
  }
  throw unavailable(new Error('a group was deleted faster than its messages could be recorded'));
}

/** Moves the senders of messages up to them. Returns the changes for the cache. */
async function advanceSenders(
  tidemark: Tidemark,
  groupId: GroupId,
  accepted: readonly Stored[],
  factAtMs: number | null,
): Promise<change.Change[]> {
  const ofSenders = [...Map.groupBy(accepted, ({ senderId }) => senderId)];
  const changes = await Promise.all(
    ofSenders.map(async ([userId, sent]) => {
      const moved = await advanceSender(tidemark, { groupId, userId }, newestOf(sent), factAtMs);
      return moved && change.member(userId, moved);
    }),
  );
  return changes.filter((one) => one !== null);
}

/**
 * Raises the head to the newest of these messages, and returns it. One write, unless that one is silent and another is not.
 * Without messages, and if one of them was recorded up to the epoch, nothing is written.
 */
async function raiseHead({ ledger }: Tidemark, groupId: GroupId, accepted: readonly Stored[]): Promise<Head> {
  if (accepted.length === 0) return ledger.heads.read(groupId);
  const recordedAt = Math.min(...accepted.map(({ message }) => message.recordedAt));
  const newestOf = (messages: readonly Stored[]) =>
    messages.map(({ message }) => message.position).reduce(laterOf, START);
  const [newest, loud] = [newestOf(accepted), newestOf(accepted.filter(({ message }) => !message.isSilent))];
  if (loud !== newest && loud !== START) {
    await ledger.heads.raise(groupId, { position: loud, isSilent: false, recordedAt });
  }
  return ledger.heads.raise(groupId, { position: newest, isSilent: loud !== newest, recordedAt });
}

/** A message as the ledger holds it after it was recorded, or before that under another sender. */
interface Stored {
  readonly sent: Sent;
  readonly senderId: UserId;
  readonly message: Message;
  readonly ownViewStays: boolean;
  readonly known: boolean;
  readonly isConflict: boolean;
}

/**
 * Writes messages. Returns them in their order. With an epoch they are recorded after it, in place of messages of the time
 * before it; 0 for none.
 */
async function store(
  { ledger, nowMs }: Tidemark,
  groupId: GroupId,
  messages: readonly Sent[],
  factAtMs: number | null,
  epoch: number,
): Promise<Stored[]> {
  const now = nowMs();
  // A fact counts as recorded when it happened: one of the time before a deletion is then void, however late it comes.
  const recordedAt = Math.max(epoch + 1, Math.min(now, factAtMs ?? now));
  return inParallel(messages, CONCURRENT_MESSAGES, async (sent) => {
    const { position, senderId, sentAtMs = now, isSilent = false, remindAfterSeconds } = sent;
    const mentions = countedMentions(senderId, isSilent, sent.mentions ?? []);
    const ownViewStays = sent.advanceSender === false;
    const reminder =
      remindAfterSeconds === undefined || isSilent
        ? {}
        : dueItem(groupId, position, sentAtMs + remindAfterSeconds * 1_000);
    const recording: Recording = {
      ...{ position, senderId, sentAtMs, recordedAt, isSilent, mentions, ownViewStays, reminder },
    };
    const written =
      epoch === 0
        ? await ledger.messages.record(groupId, recording, now)
        : await ledger.messages.recordAfter(epoch, groupId, recording, now);
    return { ...written, sent, senderId, isConflict: written.message.senderId !== senderId };
  });
}

/** The newest of a sender's messages that move it: of those that were recorded now, and of those that were known. */
function newestOf(stored: readonly Stored[]): OwnMessages {
  const moving = stored.filter(({ ownViewStays }) => !ownViewStays);
  const newest = (isKnown: boolean) =>
    moving
      .filter(({ known }) => known === isKnown)
      .map(({ message }) => message.position)
      .reduce(laterOf, START);
  return { recorded: newest(false), known: newest(true) };
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

/**
 * Deletes a message, whether or not it is known yet. The head stays.
 *
 * @param factAtMs if the deletion is a fact, the time when it happened: one of a time up to the epoch changes nothing
 */
export async function deleteMessage(
  { ledger, cache, nowMs }: Tidemark,
  groupId: GroupId,
  position: Position,
  factAtMs: number | null = null,
): Promise<void> {
  if (factAtMs !== null && !isAfterEpoch(await ledger.heads.read(groupId), factAtMs)) return;
  const now = nowMs();
  const recordedAt = Math.min(now, factAtMs ?? now);
  const deleted = await ledger.messages.delete(groupId, position, { recordedAt, nowMs: now });
  await cache.merge(groupId, [change.deleted(deleted)]);
}
