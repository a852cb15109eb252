import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import middy from '@middy/core';
import type { DynamoDBBatchResponse, DynamoDBRecord, DynamoDBStreamEvent } from 'aws-lambda';
import { createPublisher } from '../../shared/events/publisher.ts';
import type { Item } from '../../shared/ledger/items.ts';
import { project, type StreamRecord } from '../../shared/projection/project.ts';
import { RecentRecords } from '../../shared/projection/recent-records.ts';
import { createStores, variable } from '../composition.ts';

const projection = {
  stores: createStores(),
  publisher: createPublisher(new EventBridgeClient({}), variable('EVENT_BUS_NAME')),
  told: { members: new RecentRecords(10_000), groups: new RecentRecords(10_000) },
};

export const handler = middy<DynamoDBStreamEvent, DynamoDBBatchResponse>().handler(async ({ Records }) => {
  const failed = await project(projection, Records.map(recordOf));
  return { batchItemFailures: failed.map((itemIdentifier) => ({ itemIdentifier })) };
});

function recordOf({ dynamodb }: DynamoDBRecord): StreamRecord {
  if (!dynamodb?.SequenceNumber) throw new Error('a record of the stream has no sequence number');
  return {
    sequenceNumber: dynamodb.SequenceNumber,
    before: (dynamodb.OldImage as Item | undefined) ?? null,
    after: (dynamodb.NewImage as Item | undefined) ?? null,
  };
}
