import { describe, expect, test } from '@jest/globals';
import { contextWithWebhook, ofType, synthesize } from './synthesized.ts';

const template = synthesize(contextWithWebhook);
const functions = ofType(template, 'AWS::Lambda::Function');
const ids = Object.keys(functions);

interface Statement {
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Resource: string;
}

/** All that a function may do, one `action resource` a line. */
function permissions(functionId: string): readonly string[] {
  return Object.values(ofType(template, 'AWS::IAM::Policy'))
    .filter(({ Properties }) => String(Properties.Roles) === `${functionId}role`)
    .flatMap(({ Properties }) => (Properties.PolicyDocument as { Statement: Statement[] }).Statement)
    .flatMap(({ Effect, Action, Resource }) =>
      [Action].flat().map((action) => `${Effect} ${action} ${Resource}`),
    )
    .sort();
}

/** What every function may do: write its own log and its traces. */
function everyone(functionId: string): readonly string[] {
  return [
    `Allow logs:CreateLogStream ${functionId}log.Arn`,
    `Allow logs:PutLogEvents ${functionId}log.Arn`,
    'Allow xray:PutTelemetryRecords *',
    'Allow xray:PutTraceSegments *',
  ];
}

const upstash = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:tidemark/upstash-Ab1Cd2';
const cache = `Allow secretsmanager:GetSecretValue ${upstash}`;
const stream = ['DescribeStream', 'GetRecords', 'GetShardIterator', 'ListStreams'].map(
  (action) => `Allow dynamodb:${action} LedgerTable.StreamArn`,
);
const ledgerAndCache = {
  TABLE_NAME: 'LedgerTable',
  MEMBERS_INDEX_NAME: 'members',
  MESSAGE_RETENTION_DAYS: '90',
  UPSTASH_SECRET_ARN: upstash,
};

const forBackEnds = { ...ledgerAndCache, SERVICE_SCOPE: 'tidemark/service' };
const forBoth = { ...forBackEnds, USER_SCOPE: 'tidemark/user' };

