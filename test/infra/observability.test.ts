import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { contextWithWebhook, ofType, type Resource, synthesize } from './synthesized.ts';

const template = synthesize(contextWithWebhook);
const alarms: Readonly<Record<string, Resource['Properties']>> = Object.fromEntries(
  Object.values(ofType(template, 'AWS::CloudWatch::Alarm')).map(({ Properties }) => [
    Properties.AlarmName,
    Properties,
  ]),
);

test('these alarms exist', () => {
  expect(Object.keys(alarms)).toEqual([
    'tidemark-test-api-server-errors',
    'tidemark-test-live-faults',
    'tidemark-test-mark-read-failing',
    'tidemark-test-mark-unread-failing',
    'tidemark-test-mark-delivered-failing',
    'tidemark-test-mark-groups-failing',
    'tidemark-test-get-watermark-failing',
    'tidemark-test-get-message-status-failing',
    'tidemark-test-get-inbox-failing',
    'tidemark-test-list-receipts-failing',
    'tidemark-test-count-receipts-failing',
    'tidemark-test-add-members-failing',
    'tidemark-test-list-members-failing',
    'tidemark-test-remove-member-failing',
    'tidemark-test-record-message-failing',
    'tidemark-test-delete-message-failing',
    'tidemark-test-check-health-failing',
    'tidemark-test-project-ledger-failing',
    'tidemark-test-project-ledger-dead-letters',
    'tidemark-test-project-ledger-behind',
    'tidemark-test-publish-events-failing',
    'tidemark-test-publish-events-dead-letters',
    'tidemark-test-publish-events-behind',
    'tidemark-test-apply-facts-failing',
    'tidemark-test-apply-facts-dead-letters',
    'tidemark-test-apply-facts-waiting',
    'tidemark-test-apply-facts-retrying',
    'tidemark-test-authorize-connection-failing',
    'tidemark-test-open-connection-failing',
    'tidemark-test-close-connection-failing',
    'tidemark-test-answer-frame-failing',
    'tidemark-test-notify-failing',
    'tidemark-test-push-frames-failing',
    'tidemark-test-push-frames-dead-letters',
    'tidemark-test-push-frames-waiting',
    'tidemark-test-push-frames-retrying',
    'tidemark-test-notify-dead-letters',
    'tidemark-test-deliver-webhook-failing',
    'tidemark-test-deliver-webhook-dead-letters',
    'tidemark-test-deliver-webhook-waiting',
    'tidemark-test-deliver-webhook-retrying',
  ]);
});

test('no alarm goes off for want of traffic', () => {
  for (const [name, alarm] of Object.entries(alarms)) {
    expect(alarm).toMatchObject({
      TreatMissingData: 'notBreaching',
      ComparisonOperator: 'GreaterThanOrEqualToThreshold',
      EvaluationPeriods: name.endsWith('-retrying') ? 3 : 1,
    });
  }
});

test('the API’s own faults are noticed', () => {
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
])('%s is noticed where it falls behind', (name, functionId) => {
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
])('%s goes off at the first message', (alarm, queueName) => {
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
])('%s', (name, queueName, functionId) => {
  test('is noticed where events wait that were not tried yet', () => {
    expect(alarms[`tidemark-test-${name}-waiting`]).toMatchObject({
      Namespace: 'AWS/SQS',
      MetricName: 'ApproximateAgeOfOldestMessage',
      Dimensions: [{ Name: 'QueueName', Value: queueName }],
      Statistic: 'Maximum',
      Threshold: 300,
    });
  });

  test('is noticed where it fails for a quarter of an hour', () => {
    expect(alarms[`tidemark-test-${name}-retrying`]).toMatchObject({
      Namespace: 'Tidemark',
      MetricName: 'FailedRecords',
      Dimensions: [{ Name: 'FunctionName', Value: functionId }],
      Statistic: 'Sum',
      Period: 300,
      Threshold: 1,
    });
  });
});

test('errors and throttles of a function count alike, one without the other', () => {
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

test('the WebSocket API’s own faults are noticed', () => {
  expect(alarms['tidemark-test-live-faults']).toMatchObject({
    Namespace: 'AWS/ApiGateway',
    MetricName: 'ExecutionError',
    Dimensions: [{ Name: 'ApiId', Value: 'LiveWebSockets' }],
    Threshold: 5,
  });
});

test('every log ends after 30 days and with the stack', () => {
  const logs = Object.values(ofType(template, 'AWS::Logs::LogGroup'));
  // One for each function, and the access logs of both APIs.
  expect(logs).toHaveLength(27);
  for (const log of logs) {
    expect(log).toMatchObject({ DeletionPolicy: 'Delete', Properties: { RetentionInDays: 30 } });
  }
});

test('every alarm says what it means, what users see, and which entry of the runbook helps', () => {
  const runbook = readFileSync(new URL('../../docs/runbook.md', import.meta.url), 'utf8');
  const entries = runbook.split('\n').filter((line) => line.startsWith('## '));
  const helped = Object.values(alarms).map(({ AlarmDescription }) => {
    const parts = /^\S.+\. Users: .+\. Help: docs\/runbook\.md, "(.+)"\.$/.exec(String(AlarmDescription));
    return parts?.[1];
  });
  // Each has its entry, and no entry is left over.
  expect(new Set(helped.map((entry) => `## ${entry}`))).toEqual(new Set(entries));
});

test('alarms and their ends go to the topic of the stack, which only this account’s alarms may tell', () => {
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

test('an address for alarms is subscribed to the topic', () => {
  const { Resources, Outputs } = synthesize({ ...contextWithWebhook, alarmEmail: 'on-call@example.com' });
  const subscriptions = Object.values(ofType({ Resources, Outputs }, 'AWS::SNS::Subscription'));
  expect(subscriptions.map(({ Properties }) => Properties)).toEqual([
    { Protocol: 'email', Endpoint: 'on-call@example.com', TopicArn: 'ObservabilityAlarms' },
  ]);
});

test('a topic that is there already takes the place of the own one', () => {
  const alarmTopicArn = 'arn:aws:sns:eu-central-1:123456789012:on-call';
  const other = synthesize({ ...contextWithWebhook, alarmTopicArn });
  expect(Object.values(ofType(other, 'AWS::SNS::Topic'))).toEqual([]);
  for (const { Properties } of Object.values(ofType(other, 'AWS::CloudWatch::Alarm'))) {
    expect(Properties).toMatchObject({ AlarmActions: [alarmTopicArn], OKActions: [alarmTopicArn] });
  }
});

test('an address and a topic are told both', () => {
  const alarmTopicArn = 'arn:aws:sns:eu-central-1:123456789012:on-call';
  const both = synthesize({ ...contextWithWebhook, alarmTopicArn, alarmEmail: 'on-call@example.com' });
  expect(Object.values(ofType(both, 'AWS::SNS::Subscription'))).toHaveLength(1);
  for (const { Properties } of Object.values(ofType(both, 'AWS::CloudWatch::Alarm'))) {
    expect(Properties.AlarmActions).toEqual([alarmTopicArn, 'ObservabilityAlarms']);
  }
});
