import middy from '@middy/core';
import type { DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from 'aws-lambda';
import { callUntil } from '../../shared/aws/deadline.ts';
import type { Item } from '../../shared/ledger/items.ts';
import type { StreamRecord } from '../../shared/stream/stream-records.ts';
import { REHEARSAL, withDeadline } from './with-deadline.ts';

/** What is left of the function's time for the report, when the batch ends. */
const REPORTING_MS = 3_000;

/**
 * Returns a handler of the ledger's stream. `handle` returns the sequence numbers of the records that failed. Lambda repeats
 * the batch from the earliest of these, also the records after it that did not fail. An empty number fails the whole batch.
 *
 * If the function times out, Lambda repeats the whole batch. So the batch has an earlier deadline: the calls that are not
 * done by then fail, and only their records are reported.
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
  /** Handles an empty batch. */
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
