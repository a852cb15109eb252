import middy from '@middy/core';
import type { Context, DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from 'aws-lambda';
import type { Item } from '../../shared/ledger/items.ts';
import type { StreamRecord } from '../../shared/stream/stream-records.ts';

/**
 * Returns a handler of the ledger's stream. `handle` resolves to the sequence numbers of the records that failed. An
 * empty number fails the whole batch, since a record without a number cannot be reported alone.
 */
export function ledgerStream(handle: (records: readonly StreamRecord[]) => Promise<string[]>) {
  const handler = middy<DynamoDBStreamEvent, DynamoDBBatchResponse>().handler(async ({ Records }) => {
    const failed = await handle(Records.map(recordOf));
    return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
  });
  /** Handles an empty batch. */
  const rehearse = () => handler({ Records: [] }, {} as Context);
  return Object.assign(handler, { rehearse });
}

function recordOf({ dynamodb }: DynamoDBRecord): StreamRecord {
  return {
    sequenceNumber: dynamodb?.SequenceNumber ?? '',
    before: (dynamodb?.OldImage as Item | undefined) ?? null,
    after: (dynamodb?.NewImage as Item | undefined) ?? null,
  };
}
