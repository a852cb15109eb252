import type { Log } from '../../command/log.ts';
import { AccessDenied, authorize } from '../iam/authorize.ts';
import type { Principal } from '../iam/principal.ts';
import type { Queue, Sent } from './queue.ts';

/**
 * Sends to a queue what Lambda gives up for a function, with the permissions of the function's role. Without the permission
 * the message is lost, as on AWS, and the loss is logged.
 */
export function giveUp(giver: Principal, queue: Queue, sent: Sent, log: Log): void {
  try {
    authorize(giver, 'sqs:SendMessage', queue.definition.arn);
  } catch (error) {
    if (!(error instanceof AccessDenied)) throw error;
    log.line(`a failure destination did not get its message: ${error.message}`);
    return;
  }
  queue.send(sent);
}
