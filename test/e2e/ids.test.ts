import { beforeAll, describe, expect, test } from '@jest/globals';
import { eventually, freshPrefix } from '../support/engines.ts';
import { A_TIME, exactly, NONE_UNREAD } from '../support/expected-answers.ts';
import { type Answer, faultsOfCache, type Json, withStack } from '../support/running-stack.ts';

/** In the form of Auth0's user ids. */
const USER = 'auth0|5f7c';
const IN_PATH = 'auth0%7C5f7c';

const stack = withStack();
let user: string;
let service: string;
beforeAll(async () => {
  user = await stack.userToken(USER);
  service = await stack.serviceToken();
});

async function expectBody(answer: Promise<Answer>, status: number, body: unknown): Promise<void> {
  const { status: given, body: actual } = await answer;
  expect(actual).toEqual(body);
  expect(given).toBe(status);
}

test('a user whose id has a bar can use every route', async () => {
  const groupId = freshPrefix('g');
  const group = `/v1/groups/${groupId}`;
  const asUser = (method: string, path: string, body?: Json) => stack.call(user, method, path, body);
  const asService = (method: string, path: string, body?: Json) => stack.call(service, method, path, body);

  const joined = { groupId, userId: USER, joinedAfter: null };
  await expectBody(asService('PUT', `${group}/members/${IN_PATH}`), 201, joined);
  await expectBody(asService('PUT', `${group}/members/${USER}`), 200, joined);
  await expectBody(asService('POST', `${group}/members`, { userIds: [USER, 'auth0', 'bob'] }), 200, {
    added: 2,
    existing: 1,
  });
  for (const [messageId, senderId] of Object.entries({ 1: 'bob', 2: USER, 3: 'auth0', 4: 'bob' })) {
    const sent = asService('POST', `${group}/messages`, { messageId, senderId });
    await expectBody(sent, 201, { groupId, messageId, head: messageId });
  }

  // Sending 2 reads up to it. After marking unread, the own message stays read.
  await expectBody(asUser('POST', `${group}/unread`, { messageId: '1' }), 200, {
    ...{
      groupId,
      userId: USER,
      messageId: null,
      readAt: A_TIME,
      revision: 1,
      head: '4',
      unread: exactly(3, '1'),
    },
  });
  await expectBody(asUser('POST', `${group}/messages/status`, { messageIds: ['1', '2', '3'] }), 200, {
    groupId,
    watermark: null,
    statuses: [
      { messageId: '1', read: false },
      { messageId: '2', read: true },
      { messageId: '3', read: false },
    ],
  });
  expect((await asUser('PUT', `${group}/delivered`, { messageId: '4' })).body).toMatchObject({
    ...{ groupId, userId: USER, messageId: '4', advanced: true },
  });
  expect((await asUser('PUT', `${group}/watermark`, { messageId: '3' })).body).toMatchObject({
    ...{ groupId, userId: USER, messageId: '3', revision: 1, advanced: true, unread: exactly(1, '4') },
  });
  expect(
    (await asUser('POST', '/v1/watermarks', { marks: [{ groupId, messageId: '3' }] })).body,
  ).toMatchObject({
    results: [{ groupId, outcome: 'unchanged' }],
  });
  expect((await asUser('GET', '/v1/inbox')).body).toMatchObject({
    groups: [{ groupId, messageId: '3', head: '4', unread: exactly(1, '4') }],
    cursor: null,
  });
  const onBehalf = asService('PUT', `/v1/users/${IN_PATH}/groups/${groupId}/watermark`, { messageId: '4' });
  expect((await onBehalf).body).toMatchObject({ userId: USER, messageId: '4', unread: NONE_UNREAD });
  expect((await asUser('GET', `${group}/watermark`)).body).toMatchObject({ userId: USER, messageId: '4' });

  // Receipts and members, page by page, with a cursor that has this user's id.
  expect((await asUser('POST', `${group}/receipts`, { messageIds: ['2', '4'] })).body).toMatchObject({
    receipts: [
      { messageId: '2', audience: 2, readCount: 2 },
      { messageId: '4', audience: 2, readCount: 1, readByAll: false },
    ],
  });
  const pages = async (token: string, path: string) => {
    const userIds: unknown[] = [];
    let cursor = '';
    do {
      const { status, body } = await stack.call(token, 'GET', `${path}limit=1${cursor}`);
      expect(status).toBe(200);
      const page = body as { members: { userId: string }[]; cursor: string | null };
      userIds.push(...page.members.map(({ userId }) => userId));
      cursor = page.cursor === null ? '' : `&cursor=${page.cursor}`;
    } while (cursor);
    return userIds;
  };
  expect(await pages(user, `${group}/messages/1/receipts?state=read&`)).toEqual(['auth0', USER]);
  await asUser('PUT', `${group}/watermark`, { messageId: '4' });
  await stack.call(await stack.userToken('auth0'), 'PUT', `${group}/watermark`, { messageId: '4' });
  expect(await pages(user, `${group}/messages/4/receipts?state=read&`)).toEqual(['auth0', USER]);
  expect(await pages(user, `${group}/messages/4/receipts?state=delivered&`)).toEqual(['auth0', USER]);
  expect(await pages(service, `${group}/members?`)).toEqual(['auth0', USER, 'bob']);

  await eventually(async () => {
    const { body } = await stack.call(null, 'GET', '/_local/events');
    const { events } = body as { events: { 'detail-type': string; detail: Record<string, Json> }[] };
    const own = events.filter(({ detail }) => detail.groupId === groupId && detail.userId === USER);
    expect(own.map((event) => event['detail-type'])).toContain('WatermarkAdvanced');
  });

  await stack.putFacts([{ detailType: 'MemberLeft', detail: { groupId, userId: USER } }]);
  await eventually(async () => expect((await asUser('GET', `${group}/watermark`)).status).toBe(404));
  expect((await asService('DELETE', `${group}/members/${IN_PATH}`)).status).toBe(204);
  expect(await pages(service, `${group}/members?`)).toEqual(['auth0', 'bob']);
  expect(faultsOfCache(stack)).toEqual([]);
});

