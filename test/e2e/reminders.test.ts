import { describe, expect, test } from '@jest/globals';
import { eventually, freshPrefix } from '../support/engines.ts';
import { type Answer, type Json, withStack } from '../support/running-stack.ts';

const stack = withStack();

const turn = (advanceSeconds: Json) => stack.call(null, 'POST', '/_local/clock', { advanceSeconds });

async function aGroup(...userIds: string[]): Promise<string> {
  const groupId = freshPrefix();
  expect(await stack.asService('POST', `/v1/groups/${groupId}/members`, { userIds })).toMatchObject({
    status: 200,
  });
  return groupId;
}

const record = (groupId: string, messageId: string, fields: Record<string, Json> = {}) =>
  stack.asService('POST', `/v1/groups/${groupId}/messages`, { messageId, senderId: 'ann', ...fields });

const read = (groupId: string, userId: string, messageId: string, isPrivate = false) =>
  stack.asUser(userId, 'PUT', `/v1/groups/${groupId}/watermark`, { messageId, private: isPrivate });

const reminders = async (groupId: string) =>
  (await stack.eventsOf(groupId, 'MessageStillUnread')).map(({ detail }) => detail);

/** Turns the clock, and waits until all reminders up to then are published: another message has one of them. */
async function turnAndWait(advanceSeconds: number): Promise<void> {
  const other = await aGroup('ann', 'ben');
  await record(other, '1', { remindAfterSeconds: 60 });
  await turn(advanceSeconds);
  await eventually(async () => expect(await reminders(other)).toHaveLength(1));
  await eventually(() => expect(stack.queue('send-reminders').messages()).toEqual([]));
}

describe('a message with remindAfterSeconds', () => {
  test('has an event once that time is over, with who has not read it, and none before or after', async () => {
    const groupId = await aGroup('ann', 'ben', 'cleo', 'dan');
    expect(await record(groupId, '7', { remindAfterSeconds: 600 })).toMatchObject({ status: 201 });
    await read(groupId, 'cleo', '7');
    await read(groupId, 'dan', '7', true);
    await turnAndWait(500);
    expect(await reminders(groupId)).toEqual([]);
    await turn(600);
    await eventually(async () =>
      expect(await reminders(groupId)).toEqual([
        { version: '1', groupId, messageId: '7', userIds: ['ben'], isLast: true },
      ]),
    );
    await turnAndWait(900);
    expect(await reminders(groupId)).toHaveLength(1);
  });

  test('has the event on the webhook too', async () => {
    const groupId = await aGroup('ann', 'ben');
    await record(groupId, '7', { remindAfterSeconds: 60 });
    await turn(60);
    await eventually(async () => {
      const { text } = await stack.call(null, 'GET', '/_local/notifications');
      const { notifications } = JSON.parse(text) as { notifications: { body: string }[] };
      const bodies = notifications.map(
        ({ body }) => JSON.parse(body) as { detail: Json; 'detail-type': string },
      );
      const own = bodies.filter((body) => body['detail-type'] === 'MessageStillUnread');
      expect(own.map(({ detail }) => detail)).toContainEqual({
        version: '1',
        groupId,
        messageId: '7',
        userIds: ['ben'],
        isLast: true,
      });
    });
  });

  test('has the event also where the fact of the bus names the time, which counts from sentAt', async () => {
    const groupId = await aGroup('ann', 'ben');
    const sentAt = new Date(Date.now() - 3_600_000).toISOString();
    const detail = { groupId, messageId: '7', senderId: 'ann', sentAt, remindAfterSeconds: 3_600 };
    await stack.factsApplied(await stack.putFacts([{ detailType: 'MessageSent', detail }]));
    // The time is over already: the next minute brings it.
    await turn(60);
    await eventually(async () => expect(await reminders(groupId)).toMatchObject([{ messageId: '7' }]));
  });

  test('has none if it is deleted, if everyone has read it, or if the only reader has left', async () => {
    const groups = await Promise.all([aGroup('ann', 'ben'), aGroup('ann', 'ben'), aGroup('ann', 'ben')]);
    const [deleted, allRead, left] = groups as [string, string, string];
    for (const groupId of groups) await record(groupId, '7', { remindAfterSeconds: 600 });
    await stack.asService('DELETE', `/v1/groups/${deleted}/messages/7`);
    await read(allRead, 'ben', '7');
    await stack.asService('DELETE', `/v1/groups/${left}/members/ben`);
    await turnAndWait(600);
    expect(await Promise.all([deleted, allRead, left].map(reminders))).toEqual([[], [], []]);
  });

  test('names neither who joined after it nor who is in a group without a reminder', async () => {
    const groupId = await aGroup('ann', 'ben');
    await record(groupId, '6');
    await record(groupId, '7', { remindAfterSeconds: 600 });
    await stack.asService('PUT', `/v1/groups/${groupId}/members/late`);
    await turn(600);
    await eventually(async () =>
      expect(await reminders(groupId)).toMatchObject([{ messageId: '7', userIds: ['ben'] }]),
    );
  });

  test('keeps the time of its first recording', async () => {
    const groupId = await aGroup('ann', 'ben');
    await record(groupId, '7', { remindAfterSeconds: 604_800 });
    expect(await record(groupId, '7', { remindAfterSeconds: 60 })).toMatchObject({ status: 200 });
    await turnAndWait(600);
    expect(await reminders(groupId)).toEqual([]);
  });

  test('of a group of 250 names each once, a hundred an event', async () => {
    const users = Array.from({ length: 250 }, (_, index) => `u${String(index).padStart(3, '0')}`);
    const groupId = await aGroup('ann');
    for (const start of [0, 100, 200]) {
      await stack.asService('POST', `/v1/groups/${groupId}/members`, {
        userIds: users.slice(start, start + 100),
      });
    }
    await record(groupId, '7', { remindAfterSeconds: 60 });
    await turn(60);
    const events = await eventually(async () => {
      const found = await reminders(groupId);
      expect(found).toHaveLength(3);
      return found;
    });
    // The bus has them in the order in which they were published.
    expect(events.map(({ isLast }) => isLast)).toEqual([false, false, true]);
    expect(events.flatMap(({ userIds }) => userIds as string[])).toEqual(users);
  });
});

