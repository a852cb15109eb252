import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { expectedFunctions } from '../support/expected-functions.ts';
import { contextWithWebhook, ofType, type Resource, synthesize } from './synthesized.ts';

const template = synthesize(contextWithWebhook);
const alarms: Readonly<Record<string, Resource['Properties']>> = Object.fromEntries(
  Object.values(ofType(template, 'AWS::CloudWatch::Alarm')).map(({ Properties }) => [
    Properties.AlarmName,
    Properties,
  ]),
);

test('there is an alarm for the API, and those of the table for each function', () => {
  expect(Object.keys(alarms)).toEqual([
    'tidemark-test-api-server-errors',
    'tidemark-test-live-faults',
    'tidemark-test-reminders-schedule-failing',
    'tidemark-test-reminders-late',
    ...expectedFunctions.flatMap(({ name, alarms }) => [
      ...alarms.map((end) => `tidemark-test-${name}-${end}`),
      // The queue of notify stands behind its subscription, which comes after that of push-frames.
      ...(name === 'push-frames' ? ['tidemark-test-notify-dead-letters'] : []),
    ]),
  ]);
});

test('missing data never sets off an alarm', () => {
  for (const [name, alarm] of Object.entries(alarms)) {
    expect(alarm).toMatchObject({
      TreatMissingData: 'notBreaching',
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      EvaluationPeriods: name.endsWith('-retrying') ? 3 : 1,
    });
  }
});

test('5 or more server errors of the API within 5 minutes set off an alarm', () => {
  expect(alarms['tidemark-test-api-server-errors']).toMatchObject({
    Namespace: 'AWS/ApiGateway',
    MetricName: '5xx',
    Dimensions: [{ Name: 'ApiId', Value: 'ApiHttp' }],
    Statistic: 'Sum',
    Period: 300,
    Threshold: 5,
  });
});

test.each([
  ['project-ledger', 'Projectionprojectledger'],
  ['publish-events', 'Publicationpublishevents'],
])('%s sets off an alarm if it is 5 minutes behind the ledger', (name, functionId) => {
  expect(alarms[`tidemark-test-${name}-behind`]).toMatchObject({
    Namespace: 'AWS/Lambda',
    MetricName: 'IteratorAge',
    Dimensions: [{ Name: 'FunctionName', Value: functionId }],
    Statistic: 'Maximum',
    Threshold: 300000,
  });
});

test.each([
  ['tidemark-test-project-ledger-dead-letters', 'ProjectionDeadLetters.QueueName'],
  ['tidemark-test-publish-events-dead-letters', 'PublicationDeadLetters.QueueName'],
  ['tidemark-test-apply-facts-dead-letters', 'FactsSubscriptionDeadLetters.QueueName'],
  ['tidemark-test-notify-dead-letters', 'NotifySubscriptionDeadLetters.QueueName'],
  ['tidemark-test-deliver-webhook-dead-letters', 'NotifyWebhookDeadLetters.QueueName'],
  ['tidemark-test-push-frames-dead-letters', 'NotifyFramesDeadLetters.QueueName'],
  ['tidemark-test-send-reminders-dead-letters', 'RemindersDeadLetters.QueueName'],
  ['tidemark-test-erase-dead-letters', 'ErasureDeadLetters.QueueName'],
])('%s is set off by the first message', (alarm, queueName) => {
  expect(alarms[alarm]).toMatchObject({
    Namespace: 'AWS/SQS',
    MetricName: 'ApproximateNumberOfMessagesVisible',
    Dimensions: [{ Name: 'QueueName', Value: queueName }],
    Statistic: 'Maximum',
    Threshold: 1,
  });
});

