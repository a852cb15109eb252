import { describe, expect, test } from '@jest/globals';
import { PARKED_QUEUES } from '../../operate/redrive/parked-queues.ts';
import { contextWithWebhook, ofType, synthesize } from './synthesized.ts';

const template = synthesize(contextWithWebhook);

describe('the stream', () => {
  const isMove = '{"eventName":["MODIFY"],"dynamodb":{"NewImage":{"kind":{"S":["membership"]}}}}';

  // Connections are in the table too. They come and go without an invocation.
  // Nor do the writes of a reminder: they change nothing that the cache copies.
  const isReadState =
    '{"dynamodb":{"NewImage":{"kind":{"S":["membership","message","head"]},"reminder":{"S":[{"exists":false}]}}}}';
  const isReadStateGone =
    '{"eventName":["REMOVE"],"dynamodb":{"OldImage":{"kind":{"S":["membership","message","head"]}}}}';

  const isErasureBegun =
    '{"eventName":["INSERT","MODIFY"],"dynamodb":{"NewImage":{"kind":{"S":["erasure"]}}}}';
  const isErasureGone = '{"eventName":["REMOVE"],"dynamodb":{"OldImage":{"kind":{"S":["erasure"]}}}}';

  test.each([
    ['Projection', 'Projectionprojectledger', [isReadState, isReadStateGone, isErasureBegun]],
    ['Publication', 'Publicationpublishevents', [isMove, isErasureGone]],
  ])(
    'of %s has bounded retries, splits a failing batch, and sends what it gives up to a queue',
    (owner, consumer, patterns) => {
      expect(ofType(template, 'AWS::Lambda::EventSourceMapping')[`${owner}Source`]?.Properties).toEqual({
        FunctionName: consumer,
        EventSourceArn: 'LedgerTable.StreamArn',
        StartingPosition: 'TRIM_HORIZON',
        BatchSize: 100,
        MaximumBatchingWindowInSeconds: 0,
        ParallelizationFactor: 1,
        FunctionResponseTypes: ['ReportBatchItemFailures'],
        BisectBatchOnFunctionError: true,
        MaximumRetryAttempts: 10000,
        MaximumRecordAgeInSeconds: 21600,
        DestinationConfig: { OnFailure: { Destination: `${owner}DeadLetters.Arn` } },
        FilterCriteria: { Filters: patterns.map((Pattern) => ({ Pattern })) },
      });
    },
  );

  test('has at most the two readers that a shard supports', () => {
    const sources = Object.values(ofType(template, 'AWS::Lambda::EventSourceMapping'));
    const ofStream = sources.filter(
      ({ Properties }) => Properties.EventSourceArn === 'LedgerTable.StreamArn',
    );
    expect(ofStream).toHaveLength(2);
  });
});

const retryPolicy = { MaximumRetryAttempts: 185, MaximumEventAgeInSeconds: 86400 };
const rules = ofType(template, 'AWS::Events::Rule');

describe('the rules of the bus', () => {
  test('are one for facts, and two for Tidemark’s own events', () => {
    expect(Object.keys(rules)).toEqual([
      'FactsSubscriptionRule',
      'NotifySubscriptionRule',
      'NotifyWebhookRule',
    ]);
  });

  test.each([
    [
      'FactsSubscription',
      {
        source: ['chat'],
        'detail-type': ['MessageSent', 'MessageDeleted', 'MemberJoined', 'MemberLeft'],
      },
      'FactsSubscriptionQueue.Arn',
    ],
    ['NotifySubscription', { source: ['tidemark'] }, 'Notifynotify.Arn'],
    ['NotifyWebhook', { source: ['tidemark'] }, 'NotifyWebhookQueue.Arn'],
  ])(
    '%s sends events to its target, with retries and a dead-letter queue',
    (subscription, pattern, target) => {
      expect(rules[`${subscription}Rule`]?.Properties).toMatchObject({
        EventBusName: 'Bus',
        State: 'ENABLED',
        EventPattern: pattern,
        Targets: [
          {
            Arn: target,
            RetryPolicy: retryPolicy,
            DeadLetterConfig: { Arn: `${subscription}DeadLetters.Arn` },
          },
        ],
      });
    },
  );
});

describe('notify', () => {
  test('is invoked only by its rule, and tried again if it fails', () => {
    const permissions = Object.values(ofType(template, 'AWS::Lambda::Permission')).filter(
      ({ Properties }) => Properties.FunctionName === 'Notifynotify.Arn',
    );
    expect(permissions.map(({ Properties }) => [Properties.Principal, Properties.SourceArn])).toEqual([
      ['events.amazonaws.com', 'NotifySubscriptionRule.Arn'],
    ]);
    expect(template.Resources.NotifynotifyEventInvokeConfig?.Properties).toEqual({
      FunctionName: 'Notifynotify',
      Qualifier: '$LATEST',
      MaximumRetryAttempts: 2,
      MaximumEventAgeInSeconds: 21600,
      DestinationConfig: { OnFailure: { Destination: 'NotifySubscriptionDeadLetters.Arn' } },
    });
  });
});

