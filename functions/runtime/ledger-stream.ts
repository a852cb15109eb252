import middy from '@middy/core';
import type { Context, DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from 'aws-lambda';
import type { Item } from '../../shared/ledger/items.ts';
import type { StreamRecord } from '../../shared/stream/stream-records.ts';

/**
 * A handler of the ledger's stream, given what is to be done with a batch: it resolves to the sequence numbers of the
 * records that failed. An empty one among them fails the whole batch, which is all that can be said of a record without
 * one.
 */
export function ledgerStream(handle: (records: readonly StreamRecord[]) => Promise<string[]>) {
  const handler = middy<DynamoDBStreamEvent, DynamoDBBatchResponse>().handler(async ({ Records }) => {
    const failed = await handle(Records.map(recordOf));
    return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
  });
  /** Handles a batch of nothing. */
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
