import { expect, test } from '@jest/globals';
import type { Template } from '../../../local/aws/cloudformation/template.ts';
import { EventBus, type EventBusOptions } from '../../../local/aws/events/event-bus.ts';
import { eventually } from '../../support/engines.ts';

const ARN = 'arn:aws:events:us-east-1:000000000000:rule/the-bus/Rule';

/** A template with a bus and these resources. */
const templateOf = (resources: Template['resources']): Template => ({
  stackName: 'a-stack',
  resources: [
    { logicalId: 'Bus', type: 'AWS::Events::EventBus', properties: { Name: 'the-bus' } },
    ...resources,
  ],
  identityOf: (logicalId) => ({ ref: logicalId, attributes: { Arn: ARN } }),
  assetDirectory: () => undefined,
});

test('a rule on a bus that does not exist stops the start', () => {
  const template = templateOf([
    {
      logicalId: 'Rule',
      type: 'AWS::Events::Rule',
      properties: { EventBusName: 'the-bsu', EventPattern: {}, State: 'ENABLED', Targets: [] },
    },
  ]);
  expect(() => new EventBus(template, {} as EventBusOptions)).toThrow('Rule: there is no event bus the-bsu');
});

test('an event whose function does not end does not keep back the next events', async () => {
  const queue = { definition: { name: 'given-up', arn: 'arn:given-up', url: 'http://given-up' } };
  const template = templateOf([
    {
      logicalId: 'Rule',
      type: 'AWS::Events::Rule',
      properties: {
        EventBusName: 'the-bus',
        EventPattern: { source: ['chat'] },
        State: 'ENABLED',
        Targets: ['listener', 'other'].map((name) => ({
          Arn: `arn:aws:lambda:us-east-1:000000000000:function:${name}`,
          Id: name,
          DeadLetterConfig: { Arn: 'arn:given-up' },
          RetryPolicy: { MaximumEventAgeInSeconds: 86_400, MaximumRetryAttempts: 185 },
        })),
      },
    },
    ...['listener', 'other'].map((name) => ({
      logicalId: `MayInvoke${name}`,
      type: 'AWS::Lambda::Permission',
      properties: {
        Action: 'lambda:InvokeFunction',
        FunctionName: name,
        Principal: 'events.amazonaws.com',
        SourceArn: ARN,
      },
    })),
    {
      logicalId: 'MaySend',
      type: 'AWS::SQS::QueuePolicy',
      properties: {
        Queues: ['http://given-up'],
        PolicyDocument: {
          Version: '2012-10-17',
          Statement: [
            {
              Effect: 'Allow',
              Action: 'sqs:SendMessage',
              Principal: { Service: 'events.amazonaws.com' },
              Resource: 'arn:given-up',
              Condition: { ArnEquals: { 'aws:SourceArn': ARN } },
            },
          ],
        },
      },
    },
  ]);
  const invoked: string[] = [];
  const bus = new EventBus(template, {
    events: { append() {}, entries: [] },
    deliveries: { append() {}, entries: [] },
    lambda: {
      pool() {},
      invokeAsync: (name: string, payload: string) => {
        const { detail } = JSON.parse(payload);
        invoked.push(`${name} ${detail.number}`);
        return detail.number === 1 ? new Promise(() => {}) : Promise.resolve({ ok: true });
      },
    },
    queues: { get: () => queue },
    log: { line() {} },
  } as unknown as EventBusOptions);
  const entryOf = (number: number) => ({
    EventBusName: 'the-bus',
    Source: 'chat',
    DetailType: 'Said',
    Detail: JSON.stringify({ number }),
  });
  bus.put([1, 2, 3, 4].map(entryOf));
  const expected = [
    ...['listener 1', 'listener 2', 'listener 3', 'listener 4'],
    ...['other 1', 'other 2', 'other 3', 'other 4'],
  ];
  await eventually(() => expect(invoked.toSorted()).toEqual(expected));
});