describe.each([
  ['FactsSubscription', 'Factsapplyfacts', 'tidemark-test-apply-facts', 20, 0],
  ['NotifyWebhook', 'Notifydeliverwebhook', 'tidemark-test-deliver-webhook', 5, 1],
  ['NotifyFrames', 'Notifypushframes', 'tidemark-test-push-frames', 20, 0],
  ['Reminders', 'Reminderssendreminders', 'tidemark-test-send-reminders', 10, 0],
  ['Erasure', 'Erasureerase', 'tidemark-test-erase', 5, 0],
])('the queue of %s', (owner, functionId, name, maximumConcurrency, windowSeconds) => {
  // The queue of frames has no rule before it, and so no subscription around it.
  const [queue, deadLetters] = [owner === 'NotifyFrames' ? owner : `${owner}Queue`, `${owner}DeadLetters`];

  test('is encrypted, keeps events longer than the day of tries, and then moves them to its dead-letter queue', () => {
    expect(template.Resources[queue]?.Properties).toEqual({
      QueueName: name,
      SqsManagedSseEnabled: true,
      MessageRetentionPeriod: 604800,
      VisibilityTimeout: 360,
      RedrivePolicy: { deadLetterTargetArn: `${deadLetters}.Arn`, maxReceiveCount: 32 },
    });
  });

  test('is processed by its function with a bounded concurrency, and nothing else invokes the function', () => {
    const [source, ...others] = Object.values(ofType(template, 'AWS::Lambda::EventSourceMapping')).filter(
      ({ Properties }) => Properties.EventSourceArn === `${queue}.Arn`,
    );
    expect(others).toEqual([]);
    expect(source?.Properties).toEqual({
      EventSourceArn: `${queue}.Arn`,
      FunctionName: functionId,
      BatchSize: 10,
      MaximumBatchingWindowInSeconds: windowSeconds,
      FunctionResponseTypes: ['ReportBatchItemFailures'],
      ScalingConfig: { MaximumConcurrency: maximumConcurrency },
    });
    expect(template.Resources[`${functionId}EventInvokeConfig`]).toBeUndefined();
    const permissions = Object.values(ofType(template, 'AWS::Lambda::Permission'));
    expect(permissions.map(({ Properties }) => Properties.FunctionName)).not.toContain(`${functionId}.Arn`);
  });

  test('has a visibility timeout of six times the function’s timeout', () => {
    expect(template.Resources[functionId]?.Properties.Timeout).toBe(60);
  });
});

describe('the schedule of reminders', () => {
  test('invokes find-reminders each minute with the time for which it does, and never again', () => {
    expect(ofType(template, 'AWS::Scheduler::Schedule')).toMatchObject({
      RemindersSchedule: {
        Properties: {
          Name: 'tidemark-test-find-reminders',
          GroupName: 'RemindersScheduleGroup',
          ScheduleExpression: 'rate(1 minute)',
          FlexibleTimeWindow: { Mode: 'OFF' },
          Target: {
            Arn: 'Remindersfindreminders.Arn',
            RoleArn: 'RemindersScheduleRole.Arn',
            Input: '{"scheduledAt":"<aws.scheduler.scheduled-time>"}',
            RetryPolicy: { MaximumRetryAttempts: 0, MaximumEventAgeInSeconds: 60 },
          },
        },
      },
    });
    expect(template.Resources.RemindersfindremindersEventInvokeConfig?.Properties).toEqual({
      FunctionName: 'Remindersfindreminders',
      Qualifier: '$LATEST',
      MaximumRetryAttempts: 0,
      MaximumEventAgeInSeconds: 60,
    });
  });

  test('has a role that only this account’s schedules may use, for this function alone', () => {
    const { Properties: role } = template.Resources.RemindersScheduleRole ?? {};
    expect(role?.AssumeRolePolicyDocument).toMatchObject({
      Statement: [
        {
          Principal: { Service: 'scheduler.amazonaws.com' },
          Condition: { StringEquals: { 'aws:SourceAccount': 'AWS::AccountId' } },
        },
      ],
    });
    const policies = Object.values(ofType(template, 'AWS::IAM::Policy')).filter(({ Properties }) =>
      (Properties.Roles as string[]).includes('RemindersScheduleRole'),
    );
    expect(policies.map(({ Properties }) => Properties.PolicyDocument)).toMatchObject([
      { Statement: [{ Action: 'lambda:InvokeFunction', Resource: 'Remindersfindreminders.Arn' }] },
    ]);
    expect(policies).toHaveLength(1);
  });
});

