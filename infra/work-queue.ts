import { Duration, Stack } from 'aws-cdk-lib';
import { EventSourceMapping } from 'aws-cdk-lib/aws-lambda';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { QUEUE_URL } from '../shared/contract/environment.ts';
import type { DeadLetterQueue } from './dead-letter-queue.ts';
import type { TidemarkFunction } from './function.ts';

/** The timeout of a function that processes a queue: enough for a batch of ten slow posts, one after the other. */
export const QUEUE_FUNCTION_TIMEOUT = Duration.seconds(60);

/**
 * The tries for one message. With the growing pauses between them (`functions/runtime/event-queue.ts`) they take a day. Then
 * the message goes to the dead-letter queue.
 */
const MAX_RECEIVE_COUNT = 32;

/** A queue whose messages (events or jobs) one function processes. */
export class WorkQueue extends Queue {
  readonly consumer: TidemarkFunction;
  readonly #deadLetters: DeadLetterQueue;

  constructor(scope: Construct, id: string, consumer: TidemarkFunction, deadLetters: DeadLetterQueue) {
    super(scope, id, {
      queueName: `${Stack.of(scope).stackName}-${consumer.node.id}`,
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      // AWS recommends six times the function's timeout. It counts only if the function could not set a pause itself.
      visibilityTimeout: Duration.seconds(6 * QUEUE_FUNCTION_TIMEOUT.toSeconds()),
      // Longer than the day of tries, because messages also wait for their first try. The dead-letter queue counts its 14
      // days from a message's arrival in this queue: after 7 days here, 7 are left there.
      retentionPeriod: Duration.days(7),
      deadLetterQueue: { queue: deadLetters, maxReceiveCount: MAX_RECEIVE_COUNT },
    });
    this.consumer = consumer;
    this.#deadLetters = deadLetters;
  }

  /** Lets the consumer process the messages of the queue. `scope` gets the source of its invocations. */
  workOff(scope: Construct, { maximumConcurrency, batchingWindow }: WorkOffOptions): void {
    // The function sends a message that can never succeed to the dead-letter queue at once.
    this.#deadLetters.allowSending(this.consumer);
    this.consumer.addEnvironment(QUEUE_URL, this.queueUrl);
    this.consumer.allow(
      ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ChangeMessageVisibility'],
      this.queueArn,
    );
    // CDK's `SqsEventSource` would also let the function look up the queue's URL, which it has in a variable.
    new EventSourceMapping(scope, 'Source', {
      target: this.consumer,
      eventSourceArn: this.queueArn,
      batchSize: 10,
      maxBatchingWindow: batchingWindow ?? Duration.seconds(0),
      reportBatchItemFailures: true,
      maxConcurrency: maximumConcurrency,
    });
  }
}

export interface WorkOffOptions {
  /** The most instances of the function at once. */
  readonly maximumConcurrency: number;
  /** How long Lambda waits to fill a batch. @default it does not wait */
  readonly batchingWindow?: Duration;
}
