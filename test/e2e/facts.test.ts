import { describe, expect, test } from '@jest/globals';
import { eventually, freshPrefix } from '../support/engines.ts';
import { faultsOfCache, type Json, type RunningStack, withStack } from '../support/running-stack.ts';

const stack = withStack();

const DAY_MS = 86_400_000;
const T = Date.now() - DAY_MS;
const timeOf = (ms: number) => new Date(ms).toISOString();

const put = (detailType: string, detail: { readonly [name: string]: Json }, time?: string) =>
  stack.putFacts([{ detailType, detail, ...(time !== undefined && { time }) }]);

const asUser: RunningStack['asUser'] = (...call) => stack.asUser(...call);
const asService: RunningStack['asService'] = (...call) => stack.asService(...call);
const readView = (groupId: string, userId: string) =>
  asUser(userId, 'GET', `/v1/groups/${groupId}/watermark`);

async function receipts(groupId: string, userId: string, ...messageIds: string[]) {
  const answer = await asUser(userId, 'POST', `/v1/groups/${groupId}/receipts`, { messageIds });
  return (answer.body as { receipts: { [name: string]: Json }[] }).receipts;
}

/** The ids of a group's facts in the dead-letter queue. */
async function deadLetters(groupId: string): Promise<string[]> {
  const { body } = await stack.call(null, 'GET', '/_local/dead-letters');
  const { deadLetters } = body as { deadLetters: { message: { 'detail-type'?: string; detail?: Json } }[] };
  return deadLetters.flatMap(({ message }) =>
    JSON.stringify(message.detail ?? null).includes(groupId) ? [message['detail-type'] ?? ''] : [],
  );
}

/** A group of these members, who joined at T. */
async function aGroup(...userIds: string[]): Promise<string> {
  const groupId = freshPrefix();
  for (const userId of userIds) await put('MemberJoined', { groupId, userId, joinedAt: timeOf(T) });
  await eventually(async () => {
    for (const userId of userIds) expect((await readView(groupId, userId)).status).toBe(200);
  });
  return groupId;
}

const joins = async (groupId: string, userId: string, status: number) =>
  eventually(async () => expect((await readView(groupId, userId)).status).toBe(status));

describe('a fact', () => {
  test('with another sender for a known message is ignored, without effect and without another try', async () => {
    const groupId = await aGroup('bob', 'mallory');
    await put('MessageSent', { groupId, messageId: '30', senderId: 'bob' });
    await eventually(async () =>
      expect((await readView(groupId, 'bob')).body).toMatchObject({ messageId: '30' }),
    );
    await put('MessageSent', { groupId, messageId: '30', senderId: 'mallory' });
    await put('MessageSent', { groupId, messageId: '31', senderId: 'bob' });
    await eventually(async () =>
      expect((await readView(groupId, 'bob')).body).toMatchObject({ messageId: '31' }),
    );
    expect((await readView(groupId, 'mallory')).body).toMatchObject({
      messageId: null,
      unread: { count: 2, mentions: 0, firstId: '30', exact: true },
    });
    expect(await deadLetters(groupId)).toEqual([]);
  });

  test.each([
    ['MemberJoined', 'joinedAt', '9999-12-31T23:59:59.999Z'],
    ['MemberJoined', 'joinedAt', timeOf(Date.now() + 2 * DAY_MS)],
    ['MemberLeft', 'leftAt', '2199-01-01T00:00:00Z'],
    ['MemberLeft', 'leftAt', '9999-12-31T23:59:59.999Z'],
    ['MessageSent', 'sentAt', timeOf(Date.now() + 2 * DAY_MS)],
    ['MessageSent', 'sentAt', '2026-01-31T24:00:00Z'],
  ])('%s with %s %s goes to the dead-letter queue and changes nothing', async (type, name, time) => {
    const groupId = await aGroup('alice', 'bob');
    const about = type === 'MessageSent' ? { messageId: '9', senderId: 'alice' } : { userId: 'carol' };
    await put(type, { groupId, ...about, [name]: time });
    await eventually(async () => expect(await deadLetters(groupId)).toEqual([type]));
    // The group and its cache are unchanged: a later departure of the same user has its usual effect.
    expect((await readView(groupId, 'carol')).status).toBe(404);
    await put('MemberJoined', { groupId, userId: 'carol', joinedAt: timeOf(T) });
    await joins(groupId, 'carol', 200);
    await put('MessageSent', { groupId, messageId: '10', senderId: 'alice', sentAt: timeOf(T + 10) });
    await eventually(async () =>
      expect(await receipts(groupId, 'bob', '10', '9')).toEqual([
        {
          ...{ messageId: '10', known: true, audience: 2 },
          ...{ readCount: 0, deliveredCount: 0, readByAll: false },
        },
        { messageId: '9', known: false },
      ]),
    );
    await put('MemberLeft', { groupId, userId: 'carol', leftAt: timeOf(T + 20) });
    await joins(groupId, 'carol', 404);
    expect(faultsOfCache(stack)).toEqual([]);
  });

  test('of a departure without leftAt counts at the end of its second', async () => {
    const second = () => Math.floor(Date.now() / 1_000) * 1_000;
    let groupId: string;
    let joinedIn: number;
    do {
      groupId = freshPrefix();
      joinedIn = second();
      expect((await asService('PUT', `/v1/groups/${groupId}/members/alice`)).status).toBe(201);
    } while (second() !== joinedIn);
    await put('MemberLeft', { groupId, userId: 'alice' }, timeOf(joinedIn));
    await joins(groupId, 'alice', 404);
  });

  test('of a join can have joinedAfter, like the route', async () => {
    const groupId = await aGroup('alice');
    for (const messageId of ['1', '2', '3']) {
      await put('MessageSent', { groupId, messageId, senderId: 'alice', sentAt: timeOf(T + 1) });
    }
    await eventually(async () =>
      expect((await readView(groupId, 'alice')).body).toMatchObject({ head: '3' }),
    );
    await put('MemberJoined', { groupId, userId: 'bob', joinedAt: timeOf(T + 5), joinedAfter: '1' });
    await joins(groupId, 'bob', 200);
    expect((await readView(groupId, 'bob')).body).toMatchObject({ messageId: '1', unread: { count: 2 } });

    const join = (userId: string, joinedAfter: Json) =>
      asService('PUT', `/v1/groups/${groupId}/members/${userId}`, { joinedAfter });
    expect(await join('carol', '2')).toMatchObject({
      status: 201,
      body: { groupId, userId: 'carol', joinedAfter: '2' },
    });
    expect(await join('carol', '1')).toMatchObject({
      status: 200,
      body: { groupId, userId: 'carol', joinedAfter: '2' },
    });
    expect(await join('dave', null)).toMatchObject({ status: 201, body: { joinedAfter: null } });
    expect((await readView(groupId, 'dave')).body).toMatchObject({ messageId: null, unread: { count: 3 } });
    expect(await join('erin', '0')).toMatchObject({ status: 400, body: { code: 'invalid_request' } });
    expect((await readView(groupId, 'erin')).status).toBe(404);
  });
});
