import { Duration, Stack } from 'aws-cdk-lib';
import { type EventBus, type EventPattern, Rule } from 'aws-cdk-lib/aws-events';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { EventSourceMapping } from 'aws-cdk-lib/aws-lambda';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { QUEUE_URL } from '../shared/contract/environment.ts';
import { DeadLetterQueue } from './dead-letter-queue.ts';
import type { TidemarkFunction } from './function.ts';

/** As long as a function that works off a queue may take for a batch: ten slow posts, one after the other. */
export const QUEUE_FUNCTION_TIMEOUT = Duration.seconds(60);

/**
 * With the growing pauses of the functions (`functions/runtime/event-queue.ts`), so many receives take a day. The message that
 * is received once more goes to the dead-letter queue.
 */
const MAX_RECEIVE_COUNT = 32;

/** Events that wait for a function to work them off. */
export class WorkQueue extends Queue {
  readonly consumer: TidemarkFunction;
  readonly #deadLetters: DeadLetterQueue;

  constructor(scope: Construct, id: string, consumer: TidemarkFunction, deadLetters: DeadLetterQueue) {
    super(scope, id, {
      queueName: `${Stack.of(scope).stackName}-${consumer.node.id}`,
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      // AWS asks for six times the function's timeout. It rules only where the function could not set a pause itself.
      visibilityTimeout: Duration.seconds(6 * QUEUE_FUNCTION_TIMEOUT.toSeconds()),
      // Longer than the day of tries, since events also wait behind others. The dead-letter queue counts its 14 days
      // from when an event first came to this queue: what needs 7 of them here has 7 left there.
      retentionPeriod: Duration.days(7),
      deadLetterQueue: { queue: deadLetters, maxReceiveCount: MAX_RECEIVE_COUNT },
    });
    this.consumer = consumer;
    this.#deadLetters = deadLetters;
  }

  /** Lets the consumer work off the queue: `scope` gets the source of its invocations. */
  workOff(scope: Construct, { maximumConcurrency, batchingWindow }: WorkOffOptions): void {
    // What is hopeless need not wait for the day to pass.
    this.#deadLetters.allowSending(this.consumer);
    this.consumer.addEnvironment(QUEUE_URL, this.queueUrl);
    this.consumer.allow(
      ['sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:GetQueueAttributes', 'sqs:ChangeMessageVisibility'],
      this.queueArn,
    );
    // CDK's `SqsEventSource` would let the function ask for the queue's URL as well, which it is told.
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
  /** The most instances of the function at once, whatever waits in the queue. */
  readonly maximumConcurrency: number;
  /** How long an event may wait for others to go with it. @default not at all */
  readonly batchingWindow?: Duration;
}

export interface QueuedSubscriptionProps extends WorkOffOptions {
  readonly bus: EventBus;
  readonly description: string;
  readonly eventPattern: EventPattern;
  readonly handler: TidemarkFunction;
}

/**
 * A function that works off events of the bus from a queue. What fails waits in the queue, with growing pauses, for a
 * day; then it goes to the dead-letter queue, as does what the rule cannot hand over.
 */
export class QueuedSubscription extends Construct {
  constructor(scope: Construct, id: string, props: QueuedSubscriptionProps) {
    super(scope, id);
    const { bus, description, eventPattern, handler, maximumConcurrency, batchingWindow } = props;
    const deadLetters = new DeadLetterQueue(this, 'DeadLetters', `${handler.node.id}-dead-letters`);
    const queue = new WorkQueue(this, 'Queue', handler, deadLetters);

    const rule = new Rule(this, 'Rule', { eventBus: bus, description, eventPattern });
    rule.addTarget({
      bind: () => ({
        arn: queue.queueArn,
        deadLetterConfig: { arn: deadLetters.queueArn },
        retryPolicy: {
          maximumRetryAttempts: 185,
          maximumEventAgeInSeconds: Duration.hours(24).toSeconds(),
        },
      }),
    });
    // CDK's `SqsQueue` would let the rule look at the queue as well, where sending is all that it does with it.
    for (const target of [queue, deadLetters]) allowRule(rule, target);

    queue.workOff(this, { maximumConcurrency, ...(batchingWindow && { batchingWindow }) });
  }
}

function allowRule(rule: Rule, queue: Queue): void {
  queue.addToResourcePolicy(
    new PolicyStatement({
      principals: [new ServicePrincipal('events.amazonaws.com')],
      actions: ['sqs:SendMessage'],
      resources: [queue.queueArn],
      conditions: { ArnEquals: { 'aws:SourceArn': rule.ruleArn } },
    }),
  );
}
