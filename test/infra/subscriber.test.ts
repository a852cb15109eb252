import { beforeAll, test } from '@jest/globals';
import { App } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { SubscriberStack } from '../../examples/subscriber/subscriber-stack.ts';

/** The example of a subscriber, without its bundle. */
let template: Template;
beforeAll(() => {
  const app = new App({
    context: { 'aws:cdk:bundling-stacks': [] },
    builtinCloudFormationValidation: false,
  });
  template = Template.fromStack(new SubscriberStack(app, 'a-subscriber', { eventBusName: 'tidemark-prod' }));
});

const arnOf = (logicalId: string) => ({
  'Fn::GetAtt': [Match.stringLikeRegexp(`^${logicalId}[0-9A-F]{8}$`), 'Arn'],
});

test('a rule on the bus of Tidemark sends the events that matter to a queue, or to the dead-letter queue', () => {
  template.resourceCountIs('AWS::Events::EventBus', 0);
  template.hasResourceProperties('AWS::Events::Rule', {
    EventBusName: 'tidemark-prod',
    EventPattern: {
      source: ['tidemark'],
      'detail-type': ['WatermarkAdvanced', 'GroupFullyRead'],
      detail: { version: ['1'] },
    },
    Targets: [{ Arn: arnOf('Events'), DeadLetterConfig: { Arn: arnOf('DeadLetters') } }],
  });
});

test('an event that fails is tried for a day, and then waits two weeks for a person, with an alarm', () => {
  template.hasResourceProperties('AWS::SQS::Queue', {
    VisibilityTimeout: 600,
    MessageRetentionPeriod: 7 * 86_400,
    RedrivePolicy: { deadLetterTargetArn: arnOf('DeadLetters'), maxReceiveCount: 144 },
  });
  template.hasResourceProperties('AWS::SQS::Queue', {
    MessageRetentionPeriod: 14 * 86_400,
    RedrivePolicy: Match.absent(),
  });
  template.hasResourceProperties('AWS::CloudWatch::Alarm', {
    MetricName: 'ApproximateNumberOfMessagesVisible',
    Dimensions: [
      { Name: 'QueueName', Value: { 'Fn::GetAtt': [Match.stringLikeRegexp('^DeadLetters'), 'QueueName'] } },
    ],
    Threshold: 1,
  });
});

test('the function reports the events that failed, and may do no more than put items and work off its queue', () => {
  template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
    EventSourceArn: arnOf('Events'),
    FunctionResponseTypes: ['ReportBatchItemFailures'],
    ScalingConfig: { MaximumConcurrency: 5 },
  });
  template.resourceCountIs('AWS::IAM::Policy', 1);
  template.hasResourceProperties('AWS::IAM::Policy', {
    PolicyDocument: {
      Statement: [
        { Action: 'dynamodb:PutItem', Effect: 'Allow', Resource: arnOf('Seen') },
        {
          Action: Match.arrayWith(['sqs:ReceiveMessage', 'sqs:DeleteMessage']),
          Effect: 'Allow',
          Resource: arnOf('Events'),
        },
      ],
    },
  });
});
