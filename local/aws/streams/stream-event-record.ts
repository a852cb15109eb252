import type { _Record as StreamsRecord } from '@aws-sdk/client-dynamodb-streams';

/**
 * A record of a stream, in the form that a function receives.
 * https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
 *
 * @param createdAtMs the time when the record was written to the stream
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
    // In whole seconds, as on AWS.
    dynamodb: { ...dynamodb, ApproximateCreationDateTime: Math.floor(createdAtMs / 1_000) },
  };
}
