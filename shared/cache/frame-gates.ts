import type { GroupId, UserId } from '../domain/ids.ts';
import type { CacheConnection } from './connection.ts';
import { frameKeysOf } from './keys.ts';
import { endsOf, type MessageRange } from './message-range.ts';
import { arrayIn, positionIn } from './replies.ts';

/** What a frame is about. */
export type FrameKind = 'view' | 'receipts';

/** One kind of frame for one user. All are of one group. */
export interface FrameClaim {
  readonly userId: UserId;
  readonly kind: FrameKind;
}

/** When a frame leaves. `later`: the caller must queue it. `due`: another event queues it. */
export type FrameTime = 'now' | 'later' | 'due';

const FRAME_TIMES: readonly FrameTime[] = ['now', 'later', 'due'];

/** One frame of a kind for a user and group in this time. */
export const GATE_MS = 1_000;

/**
 * While a frame is due, no second one is queued, for at most this time. The frame is a second in the queue; the rest is for
 * a slow queue. If the queued frame got lost, the first move after this time queues a new one.
 */
const DUE_MS = 5_000;

/** The range of a due frame is kept for as long as its tries may fail in a row. */
const RANGE_MS = 15 * 60_000;

/** The gates that keep frames to one a second. They may be lost at any time: then all are open. */
export class FrameGates {
  readonly #connection: CacheConnection;
  readonly #nowMs: () => number;

  constructor(connection: CacheConnection, nowMs: () => number) {
    this.#connection = connection;
    this.#nowMs = nowMs;
  }

  /**
   * Decides when each of these frames leaves. Null if the cache does not answer. An event that is tried again has the same id.
   * One call.
   */
  async claim(
    groupId: GroupId,
    claims: readonly FrameClaim[],
    range: MessageRange,
    eventId: string,
  ): Promise<readonly FrameTime[] | null> {
    const times = [this.#nowMs(), GATE_MS, DUE_MS, RANGE_MS].map(String);
    return this.#connection.run(
      'claimFrames',
      claims.flatMap(({ userId, kind }) => Object.values(frameKeysOf(groupId, userId, kind))),
      [...times, ...endsOf(range), eventId],
      (reply) => arrayIn(reply, claims.length).map(frameTimeIn),
    );
  }

  /** Takes a frame that is due. Returns the range that it covers; null if it is not known. One call. */
  async take(groupId: GroupId, { userId, kind }: FrameClaim): Promise<MessageRange | null> {
    const { gate, due } = frameKeysOf(groupId, userId, kind);
    return this.#connection.run('takeFrame', [gate, due], [String(GATE_MS)], (reply) => {
      const [from, to] = arrayIn(reply, 2).map(positionIn);
      return from && to ? { from, to } : null;
    });
  }

  /** The frame has left: its range is forgotten, unless more has become due. One call. */
  async settle(groupId: GroupId, { userId, kind }: FrameClaim, range: MessageRange): Promise<void> {
    const { due } = frameKeysOf(groupId, userId, kind);
    await this.#connection.run('settleFrame', [due], endsOf(range), () => true);
  }
}

function frameTimeIn(reply: unknown): FrameTime {
  const time = FRAME_TIMES.find((one) => one === reply);
  if (!time) throw new Error(`the cache replied no time of a frame: ${reply}`);
  return time;
}
