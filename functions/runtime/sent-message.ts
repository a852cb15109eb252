import type * as v from 'valibot';
import type { facts } from '../../shared/contract/facts.ts';
import type { Sent } from '../../shared/operations/messages.ts';

/** The operation's form of a message that a route or a fact names. */
export function sentOf({
  messageId,
  sentAt,
  silent,
  ...rest
}: v.InferOutput<typeof facts.MessageSent>): Sent {
  return { ...rest, position: messageId, sentAtMs: sentAt, isSilent: silent };
}
