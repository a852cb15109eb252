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

/** Returns the result of the work. Throws at the deadline, even if the work does not end. */
export function endAt<T>(deadline: AbortSignal, work: Promise<T>): Promise<T> {
  return Promise.race([
    work,
    new Promise<never>((_resolve, reject) => {
      deadline.addEventListener('abort', () => reject(new Error('it did not end before the deadline')));
    }),
  ]);
}

/** The context for a handler that runs before the first request. It has enough time left. */
export const REHEARSAL = { getRemainingTimeInMillis: () => 10_000 } as Context;
