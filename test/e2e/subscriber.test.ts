import { DynamoDBClient, ListTablesCommand, QueryCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { fieldsOf } from '../../local/http/api-client.ts';
import { eventually, freshPrefix } from '../support/engines.ts';
import { FaultProxy, INTERNAL_ERROR } from '../support/fault-proxy.ts';
import { withStack } from '../support/running-stack.ts';

const FOLDER = 'examples/subscriber';

let dynamodb: FaultProxy;
beforeAll(async () => {
  dynamodb = await FaultProxy.start();
});
const stack = withStack(() => ({
  subscribers: [FOLDER],
  // A day of tries, ten minutes apart, takes seconds.
  speed: 60_000,
  intercept: (service, url) => (service === 'dynamodb' ? dynamodb.standBefore(url) : url),
}));

let tables: DynamoDBClient;
/** The subscriber's own table. */
let tableName: string;
beforeAll(async () => {
  const { dynamodb, credentials } = stack.description;
  tables = new DynamoDBClient({ region: 'us-east-1', endpoint: dynamodb.endpoint, credentials });
  const { TableNames = [] } = await tables.send(new ListTablesCommand({}));
  const [own = '', ...others] = TableNames.filter((name) => name !== dynamodb.table);
  expect(others).toEqual([]);
  tableName = own;
});
afterEach(() => dynamodb.clear());
afterAll(async () => {
  tables.destroy();
  await dynamodb.stop();
});

/** What the subscriber has stored of a group: membership and position by user. */
async function stored(groupId: string): Promise<Record<string, readonly [number, string]>> {
  const { Items = [] } = await tables.send(
    new QueryCommand({
      TableName: tableName,
      KeyConditionExpression: 'groupId = :groupId',
      ExpressionAttributeValues: { ':groupId': { S: groupId } },
      ConsistentRead: true,
    }),
  );
  return Object.fromEntries(
    Items.map(({ userId, membership, upTo }) => [
      userId?.S ?? '',
      [Number(membership?.N), upTo?.S ?? ''] as const,
    ]),
  );
}

const advanced = (groupId: string, userId: string, membership: number, to: string) =>
  stack.putEvent('tidemark', 'WatermarkAdvanced', {
    ...{ version: '1', groupId, userId, membership, from: null, to },
    ...{ readAt: '2026-11-01T10:00:00.000Z', ownRevision: 0 },
  });

const fullyRead = (groupId: string, upTo: string) =>
  stack.putEvent('tidemark', 'GroupFullyRead', { version: '1', groupId, upTo });

function queueOf(logicalId: string) {
  const queue = stack.stack.queues.find(({ definition }) =>
    definition.name.startsWith(`tidemark-subscriber-${logicalId}`),
  );
  if (!queue) throw new Error(`the subscriber has no queue ${logicalId}`);
  return queue;
}

test('a mark over HTTP ends in the table of the subscriber', async () => {
  const groupId = freshPrefix();
  const service = await stack.serviceToken();
  await stack.call(service, 'POST', `/v1/groups/${groupId}/members`, { userIds: ['alice', 'bob'] });
  const message = { messageId: '9007199254740993', senderId: 'bob' };
  await stack.call(service, 'POST', `/v1/groups/${groupId}/messages`, message);
  const bob = [expect.any(Number), '00009007199254740993'];
  await eventually(async () => expect(await stored(groupId)).toEqual({ bob }));
  const mark = { messageId: '9007199254740993' };
  const alice = await stack.userToken('alice');
  expect(await stack.call(alice, 'PUT', `/v1/groups/${groupId}/watermark`, mark)).toMatchObject({
    status: 200,
  });
  await eventually(async () =>
    expect(await stored(groupId)).toEqual({
      bob,
      alice: [expect.any(Number), '00009007199254740993'],
      '#everyone': [0, '00009007199254740993'],
    }),
  );
});

test('events in any order and repeated end in the larger membership, then the larger 64-bit id', async () => {
  const groupId = freshPrefix();
  // As numbers of JavaScript the first two ids are equal.
  const events = [
    () => advanced(groupId, 'alice', 1, '18446744073709551615'),
    () => advanced(groupId, 'alice', 1, '18446744073709551614'),
    () => advanced(groupId, 'alice', 2, '100'),
    () => advanced(groupId, 'alice', 2, '99'),
    () => fullyRead(groupId, '100'),
    () => fullyRead(groupId, '99'),
  ];
  for (const put of [...events, ...events.toReversed()]) put();
  await eventually(() => expect(queueOf('Events').messages()).toEqual([]));
  expect(await stored(groupId)).toEqual({
    alice: [2, '00000000000000000100'],
    '#everyone': [0, '00000000000000000100'],
  });
});

test('events of other types, other sources and other versions do not reach the subscriber', async () => {
  const groupId = freshPrefix();
  const detail = { version: '1', groupId, userId: 'alice', membership: 1, to: '7', upTo: '7' };
  stack.putEvent('tidemark', 'DeliveryAdvanced', detail);
  stack.putEvent('other', 'WatermarkAdvanced', detail);
  stack.putEvent('tidemark', 'WatermarkAdvanced', { ...detail, version: '2' });
  // The queue takes an event before the bus acknowledges it.
  expect(queueOf('Events').messages()).toEqual([]);
  expect(await stored(groupId)).toEqual({});
});

test('an event that comes while the table is down is stored once the table is back', async () => {
  const groupId = freshPrefix();
  const repair = dynamodb.always(({ body }) => body.includes(tableName), INTERNAL_ERROR);
  advanced(groupId, 'alice', 1, '7');
  await eventually(() => {
    const [waiting] = queueOf('Events').messages();
    expect(waiting?.receiveCount).toBeGreaterThanOrEqual(3);
  });
  repair();
  await eventually(async () => expect(await stored(groupId)).toEqual({ alice: [1, '00000000000000000007'] }));
  expect(queueOf('DeadLetters').messages()).toEqual([]);
});

test('an event that fails for a day waits in the dead-letter queue, and holds up no other event', async () => {
  const groupId = freshPrefix();
  advanced(groupId, 'alice', 1, 'no message id');
  advanced(groupId, 'bob', 1, '7');
  await eventually(async () => expect(await stored(groupId)).toEqual({ bob: [1, '00000000000000000007'] }));
  const parked = await eventually(async () => {
    const all = fieldsOf(await stack.call(null, 'GET', '/_local/dead-letters')).deadLetters;
    // notify gives up the same event, since it cannot read it either.
    const own = (all as { queue: string }[]).filter(({ queue }) => queue.includes(':tidemark-subscriber-'));
    expect(own).toHaveLength(1);
    return own;
  });
  expect(parked).toMatchObject([
    {
      queue: expect.stringContaining(':tidemark-subscriber-DeadLetters'),
      message: {
        source: 'tidemark',
        'detail-type': 'WatermarkAdvanced',
        detail: { groupId, userId: 'alice', to: 'no message id' },
      },
    },
  ]);
  expect(queueOf('Events').messages()).toEqual([]);
});
