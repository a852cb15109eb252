import { Duration } from 'aws-cdk-lib';
import { type EventBus, type EventPattern, Rule } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import { Construct } from 'constructs';
import { DeadLetterQueue } from './dead-letter-queue.ts';
import type { TidemarkFunction } from './function.ts';

export interface SubscriptionProps {
  readonly bus: EventBus;
  readonly description: string;
  readonly eventPattern: EventPattern;
  readonly handler: TidemarkFunction;
}

/**
 * A function that receives events of the bus. An event takes two steps: from the bus to Lambda's internal queue, and from
 * there to the function. Each step has its own retries, and both give up into the same dead-letter queue.
 */
export class Subscription extends Construct {
  constructor(scope: Construct, id: string, { bus, description, eventPattern, handler }: SubscriptionProps) {
    super(scope, id);
    const deadLetters = new DeadLetterQueue(this, 'DeadLetters', `${handler.node.id}-dead-letters`);
    new Rule(this, 'Rule', {
      eventBus: bus,
      description,
      eventPattern,
      targets: [
        new LambdaFunction(handler, {
          retryAttempts: 185,
          maxEventAge: Duration.hours(24),
          deadLetterQueue: deadLetters,
        }),
      ],
    });
    handler.configureAsyncInvoke({
      retryAttempts: 2,
      maxEventAge: Duration.hours(6),
      onFailure: deadLetters.failureDestination(handler),
    });
  }
}
