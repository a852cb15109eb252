import { request as requestOf } from 'node:http';
import { text } from 'node:stream/consumers';
import {
  BatchGetItemCommand,
  ConditionalCheckFailedException,
  DescribeTableCommand,
  DynamoDBClient,
  GetItemCommand,
  ListTablesCommand,
  PutItemCommand,
  QueryCommand,
  TransactWriteItemsCommand,
} from '@aws-sdk/client-dynamodb';
import { DescribeStreamCommand, DynamoDBStreamsClient } from '@aws-sdk/client-dynamodb-streams';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { startDynamoDbFront } from '../../../local/aws/iam/dynamodb-front.ts';
import { Principal } from '../../../local/aws/iam/principal.ts';
import type { Listening } from '../../../local/http/loopback.ts';
import { createLedgerTable, engines, freshPrefix, ownCredentials } from '../../support/engines.ts';

const TABLE = freshPrefix('front');
const ARN = `arn:aws:dynamodb:us-east-1:000000000000:table/${TABLE}`;

const reader = callerOf(
  'reader',
  ['dynamodb:GetItem', 'dynamodb:BatchGetItem', 'dynamodb:DescribeTable'],
  ARN,
);
const writer = callerOf('writer', ['dynamodb:PutItem'], ARN);
const lister = callerOf('lister', ['dynamodb:Query'], `${ARN}/index/members`);

let front: Listening;
beforeAll(async () => {
  await createLedgerTable(TABLE);
  const callers = [reader, writer, lister];
  front = await startDynamoDbFront({
    engineEndpoint: engines.dynamodbEndpoint,
    ownerAccessKeyId: ownCredentials.accessKeyId,
    callers: { byAccessKeyId: (id) => callers.find(({ accessKeyId }) => accessKeyId === id) },
  });
});
afterAll(() => front.close());

function callerOf(accessKeyId: string, Action: string[], resource: string) {
  const Statement = [{ Effect: 'Allow' as const, Action, Resource: [resource] }];
  const principal = new Principal(`arn:of:${accessKeyId}`, [{ Version: '2012-10-17', Statement }]);
  return { accessKeyId, secretAccessKey: `secret of ${accessKeyId}`, principal };
}

interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

async function as<T>(
  { accessKeyId, secretAccessKey }: Credentials,
  ask: (client: DynamoDBClient) => Promise<T>,
): Promise<T> {
  const credentials = { accessKeyId, secretAccessKey };
  const client = new DynamoDBClient({
    endpoint: front.url,
    region: 'us-east-1',
    credentials,
    maxAttempts: 1,
  });
  return ask(client).finally(() => client.destroy());
}

const item = (name: string) => ({ PK: { S: `${TABLE} ${name}` }, SK: { S: 'any' } });
const put = (Item: ReturnType<typeof item> & Record<string, { S: string }>) =>
  new PutItemCommand({ TableName: TABLE, Item });
const get = (name: string) => new GetItemCommand({ TableName: TABLE, Key: item(name) });

test('a caller does what it may, in the database of the owner', async () => {
  const grown = { ...item('a'), value: { S: 'ü'.repeat(50_000) } };
  await as(writer, (client) => client.send(put(grown)));
  expect(await as(reader, (client) => client.send(get('a')))).toMatchObject({ Item: grown });
  const RequestItems = { [TABLE]: { Keys: [item('a'), item('b')] } };
  const batch = await as(reader, (client) => client.send(new BatchGetItemCommand({ RequestItems })));
  expect(batch.Responses?.[TABLE]).toHaveLength(1);
});

test("the engine's own refusals come through", async () => {
  const condition = {
    ConditionExpression: 'attribute_exists(PK)',
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  };
  const command = new PutItemCommand({ TableName: TABLE, Item: item('absent'), ...(condition as object) });
  await expect(as(writer, (client) => client.send(command))).rejects.toThrow(ConditionalCheckFailedException);
});

