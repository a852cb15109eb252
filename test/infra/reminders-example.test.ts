import { beforeAll, test } from '@jest/globals';
import { App } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { RemindersStack } from '../../examples/reminders/reminders-stack.ts';

/** The example that sends mails about unread messages, without its bundle. */
let template: Template;
beforeAll(() => {
  const app = new App({
    context: { 'aws:cdk:bundling-stacks': [] },
    builtinCloudFormationValidation: false,
  });
  const props = { eventBusName: 'tidemark-prod', mailUrl: 'https://mail.example.com/send' };
  template = Template.fromStack(new RemindersStack(app, 'reminders', props));
});

const arnOf = (logicalId: string) => ({
  'Fn::GetAtt': [Match.stringLikeRegexp(`^${logicalId}[0-9A-F]{8}$`), 'Arn'],
});

test('a rule sends the reminders of Tidemark, and nothing else, to a queue', () => {
  template.hasResourceProperties('AWS::Events::Rule', {
    EventBusName: 'tidemark-prod',
    EventPattern: {
      source: ['tidemark'],
      'detail-type': ['MessageStillUnread'],
      detail: { version: ['1'] },
    },
    Targets: [{ Arn: arnOf('Events'), DeadLetterConfig: { Arn: arnOf('DeadLetters') } }],
  });
});

test('the reminders of five minutes come to the function together, and each is tried for a day', () => {
  template.hasResourceProperties('AWS::Lambda::EventSourceMapping', {
    EventSourceArn: arnOf('Events'),
    BatchSize: 1_000,
    MaximumBatchingWindowInSeconds: 300,
    ScalingConfig: { MaximumConcurrency: 2 },
    FunctionResponseTypes: ['ReportBatchItemFailures'],
  });
  // 96 tries, a quarter of an hour apart.
  template.hasResourceProperties('AWS::SQS::Queue', {
    VisibilityTimeout: 900,
    RedrivePolicy: { deadLetterTargetArn: arnOf('DeadLetters'), maxReceiveCount: 96 },
  });
});

test('the function may read and write its own table, and work off its queue', () => {
  template.resourceCountIs('AWS::IAM::Policy', 1);
  template.hasResourceProperties('AWS::IAM::Policy', {
    PolicyDocument: {
      Statement: [
        { Action: ['dynamodb:Query', 'dynamodb:PutItem'], Effect: 'Allow', Resource: arnOf('Mailed') },
        { Action: Match.arrayWith(['sqs:ReceiveMessage']), Effect: 'Allow', Resource: arnOf('Events') },
      ],
    },
  });
});
