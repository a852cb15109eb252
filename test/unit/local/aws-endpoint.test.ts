import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type AwsEndpoint, startAwsEndpoint } from '../../../local/aws/endpoint.ts';
import type { BusEntry } from '../../../local/aws/events/event-bus.ts';
import { Principal } from '../../../local/aws/iam/principal.ts';
import type { Queues } from '../../../local/aws/queues/queues.ts';

const ACCESS_KEY_ID = 'TheAccessKeyOfAFunction';
const FUNCTIONS = { accessKeyId: ACCESS_KEY_ID, secretAccessKey: 'of-the-functions' };
const BACK_END = { accessKeyId: 'TheAccessKeyOfABackEnd', secretAccessKey: 'of-the-back-end' };
const OPERATOR = { accessKeyId: 'TheAccessKeyOfAnOperator', secretAccessKey: 'of-the-operator' };
const BUS = 'arn:aws:events:us-east-1:000000000000:event-bus/bus';
const SECRET = 'arn:aws:secretsmanager:us-east-1:000000000000:secret:';
const INVALID_CREDENTIALS = [
  ['no knowledge', { accessKeyId: 'local', secretAccessKey: 'local' }],
  ['the access key alone', { accessKeyId: ACCESS_KEY_ID, secretAccessKey: 'guessed' }],
  ['a secret alone', { accessKeyId: 'guessed', secretAccessKey: 'of-the-functions' }],
  ["another's secret", { accessKeyId: ACCESS_KEY_ID, secretAccessKey: 'of-the-back-end' }],
] as const;
const ENTRY = { EventBusName: 'bus', Source: 'chat', DetailType: 'MessageSent', Detail: '{"a":"1  2"}' };

let endpoint: AwsEndpoint;
let put: BusEntry[];
beforeAll(async () => {
  endpoint = await startAwsEndpoint();
  const role = 'arn:aws:sts::000000000000:assumed-role/a-role/a-function';
  const callers = [
    caller(FUNCTIONS, role, ['events:PutEvents', BUS], ['secretsmanager:GetSecretValue', `${SECRET}*`]),
    caller(BACK_END, 'arn:aws:iam::000000000000:user/back-end', ['events:PutEvents', BUS]),
    caller(OPERATOR, 'arn:aws:iam::000000000000:user/operator', [
      'lambda:InvokeFunction',
      'arn:aws:lambda:us-east-1:000000000000:function:*',
    ]),
  ];
  endpoint.serve({
    callers: { byAccessKeyId: (id) => callers.find(({ accessKeyId }) => accessKeyId === id) },
    secrets: { get: (arn) => (arn === 'the-secret' ? 'its value' : undefined) },
    bus: {
      put(entries) {
        put.push(...entries);
        return entries.map(() => ({ EventId: 'e1' }));
      },
    },
    queues: {} as Queues,
    webSockets: null,
    lambda: {
      has: (name) => name === 'known',
      async invoke(_name, payload) {
        if (payload === '{"fail":true}') return { ok: false, errorType: 'TypeError', errorMessage: 'no' };
        return { ok: true, payload: `{"given":${payload}}` };
      },
    },
  });
});
beforeEach(() => {
  put = [];
});
afterAll(() => endpoint.close());

type Credentials = typeof FUNCTIONS;

function caller(credentials: Credentials, arn: string, ...allowed: [action: string, resource: string][]) {
  const statements = allowed.map(([action, resource]) => ({
    ...{ Effect: 'Allow' as const, Action: [action], Resource: [resource] },
  }));
  return {
    ...credentials,
    principal: new Principal(arn, [{ Version: '2012-10-17', Statement: statements }]),
  };
}

async function putEvents(credentials: Credentials, region = 'us-east-1', EventBusName = 'bus') {
  const client = new EventBridgeClient({ region, endpoint: endpoint.url, credentials, maxAttempts: 1 });
  return client
    .send(new PutEventsCommand({ Entries: [{ ...ENTRY, EventBusName }] }))
    .finally(() => client.destroy());
}

async function readSecret(credentials: Credentials, SecretId = 'the-secret') {
  const client = new SecretsManagerClient({
    region: 'us-east-1',
    endpoint: endpoint.url,
    credentials,
    maxAttempts: 1,
  });
  return client.send(new GetSecretValueCommand({ SecretId })).finally(() => client.destroy());
}

describe('the functions of the stack', () => {
  test('read secrets and put events', async () => {
    expect(await readSecret(FUNCTIONS)).toMatchObject({ SecretString: 'its value' });
    expect(await putEvents(FUNCTIONS)).toMatchObject({ FailedEntryCount: 0 });
    expect(put).toEqual([ENTRY]);
  });

  test('get an error for a secret that does not exist', async () => {
    await expect(readSecret(FUNCTIONS, 'another')).rejects.toMatchObject({
      name: 'ResourceNotFoundException',
    });
  });
});