describe.each([
  ['apply-facts', 'FactsSubscriptionQueue.QueueName', 'Factsapplyfacts'],
  ['deliver-webhook', 'NotifyWebhookQueue.QueueName', 'Notifydeliverwebhook'],
  ['push-frames', 'NotifyFrames.QueueName', 'Notifypushframes'],
  ['send-reminders', 'RemindersQueue.QueueName', 'Reminderssendreminders'],
  ['erase', 'ErasureQueue.QueueName', 'Erasureerase'],
])('%s', (name, queueName, functionId) => {
  test('sets off an alarm if events wait 5 minutes', () => {
    expect(alarms[`tidemark-test-${name}-waiting`]).toMatchObject({
      Namespace: 'AWS/SQS',
      MetricName: 'ApproximateAgeOfOldestMessage',
      Dimensions: [{ Name: 'QueueName', Value: queueName }],
      Statistic: 'Maximum',
      Threshold: 300,
    });
  });

  test('sets off an alarm if it fails in each of three periods of 5 minutes', () => {
    expect(alarms[`tidemark-test-${name}-retrying`]).toMatchObject({
      Namespace: 'Tidemark',
      MetricName: 'FailedRecords',
      Dimensions: [{ Name: 'FunctionName', Value: functionId }],
      Statistic: 'Sum',
      Period: 300,
      EvaluationPeriods: 3,
      Threshold: 1,
    });
  });
});

test('a function that throws an error or is throttled sets off an alarm, also if the other metric has no data', () => {
  const metric = (MetricName: string) => ({
    Metric: {
      Namespace: 'AWS/Lambda',
      MetricName,
      Dimensions: [{ Name: 'FunctionName', Value: 'Apimarkread' }],
    },
    Stat: 'Sum',
    Period: 300,
  });
  expect(alarms['tidemark-test-mark-read-failing']).toMatchObject({
    Threshold: 1,
    Metrics: [
      { Expression: 'FILL(errors, 0) + FILL(throttles, 0)' },
      { Id: 'errors', ReturnData: false, MetricStat: metric('Errors') },
      { Id: 'throttles', ReturnData: false, MetricStat: metric('Throttles') },
    ],
  });
});

test('an authorizer refuses by throwing, which is no failure: a metric of its own counts those', () => {
  expect(alarms['tidemark-test-authorize-connection-failing']).toMatchObject({
    Metrics: [
      { Expression: 'FILL(errors, 0) + FILL(throttles, 0)' },
      {
        Id: 'errors',
        MetricStat: {
          Metric: {
            Namespace: 'Tidemark',
            MetricName: 'FailedAuthorizations',
            Dimensions: [{ Name: 'FunctionName', Value: 'Liveauthorizeconnection' }],
          },
        },
      },
      { Id: 'throttles', MetricStat: { Metric: { Namespace: 'AWS/Lambda', MetricName: 'Throttles' } } },
    ],
  });
});

test('a schedule that cannot invoke its function sets off an alarm, and so do reminders that come late', () => {
  const metric = (MetricName: string) => ({
    MetricStat: {
      Metric: {
        Namespace: 'AWS/Scheduler',
        MetricName,
        Dimensions: [{ Name: 'ScheduleGroup', Value: 'tidemark-test-reminders' }],
      },
      Stat: 'Sum',
    },
  });
  expect(alarms['tidemark-test-reminders-schedule-failing']).toMatchObject({
    Threshold: 1,
    Metrics: [
      { Expression: 'FILL(refused, 0) + FILL(dropped, 0)' },
      { Id: 'refused', ReturnData: false, ...metric('TargetErrorCount') },
      { Id: 'dropped', ReturnData: false, ...metric('InvocationDroppedCount') },
    ],
  });
  expect(template.Resources.RemindersScheduleGroup?.Properties).toEqual({ Name: 'tidemark-test-reminders' });
  expect(alarms['tidemark-test-reminders-late']).toMatchObject({
    Namespace: 'Tidemark',
    MetricName: 'LateReminders',
    Dimensions: [{ Name: 'FunctionName', Value: 'Remindersfindreminders' }],
    Statistic: 'Sum',
    Threshold: 1,
  });
});

test('the WebSocket API’s own faults are noticed', () => {
  expect(alarms['tidemark-test-live-faults']).toMatchObject({
    Namespace: 'AWS/ApiGateway',
    MetricName: 'ExecutionError',
    Dimensions: [{ Name: 'ApiId', Value: 'LiveWebSockets' }],
    Threshold: 5,
  });
});

