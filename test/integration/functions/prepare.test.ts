import { DeleteTableCommand, type DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda';
import { Redis } from 'ioredis';
import type { FunctionName } from '../../../infra/bundle.ts';
import {
  connectDynamoDb,
  createLedgerTable,
  engines,
  eventually,
  freshPrefix,
  ownCredentials,
} from '../../support/engines.ts';
import { FaultProxy } from '../../support/fault-proxy.ts';
import { proxyEvent, tokenWith } from '../../support/proxy-event.ts';

const TABLE = freshPrefix('ledger');

let proxies: Record<'aws' | 'dynamodb' | 'upstash', FaultProxy>;
let dynamodb: DynamoDBClient;
let redis: Redis;

beforeAll(async () => {
  await createLedgerTable(TABLE);
  dynamodb = connectDynamoDb();
  redis = new Redis(engines.redisUrl);
});
afterAll(async () => {
  await dynamodb.send(new DeleteTableCommand({ TableName: TABLE }));
  dynamodb.destroy();
  redis.disconnect();
});

beforeEach(async () => {
  proxies = {
    aws: await FaultProxy.start(),
    dynamodb: await FaultProxy.start(),
    upstash: await FaultProxy.start(),
  };
  const upstash = { url: proxies.upstash.standBefore(engines.upstashUrl), token: engines.upstashToken };
  proxies.aws.always('GET /ping', { kind: 'answer', status: 200, body: 'healthy' });
  proxies.aws.always('GetSecretValue', {
    kind: 'answer',
    status: 200,
    body: { SecretString: JSON.stringify(upstash) },
  });
  Object.assign(process.env, {
    AWS_REGION: 'us-east-1',
    AWS_ACCESS_KEY_ID: ownCredentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: ownCredentials.secretAccessKey,
    AWS_LAMBDA_FUNCTION_NAME: 'a-function',
    AWS_ENDPOINT_URL_DYNAMODB: proxies.dynamodb.standBefore(engines.dynamodbEndpoint),
    AWS_ENDPOINT_URL_SECRETS_MANAGER: proxies.aws.url,
    AWS_ENDPOINT_URL_EVENTBRIDGE: proxies.aws.url,
    TABLE_NAME: TABLE,
    MEMBERS_INDEX_NAME: 'members',
    MESSAGE_RETENTION_DAYS: '90',
    MEMBERSHIP: 'open',
    UPSTASH_SECRET_ARN: 'a-secret',
    USER_SCOPE: 'tidemark/user',
    SERVICE_SCOPE: 'tidemark/service',
    QUEUE_URL: 'http://127.0.0.1:9/none',
    EVENT_BUS_NAME: 'a-bus',
    DEAD_LETTER_QUEUE_URL: 'http://127.0.0.1:9/none',
    ERASURES_QUEUE_URL: 'http://127.0.0.1:9/none',
  });
  for (const level of ['info', 'warn', 'error'] as const) {
    jest.spyOn(console, level).mockImplementation(() => undefined);
  }
  jest.resetModules();
});
afterEach(async () => {
  jest.restoreAllMocks();
  await Promise.all(Object.values(proxies).map((proxy) => proxy.stop()));
});

type Handler = (event: unknown, context: Context) => Promise<APIGatewayProxyStructuredResultV2>;

/** Starts an instance of a function, up to where it takes its first event. */
async function start(name: FunctionName): Promise<Handler> {
  const { handler } = await import(`../../../functions/${name}.ts`);
  return handler as Handler;
}

/** The calls so far, of each service in any order. */
const calls = () =>
  Object.fromEntries(
    Object.entries(proxies).map(([name, { requests }]) => [
      name,
      requests.map(({ operation }) => operation).toSorted(),
    ]),
  );

/** What was logged, but for calls of the cache that a busy machine was too slow for. */
const logged = () =>
  [console.info, console.warn, console.error]
    .flatMap((level) => (level as jest.Mock).mock.calls.flat() as { readonly message: string }[])
    .filter(({ message }) => message !== 'cache did not answer');

const readOfNobody = (method: string, groupId: string) =>
  proxyEvent({
    routeKey: method,
    params: { groupId, userId: 'ann' },
    headers: { authorization: `Bearer ${tokenWith('{"scope":"tidemark/service"}')}` },
    jwt: { claims: { scope: 'tidemark/service' }, scopes: ['tidemark/service'] },
  });

/** What each function asks of AWS, of the ledger and of the cache when it starts. */
const REHEARSALS: readonly (readonly [
  FunctionName,
  readonly string[],
  readonly string[],
  readonly string[],
])[] = [
  ['mark-read', ['GetSecretValue'], ['GetItem', 'GetItem', 'UpdateItem'], ['mergeFor', 'readView']],
  [
    'mark-unread',
    ['GetSecretValue'],
    ['GetItem', 'GetItem', 'UpdateItem'],
    ['doubtMember', 'mergeFor', 'readView'],
  ],
  ['mark-delivered', ['GetSecretValue'], ['GetItem', 'GetItem', 'UpdateItem'], ['mergeFor', 'readView']],
  ['mark-groups', ['GetSecretValue'], ['GetItem', 'GetItem', 'UpdateItem'], ['mergeFor', 'readView']],
  ['get-watermark', ['GetSecretValue'], ['GetItem', 'GetItem'], ['mergeFor', 'readView']],
  [
    'get-message-status',
    ['GetSecretValue'],
    ['GetItem', 'GetItem'],
    ['mergeFor', 'readStatuses', 'readView'],
  ],
  ['get-inbox', ['GetSecretValue'], ['Query'], ['mergeFor', 'readView']],
  ['list-receipts', ['GetSecretValue'], ['GetItem', 'GetItem'], ['countReceipts', 'mergeFor', 'readView']],
  ['count-receipts', ['GetSecretValue'], ['GetItem', 'GetItem'], ['countReceipts', 'mergeFor', 'readView']],
  ['add-members', ['GetSecretValue'], ['GetItem', 'UpdateItem'], ['mergeFor', 'readView']],
  ['list-members', ['GetSecretValue'], ['GetItem', 'Query'], ['mergeFor', 'readView']],
  ['remove-member', ['GetSecretValue'], ['UpdateItem'], ['mergeFor', 'readView']],
  ['record-message', ['GetSecretValue'], ['UpdateItem'], ['mergeFor', 'readView']],
  ['delete-message', ['GetSecretValue'], ['UpdateItem'], ['mergeFor', 'readView']],
  ['check-health', ['GetSecretValue'], ['GetItem'], ['mergeFor', 'readView']],
  ['project-ledger', ['GET /ping', 'GetSecretValue'], [], ['mergeFor', 'readView']],
  ['publish-events', ['GET /ping'], [], []],
  ['apply-facts', ['GetSecretValue'], ['GetItem', 'UpdateItem'], ['mergeFor', 'readView']],
];

/** Waits for all calls of the rehearsal: on a busy machine its bound ends the start before. */
async function rehearsed(name: FunctionName): Promise<void> {
  const rehearsal = REHEARSALS.find(([known]) => known === name);
  await eventually(() => {
    const { aws = [], dynamodb: ledger = [], upstash = [] } = calls();
    // A script that Redis does not know yet is sent twice: its digest, then its text.
    expect([name, aws, ledger, [...new Set(upstash)]]).toEqual(rehearsal);
  });
}

describe('a function that starts', () => {
  test.each(REHEARSALS.map(([name]) => name))(
    '%s reads the secret, connects and makes a call of each kind, and leaves nothing behind',
    async (name) => {
      await start(name);
      await rehearsed(name);
      const { Items } = await dynamodb.send(new ScanCommand({ TableName: TABLE, ConsistentRead: true }));
      expect(Items).toEqual([]);
      expect(await redis.keys('tm:{.}*')).toEqual([]);
      expect(logged()).toEqual([]);
    },
  );
});

describe('the first request of an instance', () => {
  test('calls the cache and the ledger, and repeats no call of the start', async () => {
    const handler = await start('get-watermark');
    await rehearsed('get-watermark');
    for (const { requests } of Object.values(proxies)) requests.length = 0;
    expect(await handler(readOfNobody('GET', freshPrefix()), {} as Context)).toMatchObject({
      statusCode: 404,
    });
    expect(calls()).toEqual({ aws: [], dynamodb: ['GetItem', 'GetItem'], upstash: ['readView'] });
  });

  test('is sent once more over connections that have died since the start', async () => {
    const handler = await start('get-watermark');
    await rehearsed('get-watermark');
    proxies.upstash.once('readView', { kind: 'lose request' });
    proxies.dynamodb.once('GetItem', { kind: 'lose request' });
    for (const { requests } of Object.values(proxies)) requests.length = 0;
    expect(await handler(readOfNobody('GET', freshPrefix()), {} as Context)).toMatchObject({
      statusCode: 404,
    });
    expect(calls()).toEqual({
      ...{ aws: [], upstash: ['readView', 'readView'] },
      dynamodb: ['GetItem', 'GetItem', 'GetItem'],
    });
    expect(logged()).toEqual([]);
  });
});

describe('a function whose rehearsal fails', () => {
  test.each([
    ['is silent', { kind: 'hang' }],
    ['refuses access', { kind: 'answer', status: 400, body: { __type: 'AccessDeniedException' } }],
  ] as const)(
    'starts all the same where the secret %s, and answers from the ledger',
    async (_what, fault) => {
      proxies.aws.clear();
      proxies.aws.always('GetSecretValue', fault);
      const handler = await start('get-watermark');
      expect(await handler(readOfNobody('GET', freshPrefix()), {} as Context)).toMatchObject({
        statusCode: 404,
      });
      expect(calls()).toMatchObject({ upstash: [] });
    },
  );

  test.each(['upstash', 'dynamodb'] as const)(
    'starts all the same where %s is silent, within its bound',
    async (name) => {
      proxies[name].always(() => true, { kind: 'hang' });
      const handler = await start('check-health');
      proxies[name].clear();
      expect(await handler(proxyEvent({ routeKey: 'GET /v1/health' }), {} as Context)).toMatchObject({
        statusCode: 200,
      });
    },
  );
});
