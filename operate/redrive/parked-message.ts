import * as v from 'valibot';
import { StreamBatch } from './stream-batch.ts';

/** What waits in a dead-letter queue that no queue gives up into. */
export type Parked =
  /** An event of the bus, which the function takes as it is. */
  | { readonly kind: 'event'; readonly event: unknown }
  /** A record of the ledger's stream, which a function could not read. */
  | {
      readonly kind: 'record';
      /** Under a sequence number of its own. */
      readonly record: Readonly<Record<string, unknown>>;
      /** That of the stream. */
      readonly sequenceNumber: string;
    }
  /** The place of records in the ledger's stream. */
  | { readonly kind: 'batch'; readonly batch: StreamBatch }
  | { readonly kind: 'unknown'; readonly reason: string };

const Event = v.looseObject({ id: v.string(), 'detail-type': v.string() });

/** https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html */
const GivenUpEvent = v.object({ requestContext: v.object({}), requestPayload: Event });

const GivenUpBatch = v.object({ DDBStreamBatchInfo: StreamBatch });

/** As `shared/stream/dead-letters.ts` writes it. */
const SetAside = v.object({
  record: v.looseObject({ dynamodb: v.looseObject({ SequenceNumber: v.string() }) }),
});
const Clipped = v.object({ clippedRecord: v.string() });

/** Reads a message. `messageId` names it, and no other. */
export function parkedIn(body: string, messageId: string): Parked {
  let message: unknown;
  try {
    message = JSON.parse(body);
  } catch {
    return { kind: 'unknown', reason: 'a message is no JSON' };
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
  return { kind: 'unknown', reason: 'a message holds neither an event nor a record of the stream' };
}

/**
 * An instance remembers the sequence numbers that it has set aside and does not do so twice. Under its old number, a
 * record that still cannot be read would be passed over and lost.
 */
function renumbered(record: v.InferOutput<typeof SetAside>['record'], messageId: string): Parked {
  const [sequenceNumber = ''] = record.dynamodb.SequenceNumber.split('-');
  const dynamodb = { ...record.dynamodb, SequenceNumber: `${sequenceNumber}-${messageId}` };
  return { kind: 'record', sequenceNumber, record: { ...record, dynamodb } };
}
