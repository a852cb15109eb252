import type { _Record as StreamsRecord } from '@aws-sdk/client-dynamodb-streams';

/**
 * A record of a stream as Lambda passes it on to a function.
 * https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
 *
 * @param createdAtMs when the record came into the stream
 */
export function streamEventRecord(
  { eventID, eventName, dynamodb }: StreamsRecord,
  { streamArn, region, createdAtMs }: { streamArn: string; region: string | undefined; createdAtMs: number },
): Record<string, unknown> {
  return {
    eventID,
    eventName,
    eventVersion: '1.1',
    eventSource: 'aws:dynamodb',
    awsRegion: region,
    eventSourceARN: streamArn,
    // Whole seconds, as AWS has them.
    dynamodb: { ...dynamodb, ApproximateCreationDateTime: Math.floor(createdAtMs / 1_000) },
  };
}