describe('an id that URLs normalise away', () => {
  const BODIES: Readonly<Record<string, Json>> = {
    'PUT /v1/groups/ID/watermark': { messageId: '1' },
    'GET /v1/groups/ID/watermark': null,
    'POST /v1/groups/ID/messages/status': { messageIds: ['1'] },
    'POST /v1/groups/ID/unread': { messageId: '1' },
    'PUT /v1/groups/ID/delivered': { messageId: '1' },
    'GET /v1/groups/ID/messages/1/receipts': null,
    'POST /v1/groups/ID/receipts': { messageIds: ['1'] },
  };
  const SERVICE_BODIES: Readonly<Record<string, Json>> = {
    'PUT /v1/groups/ID/members/alice': null,
    'PUT /v1/groups/tea/members/ID': null,
    'POST /v1/groups/ID/members': { userIds: ['alice'] },
    'GET /v1/groups/ID/members': null,
    'DELETE /v1/groups/ID/members/alice': null,
    'DELETE /v1/groups/tea/members/ID': null,
    'POST /v1/groups/ID/messages': { messageId: '1', senderId: 'alice' },
    'DELETE /v1/groups/ID/messages/1': null,
    'PUT /v1/users/ID/groups/tea/watermark': { messageId: '1' },
    'PUT /v1/users/alice/groups/ID/watermark': { messageId: '1' },
  };

  test.each(['.', '..', '%2e', '%2E', '%2e%2e', '.%2e', '%2E.'])(
    '%s is refused in every path',
    async (id) => {
      for (const [token, bodies] of [
        [user, BODIES],
        [service, SERVICE_BODIES],
      ] as const) {
        for (const [route, body] of Object.entries(bodies)) {
          const [method = '', path = ''] = route.replace('ID', id).split(' ');
          const { status } = await stack.call(token, method, path, ...(body === null ? [] : [body]));
          expect([route, [400, 404].includes(status)]).toEqual([route, true]);
        }
      }
    },
  );

  test.each(['.', '..'])('%j is refused in every body', async (id) => {
    const bodies: [string, string, string, Json][] = [
      [user, 'POST', '/v1/watermarks', { marks: [{ groupId: id, messageId: '1' }] }],
      [service, 'POST', '/v1/groups/tea/members', { userIds: ['alice', id] }],
      [service, 'POST', '/v1/groups/tea/messages', { messageId: '1', senderId: id }],
    ];
    for (const [token, method, path, body] of bodies) {
      const { status, body: actual } = await stack.call(token, method, path, body);
      expect([path, status, actual]).toMatchObject([path, 400, { code: 'invalid_request' }]);
    }
    // The refused call added no member.
    expect((await stack.call(service, 'GET', '/v1/groups/tea/members')).body).toMatchObject({ members: [] });
  });
});
