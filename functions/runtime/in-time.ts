import type { Context } from 'aws-lambda';
import { callUntil } from '../../shared/aws/deadline.ts';
import { type TidemarkError, unavailable } from '../../shared/domain/errors.ts';
import { endAt, withDeadline } from './with-deadline.ts';

/**
 * The part of the function's time that is kept for the answer 503. At the timeout itself Lambda would end the instance,
 * and the caller would get the gateway's own error.
 */
export const ANSWERING_MS = 500;

export type TimeLeft = Pick<Context, 'getRemainingTimeInMillis'>;

/**
 * Runs work that ends half a second before the function's timeout: its calls under way fail then, and it makes no others.
 * Throws `unavailable` then, even if the work does not end.
 */
export function inTime<T>(context: TimeLeft, work: () => Promise<T>): Promise<T> {
  return withDeadline(context.getRemainingTimeInMillis() - ANSWERING_MS, async (deadline) => {
    const ended = callUntil(deadline, work);
    try {
      return await endAt(deadline, ended);
    } catch (error) {
      throw deadline.aborted ? notInTime() : error;
    }
  });
}

/** The error of a request that is not answered before the function's deadline. */
export function notInTime(): TidemarkError {
  return unavailable(new Error('the request was not answered before its deadline'));
}
