const FIRST_MS = 1_000;
const LONGEST_MS = 30_000;

/**
 * The pause before the next attempt, in milliseconds: exponential backoff with full jitter, so that clients which lost the
 * service together do not come back together.
 */
export function pauseAfter(failures: number): number {
  return Math.random() * Math.min(LONGEST_MS, FIRST_MS * 2 ** failures);
}
