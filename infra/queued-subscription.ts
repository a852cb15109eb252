import { Duration } from 'aws-cdk-lib';
import { type EventBus, type EventPattern, Rule } from 'aws-cdk-lib/aws-events';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { Queue } from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { DeadLetterQueue } from './dead-letter-queue.ts';
import type { TidemarkFunction } from './function.ts';
import { type WorkOffOptions, WorkQueue } from './work-queue.ts';

export interface QueuedSubscriptionProps extends WorkOffOptions {
  readonly bus: EventBus;
  readonly description: string;
  readonly eventPattern: EventPattern;
  readonly handler: TidemarkFunction;
}

/**
 * A function that processes events of the bus from a queue. Events that fail stay in the queue, with growing pauses
 * between tries, for a day. Then they go to the dead-letter queue. So do events that the rule cannot put on the queue.
 */
export class QueuedSubscription extends Construct {
  constructor(scope: Construct, id: string, props: QueuedSubscriptionProps) {
    super(scope, id);
    const { bus, description, eventPattern, handler } = props;
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
    // A rule only sends. CDK's `SqsQueue` would also let it read the queue's attributes.
    for (const target of [queue, deadLetters]) allowRule(rule, target);

    queue.workOff(this, props);
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
