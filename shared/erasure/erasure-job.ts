import type { Key } from '../ledger/keys.ts';

/** A part of the work of an erasure. */
export interface ErasureJob {
  /** The key of the erasure's item. */
  readonly key: Key;
  /** The job has waited in the queue since then, in milliseconds since the epoch. Null if it did not wait. */
  readonly waitedSinceMs: number | null;
}

/** The queue of erasures. Each job comes at least once. */
export interface ErasureQueue {
  /** Throws if the queue does not accept the job. */
  add(job: ErasureJob, delaySeconds: number): Promise<void>;
}

/** One job's share of an erasure. */
export interface Share {
  /** Whether there is time for another step. */
  readonly hasTime: () => boolean;
  /** What was ended by this time is settled: no call that began before can bring it back any more. */
  readonly settledByMs: number;
}

/**
 * `done`: nothing is left. `more`: the time is over, another job goes on at once. `waits`: what is left must settle first.
 */
export type Outcome = 'done' | 'more' | 'waits';
