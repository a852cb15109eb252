import type { Context } from 'aws-lambda';

/** Runs work with a signal that is aborted after this time, if the work takes so long. */
export async function withDeadline<T>(ms: number, work: (deadline: AbortSignal) => Promise<T>): Promise<T> {
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), Math.max(0, ms));
  try {
    return await work(deadline.signal);
  } finally {
    clearTimeout(timer);
  }
}

/** What a handler gets that is run before the first request: time enough. */
export const REHEARSAL = { getRemainingTimeInMillis: () => 10_000 } as Context;
