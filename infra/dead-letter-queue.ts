import { Duration, Stack, Validations } from 'aws-cdk-lib';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import type { Construct } from 'constructs';
import { DEAD_LETTER_QUEUE_URL } from '../shared/contract/environment.ts';
import type { TidemarkFunction } from './function.ts';

/** A queue for messages that could not be processed. They wait for an operator; each queue has an alarm. */
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
        'This is the dead-letter queue of a Lambda or a rule. The check recognizes only dead-letter queues of queues.',
    });
  }

  /** Lets a function send messages to the queue, and gives it the queue's URL. */
  allowSending(sender: TidemarkFunction): void {
    sender.addEnvironment(DEAD_LETTER_QUEUE_URL, this.queueUrl);
    sender.allow(['sqs:SendMessage'], this.queueArn);
  }

  /**
   * The queue as the failure destination of a function or of its event source. Lambda only sends to it. CDK's
   * `SqsDestination` and `SqsDlq` would also let the function read the queue's attributes.
   */
  failureDestination(sender: TidemarkFunction): { bind: () => { destination: string } } {
    sender.allow(['sqs:SendMessage'], this.queueArn);
    return { bind: () => ({ destination: this.queueArn }) };
  }
}
