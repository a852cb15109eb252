import {
  type DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
  type _Record as StreamsRecord,
} from '@aws-sdk/client-dynamodb-streams';
import * as v from 'valibot';
import { streamEventRecord } from '../../local/aws/streams/stream-event-record.ts';

/**
 * The place of records that Lambda gave up, in Lambda's format.
 * https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
 */
export const StreamBatch = v.object({
  shardId: v.string(),
  startSequenceNumber: v.pipe(v.string(), v.digits()),
  endSequenceNumber: v.pipe(v.string(), v.digits()),
  streamArn: v.string(),
});
export type StreamBatch = v.InferOutput<typeof StreamBatch>;

/** The most calls of the stream for one batch, which has at most a few hundred records. */
const MOST_CALLS = 1_000;

/** DynamoDB's errors for records that are older than a day, and for a shard of such records. */
const FORGOTTEN = ['TrimmedDataAccessException', 'ResourceNotFoundException'];

/** Returns the records of a batch in the form that a function receives; null if they are gone from the stream. */
export async function readBatch(
  streams: DynamoDBStreamsClient,
  { streamArn, shardId, startSequenceNumber, endSequenceNumber }: StreamBatch,
): Promise<Record<string, unknown>[] | null> {
  const last = BigInt(endSequenceNumber);
  const records: Record<string, unknown>[] = [];
  try {
    const first = new GetShardIteratorCommand({
      StreamArn: streamArn,
      ShardId: shardId,
      ShardIteratorType: 'AT_SEQUENCE_NUMBER',
      SequenceNumber: startSequenceNumber,
    });
    let { ShardIterator } = await streams.send(first);
    for (let calls = 0; ShardIterator && calls < MOST_CALLS; calls += 1) {
      const { Records = [], NextShardIterator } = await streams.send(
        new GetRecordsCommand({ ShardIterator }),
      );
      for (const record of Records) {
        const sequenceNumber = BigInt(record.dynamodb?.SequenceNumber ?? 0);
        if (sequenceNumber <= last) records.push(eventRecordOf(record, streamArn));
        if (sequenceNumber >= last) return records;
      }
      ShardIterator = NextShardIterator;
    }
    throw new Error(`the stream has no record ${endSequenceNumber} in ${shardId}`);
  } catch (error) {
    if (error instanceof Error && FORGOTTEN.includes(error.name)) return null;
    throw error;
  }
}

function eventRecordOf(record: StreamsRecord, streamArn: string): Record<string, unknown> {
  const createdAtMs = record.dynamodb?.ApproximateCreationDateTime?.getTime() ?? 0;
  return streamEventRecord(record, { streamArn, region: record.awsRegion, createdAtMs });
}