describe('a back end', () => {
  test.each(['us-east-1', 'eu-central-1'])('puts events, from region %s', async (region) => {
    expect(await putEvents(BACK_END, region)).toMatchObject({ Entries: [{ EventId: 'e1' }] });
    expect(put).toEqual([ENTRY]);
  });

  test('reads no secret', async () => {
    await expect(readSecret(BACK_END)).rejects.toMatchObject({
      name: 'AccessDeniedException',
      message:
        'User: arn:aws:iam::000000000000:user/back-end is not authorized to perform: ' +
        `secretsmanager:GetSecretValue on resource: ${SECRET}the-secret because no identity-based policy allows ` +
        'the secretsmanager:GetSecretValue action',
      $metadata: { httpStatusCode: 400 },
    });
  });

  test.each(['another', 'arn:aws:events:us-east-1:111111111111:event-bus/bus'])(
    'puts no event on the bus %s',
    async (bus) => {
      await expect(putEvents(BACK_END, 'us-east-1', bus)).rejects.toMatchObject({
        name: 'AccessDeniedException',
        message: expect.stringContaining('events:PutEvents on resource: arn:aws:events:us-east-1:'),
      });
      expect(put).toEqual([]);
    },
  );
});

async function invoke(credentials: Credentials, FunctionName: string, payload = '{"a":1}') {
  const client = new LambdaClient({
    region: 'us-east-1',
    endpoint: endpoint.url,
    credentials,
    maxAttempts: 1,
  });
  const { Payload, FunctionError } = await client
    .send(new InvokeCommand({ FunctionName, Payload: Buffer.from(payload) }))
    .finally(() => client.destroy());
  return { answer: Buffer.from(Payload ?? []).toString(), FunctionError };
}

describe('an operator', () => {
  test('invokes a function, and learns whether it failed', async () => {
    expect(await invoke(OPERATOR, 'known')).toEqual({
      answer: '{"given":{"a":1}}',
      FunctionError: undefined,
    });
    expect(await invoke(OPERATOR, 'known', '{"fail":true}')).toEqual({
      answer: '{"errorType":"TypeError","errorMessage":"no"}',
      FunctionError: 'Unhandled',
    });
  });

  test('gets an error for a function that does not exist', async () => {
    await expect(invoke(OPERATOR, 'unknown')).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });
});

test.each([
  ['a function', FUNCTIONS],
  ['a back end', BACK_END],
  ['an unknown caller', { accessKeyId: 'guessed', secretAccessKey: 'guessed' }],
])('%s cannot invoke a function', async (_who, credentials) => {
  await expect(invoke(credentials, 'known')).rejects.toMatchObject({ $metadata: { httpStatusCode: 403 } });
});

test('a caller that may not invoke a function gets the error that Lambda has', async () => {
  await expect(invoke(BACK_END, 'known')).rejects.toMatchObject({
    name: 'AccessDeniedException',
    message:
      'User: arn:aws:iam::000000000000:user/back-end is not authorized to perform: lambda:InvokeFunction on ' +
      'resource: arn:aws:lambda:us-east-1:000000000000:function:known because no identity-based policy allows ' +
      'the lambda:InvokeFunction action',
  });
});

describe.each(INVALID_CREDENTIALS)('a caller with %s', (_name, credentials) => {
  test('cannot put an event or read a secret', async () => {
    await expect(putEvents(credentials)).rejects.toMatchObject({ $metadata: { httpStatusCode: 403 } });
    await expect(readSecret(credentials)).rejects.toMatchObject({ $metadata: { httpStatusCode: 403 } });
    expect(put).toEqual([]);
  });
});

/** The SDK's request, which a test can change before it is sent. */
async function signed(credentials: Credentials, nowMs = Date.now()) {
  const client = new SecretsManagerClient({
    region: 'us-east-1',
    endpoint: endpoint.url,
    credentials,
    systemClockOffset: nowMs - Date.now(),
  });
  interface Sent {
    headers: Record<string, string>;
    body: string;
  }
  let sent: Sent | undefined;
  client.middlewareStack.add(
    () => async (args) => {
      const { headers, body } = args.request as Sent;
      sent = { headers: { ...headers }, body };
      throw new Error('caught');
    },
    { step: 'finalizeRequest', priority: 'low' },
  );
  await client.send(new GetSecretValueCommand({ SecretId: 'the-secret' })).catch(() => undefined);
  client.destroy();
  if (!sent) throw new Error('the SDK has sent nothing');
  return sent;
}

