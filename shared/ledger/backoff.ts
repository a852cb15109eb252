import { setTimeout as delay } from 'node:timers/promises';

export interface BackoffOptions {
  readonly pause?: (ms: number) => Promise<unknown>;
  /** Returns a number from 0 to 1, as `Math.random` does. */
  readonly random?: () => number;
  readonly nowMs?: () => number;
}

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 800;
const MAX_TRIES = 7;
const MAX_WAIT_MS = 3_000;

/**
 * The pauses of one operation between its calls to a throttled service. The longest possible pause grows with each
 * try, and the pause is a random part of it ("full jitter",
 * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/): callers that were throttled together do
 * not return together.
 */
export class Backoff {
  readonly #options: Required<BackoffOptions>;
  #endMs: number | null = null;

  constructor({ pause = delay, random = Math.random, nowMs = Date.now }: BackoffOptions = {}) {
    this.#options = { pause, random, nowMs };
  }

  /**
   * Pauses after a number of tries of one call, and resolves to true. Resolves to false without a pause if the call
   * should not be tried again: after seven tries, or 3 s after the operation was first throttled.
   */
  async pauseAfter(tries: number): Promise<boolean> {
    const { pause, random, nowMs } = this.#options;
    const now = nowMs();
    this.#endMs ??= now + MAX_WAIT_MS;
    const pauseMs = random() * Math.min(FIRST_PAUSE_MS * 2 ** (tries - 1), LONGEST_PAUSE_MS);
    if (tries >= MAX_TRIES || now + pauseMs > this.#endMs) return false;
    await pause(pauseMs);
    return true;
  }
}
