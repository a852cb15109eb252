import type { Log } from '../log.ts';
import { AccessDenied, authorize } from './authorize.ts';
import type { Principal } from './principal.ts';

/**
 * Whether Lambda may send to a queue what it gives up for a function, which it does under the function's role. What it
 * may not send is lost, as it is on AWS, and the log says so.
 */
export function mayGiveUp(giver: Principal, queueArn: string, log: Log): boolean {
  try {
    authorize(giver, 'sqs:SendMessage', queueArn);
    return true;
  } catch (error) {
    if (!(error instanceof AccessDenied)) throw error;
    log.line(`a failure destination did not take its message: ${error.message}`);
    return false;
  }
}
