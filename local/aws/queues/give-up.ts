import type { Log } from '../../command/log.ts';
import { AccessDenied, authorize } from '../iam/authorize.ts';
import type { Principal } from '../iam/principal.ts';
import type { Queue, Sent } from './queue.ts';

/**
 * Sends what Lambda gives up for a function, under the function's role. What the role may not send is lost, as it is on
 * AWS, and the log says so.
 */
export function giveUp(giver: Principal, queue: Queue, sent: Sent, log: Log): void {
  try {
    authorize(giver, 'sqs:SendMessage', queue.definition.arn);
  } catch (error) {
    if (!(error instanceof AccessDenied)) throw error;
    log.line(`a failure destination did not take its message: ${error.message}`);
    return;
  }
  queue.send(sent);
}
