import * as v from 'valibot';
import { StreamBatch } from './stream-batch.ts';

/** A message of a dead-letter queue that is not the dead-letter queue of another queue. */
export type Parked =
  /** An event of the bus, which the function accepts unchanged. */
  | { readonly kind: 'event'; readonly event: unknown }
  /** A record of the ledger's stream that a function could not read. */
  | {
      readonly kind: 'record';
      /** The record with a new sequence number. */
      readonly record: Readonly<Record<string, unknown>>;
      /** The sequence number in the stream. */
      readonly sequenceNumber: string;
    }
  /** The place of records in the ledger's stream. */
  | { readonly kind: 'batch'; readonly batch: StreamBatch }
  | { readonly kind: 'unknown'; readonly reason: string };

const Event = v.looseObject({ id: v.string(), 'detail-type': v.string() });

/** https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html */
const GivenUpEvent = v.object({ requestContext: v.object({}), requestPayload: Event });

const GivenUpBatch = v.object({ DDBStreamBatchInfo: StreamBatch });

/** The format that `shared/stream/dead-letters.ts` writes. */
const SetAside = v.object({
  record: v.looseObject({ dynamodb: v.looseObject({ SequenceNumber: v.string() }) }),
});
const Clipped = v.object({ clippedRecord: v.string() });

/** Reads a message. @param messageId unique for each message */
export function parkedIn(body: string, messageId: string): Parked {
  let message: unknown;
  try {
    message = JSON.parse(body);
  } catch {
    return { kind: 'unknown', reason: 'a message is not JSON' };
  }
  if (v.is(GivenUpEvent, message)) return { kind: 'event', event: message.requestPayload };
  if (v.is(GivenUpBatch, message)) return { kind: 'batch', batch: message.DDBStreamBatchInfo };
  if (v.is(SetAside, message)) return renumbered(message.record, messageId);
  if (v.is(Clipped, message)) {
    return {
      kind: 'unknown',
      reason: 'a record was too large for its message: the item is in the ledger under its key',
    };
  }
  if (v.is(Event, message)) return { kind: 'event', event: message };
  return { kind: 'unknown', reason: 'a message is neither an event nor a record of the stream' };
}

/**
 * Gives the record a new sequence number. An instance remembers the numbers of records that it has sent to the dead-letter
 * queue, and skips them. With its old number, a record that still cannot be read would be skipped and lost.
 */
function renumbered(record: v.InferOutput<typeof SetAside>['record'], messageId: string): Parked {
  const [sequenceNumber = ''] = record.dynamodb.SequenceNumber.split('-');
  const dynamodb = { ...record.dynamodb, SequenceNumber: `${sequenceNumber}-${messageId}` };
  return { kind: 'record', sequenceNumber, record: { ...record, dynamodb } };
}