test('a private read shows in it, but in no receipt', async () => {
  const groupId = await aGroup('ann', 'ben');
  await record(groupId, '7', { remindAfterSeconds: 600 });
  await read(groupId, 'ben', '7', true);
  await turnAndWait(600);
  expect(await reminders(groupId)).toEqual([]);
  expect(
    await stack.asUser('ann', 'GET', `/v1/groups/${groupId}/messages/7/receipts?state=unread`),
  ).toMatchObject({
    body: { members: [{ userId: 'ben' }], readCount: 0 },
  });
});

describe('remindAfterSeconds', () => {
  const RULE = { path: 'remindAfterSeconds', message: 'must be an integer from 60 to 604800' };

  test.each([0, 59, 604_801, 60.5, -60, '600', null, true, 1e300])(
    'of %p is refused',
    async (remindAfterSeconds) => {
      const groupId = await aGroup('ann', 'ben');
      const answer: Answer = await record(groupId, '7', { remindAfterSeconds });
      expect(answer).toMatchObject({ status: 400, body: { code: 'invalid_request', errors: [RULE] } });
      expect(await stack.asUser('ben', 'GET', `/v1/groups/${groupId}/watermark`)).toMatchObject({
        body: { head: null },
      });
    },
  );

  test.each([60, 604_800])('of %p is accepted', async (remindAfterSeconds) => {
    const groupId = await aGroup('ann', 'ben');
    expect(await record(groupId, '7', { remindAfterSeconds })).toMatchObject({ status: 201 });
  });
});

describe('the clock of the local stack', () => {
  test('answers the time up to which it was turned, and does not stay there', async () => {
    for (const seconds of [1_200, 60]) {
      const earliestMs = Date.now() + seconds * 1_000;
      const { time } = (await turn(seconds)).body as { time: string };
      expect(Date.parse(time)).toBeGreaterThanOrEqual(earliestMs);
      // The minutes of the first turn, which would be on top of the second, are more than a call takes.
      expect(Date.parse(time)).toBeLessThan(earliestMs + 600_000);
    }
  });

  test.each([0, -60, 604_801, 1.5, '60', null])('is not turned by %p seconds', async (advanceSeconds) => {
    expect(await turn(advanceSeconds)).toMatchObject({ status: 400 });
  });
});