describe('what a caller may not do is refused, and not done:', () => {
  const denied = (who: string, action: string, resource: string) => ({
    name: 'AccessDeniedException',
    message:
      `User: arn:of:${who} is not authorized to perform: ${action} on resource: ${resource} ` +
      `because no identity-based policy allows the ${action} action`,
    $metadata: { httpStatusCode: 400 },
  });

  test('a write of one who only reads', async () => {
    await expect(as(reader, (client) => client.send(put(item('c'))))).rejects.toMatchObject(
      denied('reader', 'dynamodb:PutItem', ARN),
    );
    expect((await as(reader, (client) => client.send(get('c')))).Item).toBeUndefined();
  });

  test('a transaction, which no function and no back end makes', async () => {
    const parts = [{ Put: { TableName: TABLE, Item: item('d') } }];
    const command = new TransactWriteItemsCommand({ TransactItems: parts });
    await expect(as(writer, (client) => client.send(command))).rejects.toMatchObject({
      name: 'UnknownOperationException',
      message: 'the local stack does not support DynamoDB_20120810.TransactWriteItems',
    });
    expect((await as(reader, (client) => client.send(get('d')))).Item).toBeUndefined();
  });

  test('a batch that names another table beside its own', async () => {
    const RequestItems = { [TABLE]: { Keys: [item('a')] }, another: { Keys: [item('a')] } };
    await expect(
      as(reader, (client) => client.send(new BatchGetItemCommand({ RequestItems }))),
    ).rejects.toMatchObject(
      denied('reader', 'dynamodb:BatchGetItem', 'arn:aws:dynamodb:us-east-1:000000000000:table/another'),
    );
  });

  test('a query of the table by one who may query its index', async () => {
    const query = (more: object) =>
      new QueryCommand({
        TableName: TABLE,
        KeyConditionExpression: 'groupId = :g',
        ExpressionAttributeValues: { ':g': { S: 'any' } },
        ...more,
      });
    expect(await as(lister, (client) => client.send(query({ IndexName: 'members' })))).toMatchObject({
      Items: [],
    });
    await expect(as(lister, (client) => client.send(query({})))).rejects.toMatchObject(
      denied('lister', 'dynamodb:Query', ARN),
    );
  });

  test('a look at the stream', async () => {
    const { Table } = await as(reader, (client) =>
      client.send(new DescribeTableCommand({ TableName: TABLE })),
    );
    const { accessKeyId, secretAccessKey } = reader;
    const streams = new DynamoDBStreamsClient({
      ...{ endpoint: front.url, region: 'us-east-1', maxAttempts: 1 },
      credentials: { accessKeyId, secretAccessKey },
    });
    await expect(
      streams.send(new DescribeStreamCommand({ StreamArn: Table?.LatestStreamArn })),
    ).rejects.toMatchObject(denied('reader', 'dynamodb:DescribeStream', `${ARN}/stream/local`));
    streams.destroy();
  });
});

test.each([
  [
    'with an unknown access key',
    { accessKeyId: 'unknown', secretAccessKey: 'any' },
    'UnrecognizedClientException',
  ],
  ["with the owner's access key", ownCredentials, 'UnrecognizedClientException'],
  [
    "with one caller's access key and another's secret",
    { accessKeyId: 'writer', secretAccessKey: 'secret of reader' },
    'InvalidSignatureException',
  ],
])('a stranger %s is refused', async (_what, credentials, name) => {
  await expect(as(credentials, (client) => client.send(new ListTablesCommand({})))).rejects.toMatchObject({
    name,
  });
});

test.each([
  ['no signature', 'POST', '/', '{}', 'MissingAuthenticationTokenException'],
  ['another path', 'POST', '/shell', '{}', 'UnknownOperationException'],
  ['another method', 'GET', '/', '', 'UnknownOperationException'],
])('a request with %s is refused', async (_what, method, path, body, code) => {
  const outgoing = requestOf(front.url + path, { method });
  outgoing.end(body);
  const answer = await new Promise<string>((resolve, reject) => {
    outgoing.once('response', (response) => text(response).then(resolve, reject)).once('error', reject);
  });
  expect(JSON.parse(answer)).toMatchObject({ __type: `com.amazon.coral.service#${code}` });
});

test('an engine that is gone breaks the connection, as it would by itself', async () => {
  const callers = { byAccessKeyId: () => reader };
  const lost = await startDynamoDbFront({
    ...{ engineEndpoint: 'http://127.0.0.1:9', ownerAccessKeyId: 'local', callers },
  });
  const { accessKeyId, secretAccessKey } = reader;
  const client = new DynamoDBClient({
    ...{ endpoint: lost.url, region: 'us-east-1', maxAttempts: 1 },
    credentials: { accessKeyId, secretAccessKey },
  });
  await expect(client.send(get('a'))).rejects.toThrow('socket hang up');
  client.destroy();
  await lost.close();
});
