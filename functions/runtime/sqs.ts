import { ChangeMessageVisibilityBatchCommand, SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import { boundsOf } from '../../shared/aws/bounds.ts';

/**
 * Two tries. A record of the stream that is not sent then stays in the stream, and is sent when the batch is tried again;
 * a message whose pause is not set is received again after the queue's own visibility timeout.
 */
const client = new SQSClient({
  ...boundsOf({ attempts: 2, timeoutMs: 2_000 }),
  // The address that the environment names is the one to ask; on AWS it is the queue's own.
  useQueueUrlAsEndpoint: false,
});

/** Throws where the queue does not take the message. */
export async function sendMessage(queueUrl: string, message: string, reason?: string): Promise<void> {
  await client.send(
    new SendMessageCommand({
      QueueUrl: queueUrl,
      MessageBody: message,
      // The name is the one under which a rule of EventBridge tells why it gave up an event.
      ...(reason && { MessageAttributes: { ERROR_MESSAGE: { DataType: 'String', StringValue: reason } } }),
    }),
  );
}

export interface Pause {
  readonly receiptHandle: string;
  readonly seconds: number;
}

/** Hides up to ten messages for a while. Returns the reasons of those for which the queue refused it. */
export async function pauseMessages(queueUrl: string, pauses: readonly Pause[]): Promise<string[]> {
  const { Failed = [] } = await client.send(
    new ChangeMessageVisibilityBatchCommand({
      QueueUrl: queueUrl,
      Entries: pauses.map(({ receiptHandle, seconds }, index) => ({
        Id: String(index),
        ReceiptHandle: receiptHandle,
        VisibilityTimeout: seconds,
      })),
    }),
  );
  return Failed.map(({ Code, Message }) => `${Code}: ${Message}`);
}
