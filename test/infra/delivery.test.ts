import { describe, expect, test } from '@jest/globals';
import { ofType, synthesize } from './synthesized.ts';

const template = synthesize();

describe('the stream', () => {
  const isMove = '{"eventName":["MODIFY"],"dynamodb":{"NewImage":{"kind":{"S":["membership"]}}}}';

  test.each([
    ['Projection', 'Projectionprojectledger', {}],
    ['Publication', 'Publicationpublishevents', { FilterCriteria: { Filters: [{ Pattern: isMove }] } }],
  ])(
    'of %s is retried within bounds, narrowed to the bad record, and given up into a queue',
    (owner, consumer, filter) => {
      expect(ofType(template, 'AWS::Lambda::EventSourceMapping')[`${owner}Source`]?.Properties).toEqual({
        FunctionName: consumer,
        EventSourceArn: 'LedgerTable.StreamArn',
        StartingPosition: 'TRIM_HORIZON',
        BatchSize: 100,
        MaximumBatchingWindowInSeconds: 0,
        ParallelizationFactor: 1,
        FunctionResponseTypes: ['ReportBatchItemFailures'],
        BisectBatchOnFunctionError: true,
        MaximumRetryAttempts: 1000,
        MaximumRecordAgeInSeconds: 21600,
        DestinationConfig: { OnFailure: { Destination: `${owner}DeadLetters.Arn` } },
        ...filter,
      });
    },
  );

  test('has no more readers than a shard bears', () => {
    expect(Object.keys(ofType(template, 'AWS::Lambda::EventSourceMapping'))).toHaveLength(2);
  });
});

describe('the bus', () => {
  const retryPolicy = { MaximumRetryAttempts: 185, MaximumEventAgeInSeconds: 86400 };

  test('hands facts and own events over, with retries and a queue for what it gives up', () => {
    const rules = ofType(template, 'AWS::Events::Rule');
    expect(Object.keys(rules)).toEqual(['FactsSubscriptionRule', 'NotifySubscriptionRule']);
    expect(rules.FactsSubscriptionRule?.Properties).toMatchObject({
      EventBusName: 'Bus',
      State: 'ENABLED',
      EventPattern: {
        source: ['chat'],
        'detail-type': ['MessageSent', 'MessageDeleted', 'MemberJoined', 'MemberLeft'],
      },
      Targets: [
        {
          Arn: 'Factsapplyfacts.Arn',
          RetryPolicy: retryPolicy,
          DeadLetterConfig: { Arn: 'FactsSubscriptionDeadLetters.Arn' },
        },
      ],
    });
    expect(rules.NotifySubscriptionRule?.Properties).toMatchObject({
      EventBusName: 'Bus',
      State: 'ENABLED',
      EventPattern: { source: ['tidemark'] },
      Targets: [
        {
          Arn: 'Notifynotify.Arn',
          RetryPolicy: retryPolicy,
          DeadLetterConfig: { Arn: 'NotifySubscriptionDeadLetters.Arn' },
        },
      ],
    });
  });

  test.each([
    ['Factsapplyfacts', 'FactsSubscription'],
    ['Notifynotify', 'NotifySubscription'],
  ])('%s is invoked by its rule alone, and retried when it fails', (functionId, subscription) => {
    const permissions = Object.values(ofType(template, 'AWS::Lambda::Permission')).filter(
      ({ Properties }) => Properties.FunctionName === `${functionId}.Arn`,
    );
    expect(permissions.map(({ Properties }) => [Properties.Principal, Properties.SourceArn])).toEqual([
      ['events.amazonaws.com', `${subscription}Rule.Arn`],
    ]);
    expect(template.Resources[`${functionId}EventInvokeConfig`]?.Properties).toEqual({
      FunctionName: functionId,
      Qualifier: '$LATEST',
      MaximumRetryAttempts: 2,
      MaximumEventAgeInSeconds: 21600,
      DestinationConfig: { OnFailure: { Destination: `${subscription}DeadLetters.Arn` } },
    });
  });
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

  test('is one of four, and only its own rule may send to it besides its function', () => {
    expect(Object.keys(ofType(template, 'AWS::SQS::Queue'))).toEqual([
      'ProjectionDeadLetters',
      'PublicationDeadLetters',
      'FactsSubscriptionDeadLetters',
      'NotifySubscriptionDeadLetters',
    ]);
    const senders = Object.values(ofType(template, 'AWS::SQS::QueuePolicy'))
      .flatMap(
        ({ Properties }) => (Properties.PolicyDocument as { Statement: Record<string, unknown>[] }).Statement,
      )
      .filter(({ Effect }) => Effect === 'Allow')
      .map(({ Action, Principal, Resource, Condition }) => ({ Action, Principal, Resource, Condition }));
    expect(senders).toEqual(
      ['FactsSubscription', 'NotifySubscription'].map((subscription) => ({
        Action: 'sqs:SendMessage',
        Principal: { Service: 'events.amazonaws.com' },
        Resource: `${subscription}DeadLetters.Arn`,
        Condition: { ArnEquals: { 'aws:SourceArn': `${subscription}Rule.Arn` } },
      })),
    );
  });
});
