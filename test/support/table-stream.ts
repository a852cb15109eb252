import { randomUUID } from 'node:crypto';
import { DescribeTableCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import {
  DescribeStreamCommand,
  DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
} from '@aws-sdk/client-dynamodb-streams';
import type { Item } from '../../shared/ledger/items.ts';
import type { StreamRecord } from '../../shared/stream/stream-records.ts';
import { connectDynamoDb, engines, eventually, ownCredentials } from './engines.ts';

/** The stream of a table of DynamoDB Local. */
export interface TableStream {
  /** The records of all writes that are done and were not taken yet, in order. */
  take(): Promise<StreamRecord[]>;
  close(): void;
}

export async function openTableStream(tableName: string): Promise<TableStream> {
  const dynamodb = connectDynamoDb();
  const streams = new DynamoDBStreamsClient({
    endpoint: engines.dynamodbEndpoint,
    region: 'us-east-1',
    credentials: ownCredentials,
  });
  const { Table } = await dynamodb.send(new DescribeTableCommand({ TableName: tableName }));
  const StreamArn = Table?.LatestStreamArn;
  const iterators = new Map<string, string | undefined>();

  /** A shard ends now and then, and another one goes on. */
  async function findShards(): Promise<void> {
    const { StreamDescription } = await streams.send(new DescribeStreamCommand({ StreamArn }));
    for (const { ShardId } of StreamDescription?.Shards ?? []) {
      if (!ShardId || iterators.has(ShardId)) continue;
      const command = new GetShardIteratorCommand({ StreamArn, ShardId, ShardIteratorType: 'TRIM_HORIZON' });
      iterators.set(ShardId, (await streams.send(command)).ShardIterator);
    }
  }

  async function* read(): AsyncGenerator<StreamRecord> {
    for (const [shardId, ShardIterator] of iterators) {
      if (!ShardIterator) continue;
      const { Records = [], NextShardIterator } = await streams.send(
        new GetRecordsCommand({ ShardIterator, Limit: 1_000 }),
      );
      iterators.set(shardId, NextShardIterator);
      for (const { dynamodb: { SequenceNumber = '', OldImage, NewImage } = {} } of Records) {
        yield {
          sequenceNumber: SequenceNumber,
          before: (OldImage as Item | undefined) ?? null,
          after: (NewImage as Item | undefined) ?? null,
        };
      }
    }
  }

  return {
    async take() {
      // The last write of all: what is before it in the stream is complete.
      const end: Item = { PK: { S: 'END' }, SK: { S: 'END' }, token: { S: randomUUID() } };
      await dynamodb.send(new PutItemCommand({ TableName: tableName, Item: end }));
      const taken: StreamRecord[] = [];
      await eventually(async () => {
        await findShards();
        for await (const record of read()) taken.push(record);
        if (taken.at(-1)?.after?.token?.S !== end.token?.S)
          throw new Error('the stream is not at its end yet');
      });
      return taken.filter(({ after }) => after?.PK?.S !== 'END');
    },
    close() {
      streams.destroy();
      dynamodb.destroy();
    },
  };
}