test('webhookConcurrency limits the instances of the webhook’s function', () => {
  const many = synthesize({ ...contextWithWebhook, webhookConcurrency: 40 });
  expect(many.Resources.NotifyWebhookSource?.Properties.ScalingConfig).toEqual({ MaximumConcurrency: 40 });
});

test('without a webhook the template has neither its function nor its queue', () => {
  const names = Object.keys(synthesize().Resources);
  expect(names.filter((name) => /NotifyWebhook(?!Secret)|deliverwebhook/.test(name))).toEqual([]);
});

describe('each dead-letter queue', () => {
  const denyPlainHttp = (queue: string) => ({
    Effect: 'Deny',
    Principal: { AWS: '*' },
    Action: 'sqs:*',
    Resource: `${queue}.Arn`,
    Condition: { Bool: { 'aws:SecureTransport': 'false' } },
  });

  test.each([
    ['ProjectionDeadLetters', 'tidemark-test-project-ledger-dead-letters'],
    ['PublicationDeadLetters', 'tidemark-test-publish-events-dead-letters'],
    ['FactsSubscriptionDeadLetters', 'tidemark-test-apply-facts-dead-letters'],
    ['NotifySubscriptionDeadLetters', 'tidemark-test-notify-dead-letters'],
    ['NotifyWebhookDeadLetters', 'tidemark-test-deliver-webhook-dead-letters'],
    ['NotifyFramesDeadLetters', 'tidemark-test-push-frames-dead-letters'],
    ['RemindersDeadLetters', 'tidemark-test-send-reminders-dead-letters'],
    ['ErasureDeadLetters', 'tidemark-test-erase-dead-letters'],
  ])('%s is encrypted, keeps messages for 14 days and takes no plain HTTP', (queue, name) => {
    expect(template.Resources[queue]?.Properties).toEqual({
      QueueName: name,
      SqsManagedSseEnabled: true,
      MessageRetentionPeriod: 1209600,
    });
    expect(template.Resources[`${queue}Policy`]?.Properties).toMatchObject({
      Queues: [queue],
      PolicyDocument: { Statement: expect.arrayContaining([denyPlainHttp(queue)]) },
    });
  });

  test('is one of these eight', () => {
    const queues = Object.keys(ofType(template, 'AWS::SQS::Queue'));
    expect(queues.filter((queue) => queue.endsWith('DeadLetters'))).toEqual([
      'ProjectionDeadLetters',
      'PublicationDeadLetters',
      'RemindersDeadLetters',
      'FactsSubscriptionDeadLetters',
      'ErasureDeadLetters',
      'NotifyFramesDeadLetters',
      'NotifySubscriptionDeadLetters',
      'NotifyWebhookDeadLetters',
    ]);
  });
});

test('the redrive command knows each dead-letter queue', () => {
  const queues = Object.values(ofType(template, 'AWS::SQS::Queue')).map(
    ({ Properties }) => Properties.QueueName,
  );
  const parked = PARKED_QUEUES.map(({ functionName }) => `tidemark-test-${functionName}-dead-letters`);
  expect(parked.toSorted()).toEqual(queues.filter((name) => String(name).endsWith('-dead-letters')).sort());
});

test('queue policies let only the queue’s own rule send, and only over TLS', () => {
  const statements = Object.values(ofType(template, 'AWS::SQS::QueuePolicy')).flatMap(
    ({ Properties }) => (Properties.PolicyDocument as { Statement: Record<string, unknown>[] }).Statement,
  );
  const senders = statements
    .filter(({ Effect }) => Effect === 'Allow')
    .map(({ Action, Principal, Resource, Condition }) => ({ Action, Principal, Resource, Condition }));
  const fromRule = (queue: string, subscription: string) => ({
    Action: 'sqs:SendMessage',
    Principal: { Service: 'events.amazonaws.com' },
    Resource: `${queue}.Arn`,
    Condition: { ArnEquals: { 'aws:SourceArn': `${subscription}Rule.Arn` } },
  });
  expect(senders).toEqual([
    fromRule('FactsSubscriptionDeadLetters', 'FactsSubscription'),
    fromRule('FactsSubscriptionQueue', 'FactsSubscription'),
    fromRule('NotifySubscriptionDeadLetters', 'NotifySubscription'),
    fromRule('NotifyWebhookDeadLetters', 'NotifyWebhook'),
    fromRule('NotifyWebhookQueue', 'NotifyWebhook'),
  ]);
  const encrypted = statements.filter(({ Effect }) => Effect === 'Deny').map(({ Resource }) => Resource);
  expect(encrypted.sort()).toEqual(
    Object.keys(ofType(template, 'AWS::SQS::Queue'))
      .map((queue) => `${queue}.Arn`)
      .sort(),
  );
});
