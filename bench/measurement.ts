/** The durations of a round of calls. */
export interface Round {
  /** The duration of each call, in milliseconds. */
  readonly latencies: readonly number[];
  readonly elapsedMs: number;
}

/** The end of a round: the first of these. */
export interface Bounds {
  readonly calls: number;
  readonly ms: number;
}

export interface Summary {
  readonly p50: number;
  readonly p99: number;
  readonly callsPerSecond: number;
}

/** Runs a number of callers at the same time. Each makes its next call as soon as the previous one is answered. */
export async function runRound(
  callers: number,
  bounds: Bounds,
  call: (caller: number) => Promise<void>,
): Promise<Round> {
  const latencies: number[] = [];
  const begun = performance.now();
  let left = bounds.calls;
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      while (left > 0 && performance.now() - begun < bounds.ms) {
        left -= 1;
        const called = performance.now();
        await call(caller);
        latencies.push(performance.now() - called);
      }
    }),
  );
  return { latencies, elapsedMs: performance.now() - begun };
}

export function summarize(rounds: readonly Round[]): Summary {
  const latencies = rounds.flatMap((round) => round.latencies);
  const seconds = rounds.reduce((sum, { elapsedMs }) => sum + elapsedMs, 0) / 1000;
  return {
    p50: quantile(latencies, 0.5),
    p99: quantile(latencies, 0.99),
    callsPerSecond: latencies.length / seconds,
  };
}

/** The smallest value that at least this share of all values does not exceed. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;
}