test('every log keeps its lines for 30 days, and is deleted with the stack', () => {
  const logs = Object.values(ofType(template, 'AWS::Logs::LogGroup'));
  // One for each function, and the access log of the HTTP API.
  expect(logs).toHaveLength(expectedFunctions.length + 1);
  for (const log of logs) {
    expect(log).toMatchObject({ DeletionPolicy: 'Delete', Properties: { RetentionInDays: 30 } });
  }
});

test('every alarm describes its meaning, what users see, and its entry in the runbook', () => {
  const runbook = readFileSync(new URL('../../docs/runbook.md', import.meta.url), 'utf8');
  const entries = runbook.split('\n').filter((line) => line.startsWith('## '));
  const helped = Object.values(alarms).map(({ AlarmDescription }) => {
    const parts = /^\S.+\. Users: .+\. Help: docs\/runbook\.md, "(.+)"\.$/.exec(String(AlarmDescription));
    return parts?.[1];
  });
  // Each alarm has an entry, and each entry has an alarm.
  expect(new Set(helped.map((entry) => `## ${entry}`))).toEqual(new Set(entries));
});

test('alarms and their ends are published to the topic of the stack, where only this account’s alarms may publish', () => {
  for (const alarm of Object.values(alarms)) {
    expect(alarm).toMatchObject({
      AlarmActions: ['ObservabilityAlarms'],
      OKActions: ['ObservabilityAlarms'],
    });
  }
  expect(Object.values(ofType(template, 'AWS::SNS::Topic'))).toHaveLength(1);
  expect(Object.values(ofType(template, 'AWS::SNS::Subscription'))).toEqual([]);
  expect(template.Outputs.AlarmTopicArn).toMatchObject({ Value: 'ObservabilityAlarms' });
  const [policy] = Object.values(ofType(template, 'AWS::SNS::TopicPolicy'));
  expect(policy?.Properties.PolicyDocument).toMatchObject({
    Statement: [
      { Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } },
      {
        Effect: 'Allow',
        Principal: { Service: 'cloudwatch.amazonaws.com' },
        Action: 'sns:Publish',
        Resource: 'ObservabilityAlarms',
        Condition: { StringEquals: { 'aws:SourceAccount': 'AWS::AccountId' } },
      },
    ],
  });
});

test('the address for alarms is subscribed to the topic', () => {
  const { Resources, Outputs } = synthesize({ ...contextWithWebhook, alarmEmail: 'on-call@example.com' });
  const subscriptions = Object.values(ofType({ Resources, Outputs }, 'AWS::SNS::Subscription'));
  expect(subscriptions.map(({ Properties }) => Properties)).toEqual([
    { Protocol: 'email', Endpoint: 'on-call@example.com', TopicArn: 'ObservabilityAlarms' },
  ]);
});

test('a given topic replaces the topic of the stack', () => {
  const alarmTopicArn = 'arn:aws:sns:eu-central-1:123456789012:on-call';
  const other = synthesize({ ...contextWithWebhook, alarmTopicArn });
  expect(Object.values(ofType(other, 'AWS::SNS::Topic'))).toEqual([]);
  for (const { Properties } of Object.values(ofType(other, 'AWS::CloudWatch::Alarm'))) {
    expect(Properties).toMatchObject({ AlarmActions: [alarmTopicArn], OKActions: [alarmTopicArn] });
  }
});

test('with an address and a topic, alarms are published to both topics', () => {
  const alarmTopicArn = 'arn:aws:sns:eu-central-1:123456789012:on-call';
  const both = synthesize({ ...contextWithWebhook, alarmTopicArn, alarmEmail: 'on-call@example.com' });
  expect(Object.values(ofType(both, 'AWS::SNS::Subscription'))).toHaveLength(1);
  for (const { Properties } of Object.values(ofType(both, 'AWS::CloudWatch::Alarm'))) {
    expect(Properties.AlarmActions).toEqual([alarmTopicArn, 'ObservabilityAlarms']);
  }
});
