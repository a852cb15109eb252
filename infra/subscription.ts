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
 * A function that hears events of the bus. There are two legs, and each retries and gives up by itself: the bus hands
 * the event to Lambda's queue, and Lambda hands it to the function. Both give up into the one dead-letter queue.
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
