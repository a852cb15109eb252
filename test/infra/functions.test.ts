import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { expectedFunctions } from '../support/expected-functions.ts';
import { context, contextWithWebhook, ofType, synthesize } from './synthesized.ts';

interface PolicyDocument {
  readonly Statement: readonly { readonly Action: string | readonly string[]; readonly Resource: unknown }[];
}

const template = synthesize(contextWithWebhook);
const functions = ofType(template, 'AWS::Lambda::Function');

test('the functions are exactly those of the table', () => {
  expect(Object.keys(functions)).toEqual(expectedFunctions.map(({ id }) => id));
});

describe.each(expectedFunctions)(
  '$name',
  ({ name, id, timeoutSeconds, environment, routes, isTraced = routes.length > 0 }) => {
    const properties = functions[id]?.Properties;

    test('has its own role with a single policy', () => {
      expect(properties?.Role).toBe(`${id}role.Arn`);
      expect(Object.keys(template.Resources[`${id}role`]?.Properties ?? {})).toEqual([
        'AssumeRolePolicyDocument',
        'Description',
      ]);
    });

    test('has the environment variables that it needs and no others', () => {
      expect(properties?.Environment).toEqual(environment && { Variables: environment });
    });

    test('has the common settings and its own timeout', () => {
      expect(properties).toMatchObject({
        FunctionName: `tidemark-test-${name}`,
        Handler: 'index.handler',
        Runtime: 'nodejs24.x',
        Architectures: ['arm64'],
        MemorySize: 256,
        Timeout: timeoutSeconds,
        LoggingConfig: { LogFormat: 'JSON', LogGroup: `${id}log`, SystemLogLevel: 'WARN' },
      });
      // Only functions that callers wait for are traced. For the others the logs are enough.
      expect(properties?.TracingConfig).toEqual(isTraced ? { Mode: 'Active' } : undefined);
      expect(template.Resources[`${id}log`]?.Properties).toEqual({
        LogGroupName: `/aws/lambda/tidemark-test-${name}`,
        RetentionInDays: 30,
      });
    });
  },
);

describe('a deployment without the WebSocket API', () => {
  const withoutLive = synthesize({ ...contextWithWebhook, live: 'off' });

  test('has none of its resources, and no function that may post to a connection', () => {
    expect(Object.keys(withoutLive.Resources).filter((id) => /^Live|Frames|pushframes/.test(id))).toEqual([]);
    expect(JSON.stringify(withoutLive)).not.toMatch(/ManageConnections|WEBSOCKET/);
    expect(Object.keys(withoutLive.Outputs)).not.toContain('WebSocketUrl');
  });

  test('gives notify no variables: it only logs', () => {
    expect(withoutLive.Resources.Notifynotify?.Properties.Environment).toBeUndefined();
  });
});

describe('the timeout of Lambda', () => {
  const timeouts = (isMeant: (id: string) => boolean) =>
    Object.entries(functions)
      .filter(([id]) => isMeant(id))
      .map(([, { Properties }]) => Number(Properties.Timeout));

  // A call of the ledger takes 6 s at most, with pauses between its tries. Half a second is kept for the answer 503.
  test('of a route comes after the bound of a call, and before the 30 s of the gateway', () => {
    const ofRoutes = timeouts((id) => id.startsWith('Api'));
    expect(Math.min(...ofRoutes)).toBeGreaterThanOrEqual(7);
    expect(Math.max(...ofRoutes)).toBeLessThan(30);
    for (const { Properties } of Object.values(ofType(template, 'AWS::ApiGatewayV2::Integration'))) {
      // No time of its own: then it is 30 s.
      expect(Properties).not.toHaveProperty('TimeoutInMillis');
    }
  });

  // 6 s for members whom the cache lacks, 10 s for the searches, 2 s for a call of the bus, 3 s for the report.
  test('of a reader of the stream leaves time to report what failed', () => {
    const ofStream = timeouts((id) => /^(Projection|Publication)/.test(id));
    expect(ofStream).toHaveLength(2);
    expect(Math.min(...ofStream)).toBeGreaterThanOrEqual(21);
  });

  // 20 s for one fact, frame or reminder, 9 s for the calls to the queues.
  test('of a worker of a queue leaves time to report what failed', () => {
    const ofQueues = timeouts((id) => /(applyfacts|deliverwebhook|pushframes|sendreminders)$/.test(id));
    expect(ofQueues).toHaveLength(4);
    expect(Math.min(...ofQueues)).toBeGreaterThanOrEqual(29);
  });
});

describe('roles', () => {
  // The local stack evaluates these policies: its tests show that each function has the permissions it needs.
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

  test('allow exactly these actions', () => {
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
      // Of the schedule's role alone.
      'Allow lambda:InvokeFunction',
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

  test('name their resources, except for X-Ray, which has no ARNs, and connections, which have no ids yet', () => {
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

  test('has no function that publishes or delivers events, and no permission to publish', () => {
    const names = Object.values(ofType(silent, 'AWS::Lambda::Function')).map(({ Properties }) =>
      String(Properties.FunctionName).replace('tidemark-test-', ''),
    );
    const ofEvents = [
      ...['publish-events', 'find-reminders', 'send-reminders'],
      ...['notify', 'deliver-webhook', 'push-frames'],
    ];
    expect(names).toEqual(
      expectedFunctions.map(({ name }) => name).filter((name) => !ofEvents.includes(name)),
    );
    expect(JSON.stringify(silent.Resources)).not.toContain('events:PutEvents');
    expect(Object.keys(silent.Resources).filter((id) => id.startsWith('Reminders'))).toEqual([]);
  });

  test('still receives facts, and keeps the signing secret for when events are turned on again', () => {
    expect(silent.Resources.FactsSubscriptionRule).toBeDefined();
    expect(Object.keys(silent.Outputs)).toContain('WebhookSecretArn');
    expect(silent.Resources.Projectionprojectledger?.Properties.Environment).not.toMatchObject({
      Variables: { EVENT_BUS_NAME: expect.anything() },
    });
  });
});

// Lambda ends a chain of about sixteen invocations over a queue otherwise.
test('exactly the functions that continue their work by a job for themselves may do so without end', () => {
  const policies = Object.values(ofType(template, 'AWS::IAM::Policy'));
  const maySend = (functionId: string, queue: string) =>
    policies
      .filter(({ Properties }) => isDeepStrictEqual(Properties.Roles, [`${functionId}role`]))
      .flatMap(({ Properties }) => (Properties.PolicyDocument as PolicyDocument).Statement)
      .some(
        ({ Action, Resource }) =>
          [Action].flat().includes('sqs:SendMessage') && [Resource].flat().includes(queue),
      );
  const sources = Object.values(ofType(template, 'AWS::Lambda::EventSourceMapping'));
  const ownSenders = sources.flatMap(({ Properties: { FunctionName, EventSourceArn } }) =>
    maySend(String(FunctionName), String(EventSourceArn)) ? [String(FunctionName)] : [],
  );
  expect(ownSenders.toSorted()).toEqual(['Erasureerase', 'Reminderssendreminders']);
  const allowed = Object.entries(functions).filter(
    ([, { Properties }]) => Properties.RecursiveLoop === 'Allow',
  );
  expect(allowed.map(([id]) => id).toSorted()).toEqual(ownSenders.toSorted());
});
