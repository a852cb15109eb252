import { describe, expect, test } from '@jest/globals';
import { contextWithWebhook, ofType, synthesize } from './synthesized.ts';

const template = synthesize(contextWithWebhook);
const functions = ofType(template, 'AWS::Lambda::Function');
const ids = Object.keys(functions);

const upstash = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:tidemark/upstash-Ab1Cd2';
const ledgerAndCache = {
  TABLE_NAME: 'LedgerTable',
  MEMBERS_INDEX_NAME: 'members',
  MESSAGE_RETENTION_DAYS: '90',
  UPSTASH_SECRET_ARN: upstash,
};

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

  test.each(ids)('%s has a role of its own with that one policy', (functionId) => {
    expect(functions[functionId]?.Properties.Role).toBe(`${functionId}role.Arn`);
    expect(Object.keys(template.Resources[`${functionId}role`]?.Properties ?? {})).toEqual([
      'AssumeRolePolicyDocument',
      'Description',
    ]);
  });

  test.each([
    ['Apimarkread', { ...ledgerAndCache, MEMBERSHIP: 'strict' }],
    ['Apimarkunread', ledgerAndCache],
    ['Apimarkdelivered', { ...ledgerAndCache, MEMBERSHIP: 'strict' }],
    ['Apimarkgroups', { ...ledgerAndCache, MEMBERSHIP: 'strict' }],
    ['Apigetinbox', ledgerAndCache],
    ['Apilistreceipts', ledgerAndCache],
    ['Apicountreceipts', ledgerAndCache],
    ['Apigetwatermark', ledgerAndCache],
    ['Apigetmessagestatus', ledgerAndCache],
    ['Apiaddmembers', ledgerAndCache],
    ['Apilistmembers', ledgerAndCache],
    ['Apiremovemember', ledgerAndCache],
    ['Apirecordmessage', ledgerAndCache],
    ['Apideletemessage', ledgerAndCache],
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

describe('roles', () => {
  // That each function has what it needs, and nothing that it does not, the local stack shows: it evaluates these policies.
  const policies = Object.values(ofType(template, 'AWS::IAM::Policy')).map(
    ({ Properties }) => Properties.PolicyDocument as { Statement: Statement[] },
  );
  const allowed = policies
    .flatMap(({ Statement }) => Statement)
    .flatMap(({ Effect, Action, Resource }) =>
      [Action].flat().map((action) => ({ Effect, action, Resource })),
    );

  interface Statement {
    readonly Effect: string;
    readonly Action: string | string[];
    readonly Resource: string;
  }

  test('allow these actions and no other', () => {
    expect([...new Set(allowed.map(({ Effect, action }) => `${Effect} ${action}`))].sort()).toEqual([
      'Allow dynamodb:BatchGetItem',
      'Allow dynamodb:DescribeStream',
      'Allow dynamodb:GetItem',
      'Allow dynamodb:GetRecords',
      'Allow dynamodb:GetShardIterator',
      'Allow dynamodb:ListStreams',
      'Allow dynamodb:Query',
      'Allow dynamodb:UpdateItem',
      'Allow events:PutEvents',
      'Allow logs:CreateLogStream',
      'Allow logs:PutLogEvents',
      'Allow secretsmanager:GetSecretValue',
      'Allow sqs:SendMessage',
      'Allow xray:PutTelemetryRecords',
      'Allow xray:PutTraceSegments',
    ]);
  });

  test('name their resources, but for X-Ray, which has none', () => {
    const wild = allowed.filter(({ Resource }) => JSON.stringify(Resource).includes('*'));
    expect([...new Set(wild.map(({ action, Resource }) => `${action} ${Resource}`))].sort()).toEqual([
      'xray:PutTelemetryRecords *',
      'xray:PutTraceSegments *',
    ]);
  });
});

describe('notify without a webhook', () => {
  const bare = synthesize();

  test('has no secret, no permission to read one, and no URL', () => {
    expect(ofType(bare, 'AWS::SecretsManager::Secret')).toEqual({});
    expect(bare.Resources.Notifynotify?.Properties.Environment).toBeUndefined();
    expect(JSON.stringify(bare.Resources.NotifynotifyroleDefaultPolicy)).not.toContain('secretsmanager');
    expect(Object.keys(bare.Outputs)).toEqual(['AlarmTopicArn', 'ApiUrl', 'TableName', 'EventBusName']);
  });
});
