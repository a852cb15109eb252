import { describe, expect, test } from '@jest/globals';
import { context, contextWithWebhook, ofType, synthesize } from './synthesized.ts';

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

const { UPSTASH_SECRET_ARN: _, ...ledgerAlone } = ledgerAndCache;

const forBackEnds = { ...ledgerAndCache, SERVICE_SCOPE: 'tidemark/service' };
const connectionsUrl = 'https://LiveWebSockets.execute-api.AWS::Region.AWS::URLSuffix/live';
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
      'Liveauthorizeconnection',
      'Liveopenconnection',
      'Livecloseconnection',
      'Liveanswerframe',
      'Notifynotify',
      'Notifypushframes',
      'Notifydeliverwebhook',
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
    [
      'Factsapplyfacts',
      {
        ...ledgerAndCache,
        QUEUE_URL: 'FactsSubscriptionQueue',
        DEAD_LETTER_QUEUE_URL: 'FactsSubscriptionDeadLetters',
      },
    ],
    [
      'Projectionprojectledger',
      { ...ledgerAndCache, EVENT_BUS_NAME: 'Bus', DEAD_LETTER_QUEUE_URL: 'ProjectionDeadLetters' },
    ],
    [
      'Liveauthorizeconnection',
      {
        TOKEN_ISSUERS: '[{"issuer":"https://login.example.com/","audience":["tidemark"]}]',
        USER_SCOPE: 'tidemark/user',
        SERVICE_SCOPE: 'tidemark/service',
      },
    ],
    ['Liveopenconnection', { ...ledgerAndCache, CONNECTIONS_URL: connectionsUrl }],
    ['Livecloseconnection', ledgerAlone],
    ['Liveanswerframe', { ...ledgerAndCache, MEMBERSHIP: 'strict', CONNECTIONS_URL: connectionsUrl }],
    [
      'Notifynotify',
      { ...ledgerAndCache, CONNECTIONS_URL: connectionsUrl, FRAMES_QUEUE_URL: 'NotifyFrames' },
    ],
    [
      'Notifypushframes',
      {
        ...ledgerAndCache,
        CONNECTIONS_URL: connectionsUrl,
        QUEUE_URL: 'NotifyFrames',
        DEAD_LETTER_QUEUE_URL: 'NotifyFramesDeadLetters',
      },
    ],
    ['Publicationpublishevents', { EVENT_BUS_NAME: 'Bus', DEAD_LETTER_QUEUE_URL: 'PublicationDeadLetters' }],
    [
      'Notifydeliverwebhook',
      {
        WEBHOOK_URL: 'https://chat.example.com/hooks/tidemark',
        WEBHOOK_SECRET_ARN: 'NotifyWebhookSecret',
        QUEUE_URL: 'NotifyWebhookQueue',
        DEAD_LETTER_QUEUE_URL: 'NotifyWebhookDeadLetters',
      },
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
    ['Factsapplyfacts', 'apply-facts', 60],
    ['Projectionprojectledger', 'project-ledger', 30],
    ['Publicationpublishevents', 'publish-events', 30],
    ['Liveauthorizeconnection', 'authorize-connection', 10],
    ['Liveopenconnection', 'open-connection', 10],
    ['Livecloseconnection', 'close-connection', 10],
    ['Liveanswerframe', 'answer-frame', 10],
    ['Notifynotify', 'notify', 30],
    ['Notifypushframes', 'push-frames', 60],
    ['Notifydeliverwebhook', 'deliver-webhook', 60],
  ])('%s runs as the others do', (functionId, name, timeoutSeconds) => {
    expect(functions[functionId]?.Properties).toMatchObject({
      FunctionName: `tidemark-test-${name}`,
      Handler: 'index.handler',
      Runtime: 'nodejs24.x',
      Architectures: ['arm64'],
      MemorySize: 256,
      Timeout: timeoutSeconds,
      LoggingConfig: { LogFormat: 'JSON', LogGroup: `${functionId}log`, SystemLogLevel: 'WARN' },
    });
    // Somebody waits for the answer of a route; all else is told enough of in the logs.
    const isRoute =
      functionId.startsWith('Api') || /^Live(authorize|open)connection|^Liveanswer/.test(functionId);
    expect(functions[functionId]?.Properties.TracingConfig).toEqual(isRoute ? { Mode: 'Active' } : undefined);
    expect(template.Resources[`${functionId}log`]?.Properties).toEqual({
      LogGroupName: `/aws/lambda/tidemark-test-${name}`,
      RetentionInDays: 30,
    });
  });
});