async function post({ headers, body }: { headers: Record<string, string>; body: string }) {
  const { host: _host, 'content-length': _length, ...others } = headers;
  const response = await fetch(endpoint.url, { method: 'POST', headers: others, body });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe('a signature', () => {
  test('is valid for the request that was signed', async () => {
    expect(await post(await signed(FUNCTIONS))).toMatchObject({ status: 200 });
  });

  test.each([
    ['another body', { body: '{"SecretId": "the-secret"}' }],
    ['another operation', { headers: { 'x-amz-target': 'AWSEvents.PutEvents' } }],
    ['another time', { headers: { 'x-amz-date': '20260101T000000Z' } }],
    ['a hash of the body that the body has not', { headers: { 'x-amz-content-sha256': 'UNSIGNED-PAYLOAD' } }],
  ])('is not valid for %s', async (_name, change: { body?: string; headers?: Record<string, string> }) => {
    const sent = await signed(FUNCTIONS);
    const changed = { body: change.body ?? sent.body, headers: { ...sent.headers, ...change.headers } };
    expect((await post(changed)).status).toBe(403);
  });

  test('that does not cover the operation is not valid, because it would be valid for all', async () => {
    const { headers, body } = await signed(FUNCTIONS);
    const authorization = (headers.authorization ?? '').replace(';x-amz-target', '');
    expect(await post({ headers: { ...headers, authorization }, body })).toMatchObject({
      status: 403,
      body: { __type: 'InvalidSignatureException' },
    });
  });

  test.each([
    ['old', -6],
    ['of the future', 6],
  ])('that is %s is not valid', async (_name, minutes) => {
    const sent = await signed(FUNCTIONS, Date.now() + minutes * 60_000);
    expect(await post(sent)).toMatchObject({ status: 403, body: { __type: 'InvalidSignatureException' } });
  });

  test.each([
    ['none', undefined],
    ['an empty one', ''],
    ['a bearer token', 'Bearer abc'],
    [
      'half of one',
      `AWS4-HMAC-SHA256 Credential=${ACCESS_KEY_ID}/20260101/us-east-1/secretsmanager/aws4_request`,
    ],
    [
      'one of a name that objects inherit',
      `AWS4-HMAC-SHA256 Credential=${ACCESS_KEY_ID}/20260101/us-east-1/x/aws4_request, SignedHeaders=host;x-amz-date;x-amz-target;__proto__, Signature=${'0'.repeat(64)}`,
    ],
  ])('is required: %s is refused', async (_name, authorization) => {
    const { headers, body } = await signed(FUNCTIONS);
    const { authorization: _signed, ...others } = headers;
    const answer = await post({
      headers: { ...others, ...(authorization !== undefined && { authorization }) },
      body,
    });
    expect(answer.status).toBe(403);
  });
});

describe('a request with a valid signature', () => {
  const target = 'AWSEvents.PutEvents';
  test.each([
    ['no JSON', '{'],
    ['no entries', '{}'],
    ['an entry that is none', '{"Entries":[null]}'],
    ['a detail that is no text', '{"Entries":[{"Source":"a","DetailType":"b","Detail":{}}]}'],
    ['a time that is none', '{"Entries":[{"Source":"a","DetailType":"b","Detail":"{}","Time":"noon"}]}'],
    ['a time past all times', '{"Entries":[{"Source":"a","DetailType":"b","Detail":"{}","Time":1e300}]}'],
  ])('with %s is refused', async (_name, body) => {
    expect(await post(await signedAs(BACK_END, target, body))).toMatchObject({
      status: 400,
      body: { __type: 'ValidationException' },
    });
    expect(put).toEqual([]);
  });

  test('is refused if the local stack does not support the operation', async () => {
    expect(await post(await signedAs(FUNCTIONS, 'AWSEvents.DeleteRule', '{}'))).toMatchObject({
      status: 400,
      body: { __type: 'UnknownOperationException' },
    });
    expect(await post(await signedAs(FUNCTIONS, 'toString', '{}'))).toMatchObject({
      status: 400,
      body: { __type: 'UnknownOperationException' },
    });
  });

  test('is not read past 4 MB', async () => {
    expect(await post(await signedAs(BACK_END, target, ' '.repeat(4 * 1024 * 1024 + 1)))).toMatchObject({
      status: 413,
    });
  });
});

/** Signed without the SDK, as https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html says. */
async function signedAs({ accessKeyId, secretAccessKey }: Credentials, target: string, body: string) {
  const { createHash, createHmac } = await import('node:crypto');
  const hash = (text: string) => createHash('sha256').update(text).digest('hex');
  const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();
  const time = new Date().toISOString().replace(/[-:]|\.\d{3}/g, '');
  const scope = `${time.slice(0, 8)}/us-east-1/events/aws4_request`;
  const { host } = new URL(endpoint.url);
  const canonical = [
    ...['POST', '/', '', `host:${host}`, `x-amz-date:${time}`, `x-amz-target:${target}`, ''],
    ...['host;x-amz-date;x-amz-target', hash(body)],
  ].join('\n');
  const key = [time.slice(0, 8), 'us-east-1', 'events', 'aws4_request'].reduce<string | Buffer>(
    (before, part) => hmac(before, part),
    `AWS4${secretAccessKey}`,
  );
  const signature = hmac(key, ['AWS4-HMAC-SHA256', time, scope, hash(canonical)].join('\n')).toString('hex');
  const authorization = `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope}, SignedHeaders=host;x-amz-date;x-amz-target, Signature=${signature}`;
  return { headers: { 'x-amz-date': time, 'x-amz-target': target, authorization }, body };
}
