import middy from '@middy/core';
import type { DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from 'aws-lambda';
import { callUntil } from '../../shared/aws/deadline.ts';
import type { Item } from '../../shared/ledger/items.ts';
import type { StreamRecord } from '../../shared/stream/stream-records.ts';
import { REHEARSAL, withDeadline } from './with-deadline.ts';

/** What is left of the function's time for the report, when the batch ends. */
const REPORTING_MS = 3_000;

/**
 * A handler of the ledger's stream, given what is to be done with a batch: it resolves to the sequence numbers of the
 * records that failed. An empty one among them fails the whole batch, which is all that can be said of a record without
 * one.
 *
 * Lambda repeats a whole batch that runs into the function's timeout. So the batch has a deadline before that: the calls
 * that are not done by then fail, and only their records are reported.
 */
export function ledgerStream(handle: (records: readonly StreamRecord[]) => Promise<string[]>) {
  const handler = middy<DynamoDBStreamEvent, DynamoDBBatchResponse>().handler(
    async ({ Records }, context) => {
      const failed = await withDeadline(context.getRemainingTimeInMillis() - REPORTING_MS, (deadline) =>
        callUntil(deadline, () => handle(Records.map(recordOf))),
      );
      return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
    },
  );
  /** Handles a batch of nothing. */
  const rehearse = () => handler({ Records: [] }, REHEARSAL);
  return Object.assign(handler, { rehearse });
}

function recordOf({ dynamodb }: DynamoDBRecord): StreamRecord {
  return {
    sequenceNumber: dynamodb?.SequenceNumber ?? '',
    before: (dynamodb?.OldImage as Item | undefined) ?? null,
    after: (dynamodb?.NewImage as Item | undefined) ?? null,
  };
}
