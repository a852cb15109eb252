import { DynamoDBClient, ScanCommand } from '@aws-sdk/client-dynamodb';
import { expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import { eventually, freshPrefix } from '../support/engines.ts';
import { type Json, withStack } from '../support/running-stack.ts';

const stack = withStack();

/** The items of the ledger and the keys of the cache in which a text occurs. */
async function placesOf(text: string): Promise<string[]> {
  const { dynamodb, credentials, redis: engine } = stack.description;
  const client = new DynamoDBClient({ endpoint: dynamodb.endpoint, region: 'us-east-1', credentials });
  const { Items = [] } = await client.send(new ScanCommand({ TableName: dynamodb.table }));
  client.destroy();
  const items = Items.filter((item) => JSON.stringify(item).includes(text));
  const redis = new Redis(engine.url);
  const contents = async (key: string) => {
    const type = await redis.type(key);
    if (type === 'hash') return JSON.stringify(await redis.hgetall(key));
    return type === 'zset' ? JSON.stringify(await redis.zrange(key, 0, -1)) : redis.get(key);
  };
  const keys: string[] = [];
  for (const key of await redis.keys('*')) {
    if (`${key} ${await contents(key)}`.includes(text)) keys.push(key);
  }
  redis.disconnect();
  return [...items.map(({ PK, SK }) => `${PK?.S} ${SK?.S}`), ...keys];
}

async function service(method: string, path: string, body?: Json) {
  const answer = await stack.asService(method, path, body);
  expect([method, path, answer.status < 300]).toEqual([method, path, true]);
  return answer;
}

const detailsOf = async (type: string, userId: string) =>
  (await stack.events()).filter(
    ({ 'detail-type': name, detail }) => name === type && detail.userId === userId,
  );

test('a back end exports and erases a user, and the bus reports the end', async () => {
  const [ann, bob, tea] = [freshPrefix('ann'), freshPrefix('bob'), freshPrefix('tea')];
  await service('POST', `/v1/groups/${tea}/members`, { userIds: [ann, bob] });
  await service('POST', `/v1/groups/${tea}/messages`, { messageId: '9007199254740993', senderId: ann });
  await service('PUT', `/v1/users/${bob}/groups/${tea}/watermark`, { messageId: '9007199254740993' });
  const { body: exported } = await service('GET', `/v1/users/${bob}/export`);
  expect(exported).toMatchObject({
    userId: bob,
    memberships: [
      { groupId: tea, current: { joinedAfter: null, own: { messageId: '9007199254740993', revision: 0 } } },
    ],
    ...{ connections: [], erasures: [], unreadable: [], cursor: null },
  });

  expect(await service('DELETE', `/v1/users/${bob}`)).toMatchObject({ status: 202, text: '' });
  const { body: pending } = await service('GET', `/v1/users/${bob}/export`);
  // The answer may come when all is done already.
  expect((pending as { erasures: Json[] }).erasures.length).toBeLessThanOrEqual(1);
  await eventually(async () => expect(await detailsOf('UserErased', bob)).toHaveLength(1));
  await eventually(async () => expect(await placesOf(bob)).toEqual([]));
  const [event] = await detailsOf('UserErased', bob);
  expect(event).toMatchObject({ source: 'tidemark', detail: { version: '1', userId: bob } });
  expect((await stack.asUser(bob, 'GET', `/v1/groups/${tea}/watermark`)).status).toBe(404);
  expect((await service('GET', `/v1/users/${bob}/export`)).body).toMatchObject({ memberships: [] });
  expect(await placesOf(ann)).not.toEqual([]);
}, 120_000);

test('a back end deletes a group, its badges vanish at once, and the bus reports the end', async () => {
  const [ann, bob, tea] = [freshPrefix('ann'), freshPrefix('bob'), freshPrefix('tea')];
  const begin = async (messageId: string) => {
    await service('POST', `/v1/groups/${tea}/members`, { userIds: [ann, bob] });
    await service('POST', `/v1/groups/${tea}/messages`, { messageId, senderId: ann });
    expect((await stack.asUser(bob, 'GET', '/v1/badge')).body).toMatchObject({ groups: 1, messages: 1 });
  };
  // A wrong id: nothing with a smaller one would ever be unread again.
  await begin('18446744073709551000');
  expect(await service('DELETE', `/v1/groups/${tea}`)).toMatchObject({ status: 202, text: '' });
  expect((await stack.asUser(bob, 'GET', '/v1/badge')).body).toMatchObject({ groups: 0, messages: 0 });
  expect((await stack.asUser(bob, 'GET', `/v1/groups/${tea}/watermark`)).status).toBe(404);
  expect((await service('GET', `/v1/groups/${tea}`)).body).toMatchObject({ head: null });
  await begin('1');
  const path = `/v1/groups/${tea}/watermark`;
  const expectBegunAnew = async () =>
    expect((await stack.asUser(bob, 'GET', path)).body).toMatchObject({ head: '1', unread: { count: 1 } });
  await expectBegunAnew();
  const deletions = async () =>
    (await stack.events()).filter(
      ({ 'detail-type': name, detail }) => name === 'GroupDeleted' && detail.groupId === tea,
    );
  await eventually(async () => expect(await deletions()).toHaveLength(1));
  await expectBegunAnew();

  expect((await service('DELETE', `/v1/groups/${tea}`)).status).toBe(202);
  await eventually(async () => expect(await deletions()).toHaveLength(2));
  for (const event of await deletions()) {
    expect(event).toMatchObject({ source: 'tidemark', detail: { version: '1', groupId: tea } });
  }
  expect((await placesOf(tea)).sort()).toEqual([`GROUP#${tea} HEAD`, `tm:{${tea}}:head`].sort());
  expect((await stack.asUser(bob, 'GET', path)).status).toBe(404);
}, 120_000);

test('a cursor of another user’s export is refused', async () => {
  const cursor = Buffer.from('export somebody GROUP#x').toString('base64url');
  const answer = await stack.asService('GET', `/v1/users/anybody/export?cursor=${cursor}`);
  expect(answer).toMatchObject({ status: 400, body: { errors: [{ path: 'cursor' }] } });
});

test('a user can neither export nor erase, nor delete a group', async () => {
  for (const [method, path] of [
    ['GET', '/v1/users/ann/export'],
    ['DELETE', '/v1/users/ann'],
    ['DELETE', '/v1/groups/tea'],
  ] as const) {
    expect(await stack.asUser('ann', method, path)).toMatchObject({ status: 403 });
  }
});