describe('a deployment without the WebSocket API', () => {
  const withoutLive = synthesize({ ...contextWithWebhook, live: 'off' });

  test('has none of its resources, and no function that may post to a connection', () => {
    expect(Object.keys(withoutLive.Resources).filter((id) => /^Live|Frames|pushframes/.test(id))).toEqual([]);
    expect(JSON.stringify(withoutLive)).not.toMatch(/ManageConnections|WEBSOCKET/);
    expect(Object.keys(withoutLive.Outputs)).not.toContain('WebSocketUrl');
  });

  test('tells notify nothing: it only logs', () => {
    expect(withoutLive.Resources.Notifynotify?.Properties.Environment).toBeUndefined();
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
      'Allow dynamodb:DeleteItem',
      'Allow dynamodb:DescribeStream',
      'Allow dynamodb:GetItem',
      'Allow dynamodb:GetRecords',
      'Allow dynamodb:GetShardIterator',
      'Allow dynamodb:ListStreams',
      'Allow dynamodb:Query',
      'Allow dynamodb:UpdateItem',
      'Allow events:PutEvents',
      'Allow execute-api:ManageConnections',
      'Allow logs:CreateLogStream',
      'Allow logs:PutLogEvents',
      'Allow secretsmanager:GetSecretValue',
      'Allow sqs:ChangeMessageVisibility',
      'Allow sqs:DeleteMessage',
      'Allow sqs:GetQueueAttributes',
      'Allow sqs:ReceiveMessage',
      'Allow sqs:SendMessage',
      'Allow xray:PutTelemetryRecords',
      'Allow xray:PutTraceSegments',
    ]);
  });

  test('name their resources, but for X-Ray, which has none, and connections, which have no names yet', () => {
    const connections = (method: string) =>
      `arn:AWS::Partition:execute-api:AWS::Region:AWS::AccountId:LiveWebSockets/live/${method}/@connections/*`;
    const wild = allowed.filter(({ Resource }) => JSON.stringify(Resource).includes('*'));
    expect([...new Set(wild.map(({ action, Resource }) => `${action} ${Resource}`))].sort()).toEqual([
      `execute-api:ManageConnections ${connections('DELETE')}`,
      `execute-api:ManageConnections ${connections('DELETE')},${connections('POST')}`,
      'xray:PutTelemetryRecords *',
      'xray:PutTraceSegments *',
    ]);
  });
});

describe('a deployment without events', () => {
  const { Resources, Outputs } = synthesize({ ...context, events: 'off' });
  const silent = { Resources, Outputs };

  test('has no function that publishes or carries them, and none that may', () => {
    const names = Object.values(ofType(silent, 'AWS::Lambda::Function')).map(({ Properties }) =>
      String(Properties.FunctionName).replace('tidemark-test-', ''),
    );
    expect(names).not.toContain('publish-events');
    expect(names).not.toContain('notify');
    expect(names).not.toContain('deliver-webhook');
    expect(names).not.toContain('push-frames');
    expect(names).toHaveLength(21);
    expect(JSON.stringify(silent.Resources)).not.toContain('events:PutEvents');
  });

  test('hears facts all the same, and keeps the signing secret for when events are turned on again', () => {
    expect(silent.Resources.FactsSubscriptionRule).toBeDefined();
    expect(Object.keys(silent.Outputs)).toContain('WebhookSecretArn');
    expect(silent.Resources.Projectionprojectledger?.Properties.Environment).not.toMatchObject({
      Variables: { EVENT_BUS_NAME: expect.anything() },
    });
  });
});
