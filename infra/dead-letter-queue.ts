import { Duration, Stack, Validations } from 'aws-cdk-lib';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { DEAD_LETTER_QUEUE_URL } from '../shared/contract/environment.ts';
import type { TidemarkFunction } from './function.ts';

/** Where what could not be handled waits for a person. Every one of them has an alarm. */
export class DeadLetterQueue extends Queue {
  /** Its name without the stack's. */
  readonly label: string;

  constructor(scope: Construct, id: string, label: string) {
    super(scope, id, {
      queueName: `${Stack.of(scope).stackName}-${label}`,
      encryption: QueueEncryption.SQS_MANAGED,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    });
    this.label = label;
    Validations.of(this).acknowledge({
      id: 'AwsSolutions-SQS3',
      reason:
        'This is a dead-letter queue, of a Lambda or a rule, where the check looks for those of queues only.',
    });
  }

  /** Lets a function send messages to the queue, and gives it the queue's URL. */
  allowSending(sender: TidemarkFunction): void {
    sender.addEnvironment(DEAD_LETTER_QUEUE_URL, this.queueUrl);
    sender.allow(['sqs:SendMessage'], this.queueArn);
  }

  /**
   * The queue as the failure destination of a function or of its event source. CDK's `SqsDestination` and `SqsDlq`
   * would let the function look at the queue as well, where sending is all that Lambda does with it.
   */
  failureDestination(sender: TidemarkFunction): { bind: () => { destination: string } } {
    sender.allow(['sqs:SendMessage'], this.queueArn);
    return { bind: () => ({ destination: this.queueArn }) };
  }
}
