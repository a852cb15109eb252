import { SQSClient } from '@aws-sdk/client-sqs';
import { boundsOf } from '../../shared/aws/bounds.ts';
import { lean } from '../../shared/aws/lean.ts';

/** A client of SQS that tries each call twice. `timeoutMs` is the time of one try. */
export function createSqsClient(timeoutMs: number): SQSClient {
  return lean(
    new SQSClient({
      ...boundsOf({ attempts: 2, timeoutMs }),
      // Calls go to the endpoint of the environment, not to the host in the queue's URL. On AWS both are the same.
      useQueueUrlAsEndpoint: false,
    }),
  );
}
