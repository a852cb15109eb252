import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';

/**
 * Two tries of three seconds each: what is not sent then stays in the stream, and is sent when the batch is tried again.
 */
const client = new SQSClient({
  maxAttempts: 2,
  requestHandler: { connectionTimeout: 1_000, requestTimeout: 2_000, throwOnRequestTimeout: true },
  // The address that the environment names is the one to ask; on AWS it is the queue's own.
  useQueueUrlAsEndpoint: false,
});

/** Throws where the queue does not take the message. */
export async function sendMessage(queueUrl: string, message: string): Promise<void> {
  await client.send(new SendMessageCommand({ QueueUrl: queueUrl, MessageBody: message }));
}