describe('each function', () => {
  test('is one of these', () => {
    expect(ids).toEqual([
      'Apimarkread',
      'Apimarkunread',
      'Apimarkdelivered',
      'Apimarkgroups',
      'Apigetwatermark',
      'Apigetmessagestatus',
      'Apigetinbox',
      'Apilistreceipts',
      'Apicountreceipts',
      'Apiaddmembers',
      'Apilistmembers',
      'Apiremovemember',
      'Apirecordmessage',
      'Apideletemessage',
      'Apicheckhealth',
      'Projectionprojectledger',
      'Publicationpublishevents',
      'Factsapplyfacts',
      'Notifynotify',
    ]);
  });

  test.each([
    ['Apimarkread', ['GetItem', 'Query', 'UpdateItem']],
    ['Apimarkunread', ['GetItem', 'Query', 'UpdateItem']],
    ['Apimarkdelivered', ['GetItem', 'UpdateItem']],
    ['Apimarkgroups', ['GetItem', 'UpdateItem']],
    ['Apigetinbox', ['BatchGetItem', 'GetItem', 'Query']],
    ['Apigetwatermark', ['GetItem', 'Query']],
    ['Apigetmessagestatus', ['BatchGetItem', 'GetItem']],
    ['Apiaddmembers', ['GetItem', 'UpdateItem']],
    ['Apiremovemember', ['UpdateItem']],
    ['Apirecordmessage', ['BatchGetItem', 'UpdateItem']],
    ['Apideletemessage', ['UpdateItem']],
    ['Apicheckhealth', ['GetItem']],
  ])('%s may do %p to the ledger, and use the cache', (functionId, actions) => {
    const ledger = actions.map((action) => `Allow dynamodb:${action} LedgerTable.Arn`);
    expect(permissions(functionId)).toEqual([...ledger, cache, ...everyone(functionId)].sort());
  });

  test('list-members may query the index and get the items it points to', () => {
    expect(permissions('Apilistmembers')).toEqual(
      [
        'Allow dynamodb:BatchGetItem LedgerTable.Arn',
        'Allow dynamodb:Query LedgerTable.Arn/index/members',
        cache,
        ...everyone('Apilistmembers'),
      ].sort(),
    );
  });

  test.each(['Apilistreceipts', 'Apicountreceipts'])(
    '%s may read the group: its members by the index, its messages',
    (functionId) => {
      expect(permissions(functionId)).toEqual(
        [
          'Allow dynamodb:BatchGetItem LedgerTable.Arn',
          'Allow dynamodb:GetItem LedgerTable.Arn',
          'Allow dynamodb:Query LedgerTable.Arn',
          'Allow dynamodb:Query LedgerTable.Arn/index/members',
          cache,
          ...everyone(functionId),
        ].sort(),
      );
    },
  );

  test('project-ledger may read the stream and the members of a group, and publish; it writes no item', () => {
    expect(permissions('Projectionprojectledger')).toEqual(
      [
        'Allow dynamodb:BatchGetItem LedgerTable.Arn',
        ...stream,
        'Allow dynamodb:Query LedgerTable.Arn/index/members',
        'Allow events:PutEvents Bus.Arn',
        cache,
        'Allow sqs:SendMessage ProjectionDeadLetters.Arn',
        ...everyone('Projectionprojectledger'),
      ].sort(),
    );
  });

  test('publish-events may read the stream and publish, and sees neither ledger nor cache', () => {
    expect(permissions('Publicationpublishevents')).toEqual(
      [
        ...stream,
        'Allow events:PutEvents Bus.Arn',
        'Allow sqs:SendMessage PublicationDeadLetters.Arn',
        ...everyone('Publicationpublishevents'),
      ].sort(),
    );
  });

  test('apply-facts may write the ledger and give up', () => {
    expect(permissions('Factsapplyfacts')).toEqual(
      [
        'Allow dynamodb:BatchGetItem LedgerTable.Arn',
        'Allow dynamodb:GetItem LedgerTable.Arn',
        'Allow dynamodb:Query LedgerTable.Arn',
        'Allow dynamodb:UpdateItem LedgerTable.Arn',
        cache,
        'Allow sqs:SendMessage FactsSubscriptionDeadLetters.Arn',
        ...everyone('Factsapplyfacts'),
      ].sort(),
    );
  });

  test('notify may read the secret of its webhook and give up', () => {
    expect(permissions('Notifynotify')).toEqual(
      [
        'Allow secretsmanager:GetSecretValue NotifyWebhookSecret',
        'Allow sqs:SendMessage NotifySubscriptionDeadLetters.Arn',
        ...everyone('Notifynotify'),
      ].sort(),
    );
  });

  test.each(ids)('%s has a role of its own with that one policy', (functionId) => {
    expect(functions[functionId]?.Properties.Role).toBe(`${functionId}role.Arn`);
    expect(Object.keys(template.Resources[`${functionId}role`]?.Properties ?? {})).toEqual([
      'AssumeRolePolicyDocument',
      'Description',
    ]);
  });

  test.each([
    ['Apimarkread', { ...forBoth, MEMBERSHIP: 'strict' }],
    ['Apimarkunread', forBoth],
    ['Apimarkdelivered', { ...forBoth, MEMBERSHIP: 'strict' }],
    ['Apimarkgroups', { ...forBoth, MEMBERSHIP: 'strict' }],
    ['Apigetinbox', forBoth],
    ['Apilistreceipts', forBoth],
    ['Apicountreceipts', forBoth],
    ['Apigetwatermark', forBoth],
    ['Apigetmessagestatus', forBoth],
    ['Apiaddmembers', forBackEnds],
    ['Apilistmembers', forBackEnds],
    ['Apiremovemember', forBackEnds],
    ['Apirecordmessage', forBackEnds],
    ['Apideletemessage', forBackEnds],
    ['Apicheckhealth', ledgerAndCache],
    ['Factsapplyfacts', ledgerAndCache],
    [
      'Projectionprojectledger',
      { ...ledgerAndCache, EVENT_BUS_NAME: 'Bus', DEAD_LETTER_QUEUE_URL: 'ProjectionDeadLetters' },
    ],
    ['Publicationpublishevents', { EVENT_BUS_NAME: 'Bus', DEAD_LETTER_QUEUE_URL: 'PublicationDeadLetters' }],
    [
      'Notifynotify',
      { WEBHOOK_URL: 'https://chat.example.com/hooks/tidemark', WEBHOOK_SECRET_ARN: 'NotifyWebhookSecret' },
    ],
  ])('%s is told what it needs and nothing else', (functionId, variables) => {
    expect(functions[functionId]?.Properties.Environment).toEqual({ Variables: variables });
  });

  test.each([
    ['Apimarkread', 'mark-read', 10],
    ['Apimarkunread', 'mark-unread', 10],
    ['Apimarkdelivered', 'mark-delivered', 10],
    ['Apimarkgroups', 'mark-groups', 10],
    ['Apigetinbox', 'get-inbox', 10],
    ['Apilistreceipts', 'list-receipts', 29],
    ['Apicountreceipts', 'count-receipts', 29],
    ['Apigetwatermark', 'get-watermark', 10],
    ['Apigetmessagestatus', 'get-message-status', 10],
    ['Apiaddmembers', 'add-members', 10],
    ['Apilistmembers', 'list-members', 10],
    ['Apiremovemember', 'remove-member', 10],
    ['Apirecordmessage', 'record-message', 10],
    ['Apideletemessage', 'delete-message', 10],
    ['Apicheckhealth', 'check-health', 10],
    ['Factsapplyfacts', 'apply-facts', 30],
    ['Projectionprojectledger', 'project-ledger', 30],
    ['Publicationpublishevents', 'publish-events', 30],
    ['Notifynotify', 'notify', 15],
  ])('%s runs as the others do', (functionId, name, timeoutSeconds) => {
    expect(functions[functionId]?.Properties).toMatchObject({
      FunctionName: `tidemark-test-${name}`,
      Handler: 'index.handler',
      Runtime: 'nodejs24.x',
      Architectures: ['arm64'],
      MemorySize: 256,
      Timeout: timeoutSeconds,
      TracingConfig: { Mode: 'Active' },
      LoggingConfig: { LogFormat: 'JSON', LogGroup: `${functionId}log` },
    });
    expect(template.Resources[`${functionId}log`]?.Properties).toEqual({
      LogGroupName: `/aws/lambda/tidemark-test-${name}`,
      RetentionInDays: 30,
    });
  });
});

describe('notify without a webhook', () => {
  const bare = synthesize();

  test('has no secret, no permission to read one, and no URL', () => {
    expect(ofType(bare, 'AWS::SecretsManager::Secret')).toEqual({});
    expect(bare.Resources.Notifynotify?.Properties.Environment).toBeUndefined();
    expect(JSON.stringify(bare.Resources.NotifynotifyroleDefaultPolicy)).not.toContain('secretsmanager');
    expect(Object.keys(bare.Outputs)).toEqual(['ApiUrl', 'TableName', 'EventBusName']);
  });
});
