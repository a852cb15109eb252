import { DynamoDBStreamsClient } from '@aws-sdk/client-dynamodb-streams';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { SQSClient } from '@aws-sdk/client-sqs';
import type { Credentials } from '../../local/aws/credentials.ts';
import { boundsOf } from '../../shared/aws/bounds.ts';

export interface Clients {
  readonly sqs: SQSClient;
  readonly lambda: LambdaClient;
  readonly streams: DynamoDBStreamsClient;
}

/** The place of a deployment. Without endpoints and credentials it is AWS, with those of the environment. */
export interface Place {
  readonly region?: string | undefined;
  readonly credentials?: Credentials;
  /** The URL of all services except DynamoDB. */
  readonly endpoint?: string;
  readonly dynamodbEndpoint?: string;
}

/** Longer than the longest timeout of a function: after a timeout of the client, the result of the call is unknown. */
const INVOCATION_MS = 90_000;

export function createClients({ region, credentials, endpoint, dynamodbEndpoint }: Place): Clients {
  const where = {
    ...(region !== undefined && { region }),
    ...(credentials !== undefined && { credentials }),
  };
  const elsewhere = endpoint === undefined ? {} : { endpoint, useQueueUrlAsEndpoint: false };
  return {
    // A long poll of SQS takes up to 2 s of this timeout.
    sqs: new SQSClient({ ...where, ...elsewhere, ...boundsOf({ attempts: 3, timeoutMs: 10_000 }) }),
    lambda: new LambdaClient({
      ...where,
      ...elsewhere,
      ...boundsOf({ attempts: 1, timeoutMs: INVOCATION_MS }),
    }),
    streams: new DynamoDBStreamsClient({
      ...where,
      ...(dynamodbEndpoint !== undefined && { endpoint: dynamodbEndpoint }),
      ...boundsOf({ attempts: 3, timeoutMs: 10_000 }),
    }),
  };
}
