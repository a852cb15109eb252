import type { FrameTime } from '../cache/frame-gates.ts';
import type { Presence } from '../cache/live-cache.ts';
import { type MessageRange, NO_MESSAGES } from '../cache/message-range.ts';
import type { TidemarkEvent } from '../contract/event.ts';
import type { ServerFrame } from '../contract/server-frames.ts';
import { inParallel } from '../domain/in-parallel.ts';
import { earlierOf, laterOf } from '../domain/position.ts';
import type { Connection } from '../ledger/connections.ts';
import { findConnected } from './find-connected.ts';
import { frameOf } from './frame.ts';
import type { DueFrame, FrameQueue, Live, Posted, Sockets } from './live.ts';
import { moveIn } from './move.ts';

/*
 * At most one frame of a kind a second for a user and group, without any state but the cache's:
 *
 *     0.0 s   a move    gate open      ──▶ the gate closes for a second, the frame leaves now
 *     0.3 s   a move    gate closed    ──▶ the frame is due: one message on a queue that is delayed by a second
 *     0.7 s   a move    a frame is due ──▶ nothing; its range of messages is widened
 *     1.3 s   queue     takes the due frame, closes the gate for a second, reads the state, sends it
 *
 * The frame is taken before the state is read, so a move after the read makes another frame: the last state always leaves.
 * Without the cache all gates are open. Frames hold the whole state, so one too many does no harm.
 */

/** Frames that are computed and sent at the same time. A frame waits for the slowest of its own connections alone. */
const CONCURRENT_FRAMES = 20;

/**
 * Pushes what an event changes: the own view to the member's own connections, and receipts to the connected senders of the
 * messages that were newly read or delivered. One call of the cache if none of them is connected. May be repeated. Throws if
 * a frame could neither leave nor be queued: the event is then tried again, with the same id.
 */
export async function pushEvent(
  live: Live,
  queue: FrameQueue,
  event: TidemarkEvent,
  eventId: string,
): Promise<void> {
  const move = moveIn(event);
  if (!move) return;
  const { groupId, range } = move;
  const { member, senders } = await findConnected(live, move);
  const users = member ? [member, ...senders] : senders;
  if (users.length === 0) return;
  const frames = users.map(
    (user): DueFrame =>
      user === member
        ? { groupId, userId: user.userId, kind: 'view', range: NO_MESSAGES }
        : { groupId, userId: user.userId, kind: 'receipts', range: range ?? NO_MESSAGES },
  );
  const times = await live.gates.claim(groupId, frames, range ?? NO_MESSAGES, eventId);
  const gone: Presence[] = [];
  await inTurn(users, async (user, index) => {
    const frame = frames[index];
    const time: FrameTime = times?.[index] ?? 'now';
    if (!frame || time === 'due') return;
    const outcome = time === 'now' ? await pushFrame(live, frame) : 'later';
    if (outcome === 'no connection') gone.push(user);
    if (outcome === 'later' || outcome === 'failed') await queue.add(frame);
  });
  // Later events then need no read of the ledger for them.
  if (gone.length > 0) await live.cache.noteOffline(gone);
}

/** Pushes a frame that was due. Throws if it did not reach a connection, so that the queue tries it again. */
export async function pushDueFrame(live: Live, frame: DueFrame): Promise<void> {
  const known = await live.gates.take(frame.groupId, frame);
  const range = known ? covering(known, frame.range) : frame.range;
  if ((await pushFrame(live, { ...frame, range })) === 'failed') {
    throw new Error('a connection did not take a frame');
  }
  if (known) await live.gates.settle(frame.groupId, frame, known);
}

/** Runs all, at most some at once, and then throws the first error. */
async function inTurn<T>(items: readonly T[], run: (item: T, index: number) => Promise<void>): Promise<void> {
  const errors = await inParallel([...items.entries()], CONCURRENT_FRAMES, async ([index, item]) =>
    run(item, index).then(
      () => null,
      (error: unknown) => ({ error }),
    ),
  );
  const first = errors.find((error) => error !== null);
  if (first) throw first.error;
}

/** Reads the state of a frame and sends it to each connection of its user. */
async function pushFrame(live: Live, due: DueFrame): Promise<'done' | 'failed' | 'no connection'> {
  const { connections, tidemark, sockets } = live;
  const { userId } = due;
  const open = await connections.ofUser(userId, tidemark.nowMs());
  if (open.length === 0) return 'no connection';
  const frame = await frameOf(live, due);
  if (!frame) return 'done';
  const post = async ({ connectionId, tokenExpiresAtMs }: Connection): Promise<Posted> => {
    const isExpired = tokenExpiresAtMs <= tidemark.nowMs();
    if (isExpired) await closeExpired(sockets, connectionId);
    const result = isExpired ? 'gone' : await sockets.post(connectionId, frame);
    if (result === 'gone') await connections.remove(userId, connectionId);
    return result;
  };
  const posted = await Promise.all(open.map(post));
  return posted.includes('failed') ? 'failed' : 'done';
}

function covering(one: MessageRange, other: MessageRange): MessageRange {
  return { from: earlierOf(one.from, other.from), to: laterOf(one.to, other.to) };
}

const TOKEN_EXPIRED: ServerFrame = {
  type: 'error',
  code: 'token_expired',
  detail: 'The token has expired. Connect again with a new one.',
};

/** Sends a client the error that its token is no longer valid, then closes the connection. */
export async function closeExpired(sockets: Sockets, connectionId: string): Promise<void> {
  await sockets.post(connectionId, TOKEN_EXPIRED);
  await sockets.close(connectionId);
}
