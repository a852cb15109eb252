import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { boundsOf } from '../shared/aws/bounds.ts';

/**
 * Two tries: what is not sent then stays in the stream, and is sent when the batch is tried again.
 */
const client = new SQSClient({
  ...boundsOf({ attempts: 2, timeoutMs: 2_000 }),
  // The address that the environment names is the one to ask; on AWS it is the queue's own.
  useQueueUrlAsEndpoint: false,
});

/** Throws where the queue does not take the message. */
export async function sendMessage(queueUrl: string, message: string): Promise<void> {
  await client.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: message }));
}
