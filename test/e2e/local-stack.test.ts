import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { DynamoDBClient, GetItemCommand, ListTablesCommand, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { EventBridgeClient, PutEventsCommand } from '@aws-sdk/client-eventbridge';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { UPSTASH_SECRET_ARN } from '../../local/aws/secrets.ts';
import type { StackDescription } from '../../local/data/data-directory.ts';
import { eventually, freshPrefix } from '../support/engines.ts';
import { withStack } from '../support/running-stack.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

const stack = withStack();
let description: StackDescription;
beforeAll(() => {
  ({ description } = stack);
});

const aJoin = () => ({
  groupId: freshPrefix(),
  body: (groupId: string) =>
    JSON.stringify({
      entries: [{ source: 'chat', detailType: 'MemberJoined', detail: { groupId, userId: 'eve' } }],
    }),
});

async function members(groupId: string) {
  return (await stack.call(await stack.serviceToken(), 'GET', `/v1/groups/${groupId}/members`)).body;
}

async function eventTexts(): Promise<string> {
  return (await stack.send({ method: 'GET', path: '/_local/events' })).text;
}

const FOREIGN = [
  ['a foreign origin', { origin: 'https://evil.example' }],
  ['the origin of a sandboxed page', { origin: 'null' }],
  ['a rebound host', { host: 'evil.example:3000' }],
  ['a rebound host and its origin', { host: 'evil.example', origin: 'http://evil.example' }],
  ['an image or a link of another site', { 'sec-fetch-site': 'cross-site' }],
] as const;

describe.each(FOREIGN)('%s', (_name, headers) => {
  test.each([
    ['GET', '/_local/events'],
    ['GET', '/_local/notifications'],
    ['GET', '/_local/dead-letters'],
    ['GET', '/_local/functions'],
    ['GET', '/_local/stack'],
    ['GET', '/_local/issuer/.well-known/jwks.json'],
    ['GET', '/_local/issuer/.well-known/openid-configuration'],
    ['GET', '/_local/events?x=1'],
    ['GET', '/_local/nothing'],
    ['PUT', '/_local/webhook'],
    ['POST', '/_local/clock'],
    ['OPTIONS', '/_local/events'],
  ])('is refused: %s %s', async (method, path) => {
    const answer = await stack.send({ method, path, headers: { ...headers, ...JSON_TYPE } });
    expect(answer.status).toBe(403);
    expect(answer.headerNames.filter((name) => name.startsWith('access-control'))).toEqual([]);
  });

  test('cannot put an event on the bus or forge a notification', async () => {
    const { groupId, body } = aJoin();
    for (const path of ['/_local/events', '/_local/webhook']) {
      const sent = { method: 'POST', path, headers: { ...JSON_TYPE, ...headers }, body: body(groupId) };
      expect((await stack.send(sent)).status).toBe(403);
    }
    expect(await eventTexts()).not.toContain(groupId);
    const { text } = await stack.send({ method: 'GET', path: '/_local/notifications' });
    expect(text).not.toContain(groupId);
  });
});

describe('this machine', () => {
  test.each([
    {},
    { host: 'localhost:3000' },
    { host: 'tidemark.localhost' },
    { origin: 'http://localhost:5173', 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'none' },
  ])('can put facts on the bus: %p', async (headers) => {
    const { groupId, body } = aJoin();
    const answer = await stack.send({
      method: 'POST',
      path: '/_local/events',
      headers: { ...JSON_TYPE, ...headers },
      body: body(groupId),
    });
    expect(answer.status).toBe(200);
    expect(answer.headerNames.filter((name) => name.startsWith('access-control'))).toEqual([]);
    await eventually(async () =>
      expect(await members(groupId)).toMatchObject({ members: [{ userId: 'eve' }] }),
    );
  });
});

describe('an event for the bus', () => {
  test.each([
    'text/plain',
    'text/plain;charset=UTF-8',
    'application/x-www-form-urlencoded',
    'application/jsonp',
  ])('must be JSON, not %s', async (type) => {
    const { groupId, body } = aJoin();
    const sent = {
      method: 'POST',
      path: '/_local/events',
      headers: { 'content-type': type },
      body: body(groupId),
    };
    expect((await stack.send(sent)).status).toBe(415);
    expect((await stack.send({ ...sent, headers: {} })).status).toBe(415);
    expect(await eventTexts()).not.toContain(groupId);
  });

  const good = { source: 'chat', detailType: 'Unheard', detail: { marker: 'a-good-entry' } };
  test.each([
    ['no JSON', '{', /not JSON/],
    ['nothing', '', /not JSON/],
    ['null', 'null', /./],
    ['no entries', '{}', /entries/],
    ['entries that are no list', '{"entries":{}}', /entries/],
    ['an entry that is null', { entries: [good, null] }, /entries\.1/],
    ['an entry without a source', { entries: [good, { ...good, source: '' }] }, /entries\.1\.source/],
    ['an entry without a type', { entries: [good, { ...good, detailType: 1 }] }, /entries\.1\.detailType/],
    ['a detail that is a list', { entries: [good, { ...good, detail: [] }] }, /entries\.1\.detail/],
    ['a detail that is null', { entries: [good, { ...good, detail: null }] }, /entries\.1\.detail/],
    ['no detail', { entries: [good, { ...good, detail: undefined }] }, /entries\.1\.detail/],
    ['a time that is none', { entries: [good, { ...good, time: 'noon' }] }, /entries\.1\.time/],
    ['a time that is a number', { entries: [good, { ...good, time: 1 }] }, /entries\.1\.time/],
    ['an unknown field', { entries: [good, { ...good, 'detail-type': 'x' }] }, /entries\.1\.detail-type/],
  ])('is refused with a 400 that has the reason, together with all others: %s', async (_name, body, why) => {
    const answer = await stack.send({
      method: 'POST',
      path: '/_local/events',
      headers: JSON_TYPE,
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
    expect(answer).toMatchObject({ status: 400, body: { message: expect.stringMatching(why) } });
    expect(await eventTexts()).not.toContain('a-good-entry');
  });

  test.each(['/_local/events', '/_local/webhook'])('has at most 1 MB: POST %s', async (path) => {
    const body = `{"entries":[],"padding":"${'x'.repeat(1024 * 1024)}"}`;
    for (const chunked of [false, true]) {
      expect((await stack.send({ method: 'POST', path, headers: JSON_TYPE, body, chunked })).status).toBe(
        413,
      );
    }
  });

  test('cannot be sent as a notification in a type that pages may send without a preflight', async () => {
    const sent = {
      method: 'POST',
      path: '/_local/webhook',
      headers: { 'content-type': 'text/plain' },
      body: '{}',
    };
    expect((await stack.send(sent)).status).toBe(415);
  });
});

describe('what is wrong with a request of the local stack', () => {
  const messageOf = async (method: string, path: string, body: unknown) => {
    const sent = { method, path: `/_local/${path}`, headers: JSON_TYPE, body: JSON.stringify(body) };
    return ((await stack.send(sent)).body as { message: string }).message;
  };

  test.each([
    ['POST', 'clock', {}, 'advanceSeconds: is required'],
    ['POST', 'clock', null, 'The body: must be a JSON object'],
    ['POST', 'clock', { advanceSeconds: -1 }, 'advanceSeconds: must be an integer from 1 to 604800'],
    ['POST', 'clock', { advanceSeconds: '60' }, 'advanceSeconds: must be an integer from 1 to 604800'],
    ['POST', 'clock', { advanceSeconds: 60, more: 1 }, 'more: is not a known field'],
    ['PUT', 'webhook', { status: 100 }, 'status: must be an integer from 200 to 599'],
    ['PUT', 'webhook', { status: 200, delayMs: null }, 'delayMs: must be an integer from 0 to 60000'],
    ['POST', 'events', {}, 'entries: is required'],
    ['POST', 'events', { entries: 1 }, 'entries: must be an array'],
    ['POST', 'chat/token', { userId: 'mallory' }, 'userId: must be one of alice, bob, carol'],
    ['POST', 'chat/members', { groupId: 'tea', userId: 'bob' }, 'groupId: must be a group of the demo page'],
    [
      'POST',
      'chat/messages',
      { groupId: 'picnic', senderId: 'bob', text: ' ', key: 'k' },
      'text: must have 1 to 2000 characters',
    ],
  ])('is said in plain words: %s %s %j', async (method, path, body, message) => {
    expect(await messageOf(method, path, body)).toBe(message);
  });
});

describe('the local webhook', () => {
  const put = (body: unknown, type = 'application/json') =>
    stack.send({
      method: 'PUT',
      path: '/_local/webhook',
      headers: { 'content-type': type },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    });
  const post = (marker: string) =>
    stack.send({ method: 'POST', path: '/_local/webhook', headers: JSON_TYPE, body: JSON.stringify(marker) });
  const notifications = async () =>
    (await stack.send({ method: 'GET', path: '/_local/notifications' })).body as {
      notifications: { headers: Record<string, string>; body: string }[];
    };
  afterEach(() => put({ status: 200 }));

  test('answers the status that was set, and stores what it receives', async () => {
    expect(await put({ status: 503 })).toMatchObject({ status: 200, body: { status: 503, delayMs: 0 } });
    expect((await post('while-it-fails')).status).toBe(503);
    for (const status of [204, 302, 429, 200]) {
      await put({ status });
      expect((await post('later')).status).toBe(status);
    }
    expect((await notifications()).notifications.map(({ body }) => body)).toContain('"while-it-fails"');
  });

  test('answers after the delay that was set', async () => {
    await put({ status: 200, delayMs: 1_500 });
    const answered: string[] = [];
    const slow = post('slow').then(() => answered.push('slow'));
    await eventually(async () =>
      expect((await notifications()).notifications.map(({ body }) => body)).toContain('"slow"'),
    );
    await put({ status: 200 });
    await post('quick').then(() => answered.push('quick'));
    await slow;
    expect(answered).toEqual(['quick', 'slow']);
  });

  test('gets an event again after a failure', async () => {
    await put({ status: 500 });
    const [eventId] = await stack.putFacts([
      { source: 'tidemark', detailType: 'WatermarkAdvanced', detail: { version: '1' } },
    ]);
    await eventually(async () => {
      const { notifications: received } = await notifications();
      const tries = received.filter(({ headers }) => headers['webhook-id'] === eventId);
      expect(tries.length).toBeGreaterThan(1);
    });
  });

  test.each([
    ['no JSON', '{', /not JSON/],
    ['no status', {}, /status/],
    ['a status that is text', { status: '500' }, /status/],
    ['a status that no server sends', { status: 199 }, /status/],
    ['a status too large', { status: 600 }, /status/],
    ['half a status', { status: 200.5 }, /status/],
    ['a delay below nothing', { status: 200, delayMs: -1 }, /delayMs/],
    ['a delay of more than a minute', { status: 200, delayMs: 60_001 }, /delayMs/],
    ['a field that is not known', { status: 200, delay: 1 }, /delay/],
  ])('refuses %s, and does not change its answer', async (_name, body, why) => {
    expect(await put(body)).toMatchObject({ status: 400, body: { message: expect.stringMatching(why) } });
    expect((await post('as before')).status).toBe(200);
  });

  test('accepts only JSON', async () => {
    expect((await put({ status: 500 }, 'text/plain')).status).toBe(415);
    expect((await post('as before')).status).toBe(200);
  });
});

describe('a back end with the credentials of dev.json', () => {
  test('puts facts on the bus, and reads the table', async () => {
    const { eventbridge, dynamodb, credentials } = description;
    const groupId = freshPrefix();
    const client = new EventBridgeClient({
      region: 'us-east-1',
      endpoint: eventbridge.endpoint,
      credentials,
    });
    const entry = {
      EventBusName: eventbridge.bus,
      Source: 'chat',
      DetailType: 'MemberJoined',
      Detail: JSON.stringify({ groupId, userId: 'eve' }),
      Time: new Date(),
    };
    expect(await client.send(new PutEventsCommand({ Entries: [entry] }))).toMatchObject({
      FailedEntryCount: 0,
    });
    client.destroy();
    await eventually(async () =>
      expect(await members(groupId)).toMatchObject({ members: [{ userId: 'eve' }] }),
    );

    const tables = new DynamoDBClient({ region: 'us-east-1', endpoint: dynamodb.endpoint, credentials });
    const Key = { PK: { S: 'USER#eve' }, SK: { S: `GROUP#${groupId}` } };
    const { Item } = await tables.send(new GetItemCommand({ TableName: dynamodb.table, Key }));
    expect(Item).toMatchObject({ userId: { S: 'eve' } });
    tables.destroy();
  });

  test('writes nothing to the table, and lists it', async () => {
    const { dynamodb, credentials } = description;
    const tables = new DynamoDBClient({ region: 'us-east-1', endpoint: dynamodb.endpoint, credentials });
    const Item = { PK: { S: 'USER#mallory' }, SK: { S: 'GROUP#any' } };
    await expect(tables.send(new PutItemCommand({ TableName: dynamodb.table, Item }))).rejects.toMatchObject({
      name: 'AccessDeniedException',
      message:
        'User: arn:aws:iam::000000000000:user/back-end is not authorized to perform: dynamodb:PutItem on resource: ' +
        `arn:aws:dynamodb:us-east-1:000000000000:table/${dynamodb.table} because no identity-based policy allows ` +
        'the dynamodb:PutItem action',
    });
    expect(await tables.send(new ListTablesCommand({}))).toMatchObject({ TableNames: [dynamodb.table] });
    tables.destroy();
  });

  test('reads no secret', async () => {
    const { eventbridge, credentials } = description;
    await expect(readSecret(eventbridge.endpoint, credentials)).rejects.toMatchObject({
      name: 'AccessDeniedException',
    });
  });
});

describe('a program with other credentials on this machine', () => {
  const otherCredentials = { accessKeyId: 'local', secretAccessKey: 'local' };

  test('reads no secret', async () => {
    await expect(readSecret(description.eventbridge.endpoint, otherCredentials)).rejects.toMatchObject({
      $metadata: { httpStatusCode: 403 },
    });
  });

  test('finds no table', async () => {
    const { endpoint, engineEndpoint } = description.dynamodb;
    const region = 'us-east-1';
    const client = new DynamoDBClient({ region, endpoint, credentials: otherCredentials });
    await expect(client.send(new ListTablesCommand({}))).rejects.toMatchObject({
      name: 'UnrecognizedClientException',
    });
    client.destroy();
    // The engine itself checks no signature, but each access key has its own database.
    for (const credentials of [otherCredentials, description.credentials]) {
      const direct = new DynamoDBClient({ region, endpoint: engineEndpoint, credentials });
      expect(await direct.send(new ListTablesCommand({}))).toMatchObject({ TableNames: [] });
      direct.destroy();
    }
  });

  test('can read no file of the data directory', () => {
    const names = ['.', ...readdirSync(stack.dataDirectory, { recursive: true }).map(String)];
    const open = names.filter((name) => (statSync(join(stack.dataDirectory, name)).mode & 0o077) !== 0);
    expect(open).toEqual([]);
    expect(names).toContain('dev.json');
    expect(names).toContain('cdk.out/manifest.json');
    expect(names.filter((name) => name.startsWith('dynamodb/') && name.endsWith('.db'))).not.toEqual([]);
  });
});

async function readSecret(endpoint: string, credentials: StackDescription['credentials']) {
  const client = new SecretsManagerClient({ region: 'us-east-1', endpoint, credentials, maxAttempts: 1 });
  return client
    .send(new GetSecretValueCommand({ SecretId: UPSTASH_SECRET_ARN }))
    .finally(() => client.destroy());
}
