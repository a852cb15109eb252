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
