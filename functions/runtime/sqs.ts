import { ChangeMessageVisibilityBatchCommand, SendMessageCommand } from '@aws-sdk/client-sqs';
import { createSqsClient } from './sqs-client.ts';

/**
 * Two tries. A record of the stream that was not sent stays in the stream and is sent when the batch is repeated. A
 * message whose pause was not set is received again after the queue's own visibility timeout.
 */
const client = createSqsClient(2_000);

export interface SendOptions {
  /** Why the message is sent to a dead-letter queue. */
  readonly reason?: string;
  /** How long the queue keeps the message back, at most 900. @default 0 */
  readonly delaySeconds?: number;
}

/** Throws if the queue does not accept the message. */
export async function sendMessage(
  queueUrl: string,
  message: string,
  { reason, delaySeconds = 0 }: SendOptions = {},
): Promise<void> {
  await client.send(
    new SendMessageCommand({
      QueueUrl: queueUrl,
      MessageBody: message,
      ...(delaySeconds > 0 && { DelaySeconds: delaySeconds }),
      // The name of the attribute in which a rule of EventBridge gives its reason too.
      ...(reason && { MessageAttributes: { ERROR_MESSAGE: { DataType: 'String', StringValue: reason } } }),
    }),
  );
}

export interface Pause {
  readonly receiptHandle: string;
  readonly seconds: number;
}

/** Hides up to ten messages for a while. Returns the reasons for which the queue refused this for some of them. */
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
