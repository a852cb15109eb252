import { describe, expect, test } from '@jest/globals';
import { eventually, freshPrefix } from '../support/engines.ts';
import {
  A_TIME,
  expectAnswer,
  expectNotFound,
  LARGEST_ID,
  NONE_UNREAD,
} from '../support/expected-answers.ts';
import { type Answer, type Fact, type Json, type RunningStack, withStack } from '../support/running-stack.ts';

const stack = withStack();

const asService: RunningStack['asService'] = (...call) => stack.asService(...call);
const asUser: RunningStack['asUser'] = (...call) => stack.asUser(...call);

const readView = (groupId: string, userId: string) =>
  asUser(userId, 'GET', `/v1/groups/${groupId}/watermark`);
/** Marks with the id as text. */
const mark = (groupId: string, userId: string, messageId: string) =>
  asUser(userId, 'PUT', `/v1/groups/${groupId}/watermark`, { messageId });
const statuses = (groupId: string, userId: string, ...messageIds: string[]) =>
  asUser(userId, 'POST', `/v1/groups/${groupId}/messages/status`, { messageIds });
const record = (groupId: string, messageId: string, senderId: string) =>
  asService('POST', `/v1/groups/${groupId}/messages`, { messageId, senderId });
const remove = (groupId: string, messageId: string) =>
  asService('DELETE', `/v1/groups/${groupId}/messages/${messageId}`);
const join = (groupId: string, userId: string) => asService('PUT', `/v1/groups/${groupId}/members/${userId}`);
const leave = (groupId: string, userId: string) =>
  asService('DELETE', `/v1/groups/${groupId}/members/${userId}`);
const listMembers = (groupId: string, query = '') =>
  asService('GET', `/v1/groups/${groupId}/members${query}`);

/** A group of these members. */
async function aGroupOf(...userIds: string[]): Promise<string> {
  const groupId = freshPrefix('g');
  expect(await asService('POST', `/v1/groups/${groupId}/members`, { userIds })).toMatchObject({
    status: 200,
  });
  return groupId;
}

/** A group of Alice and Bob, in which Alice has sent these messages. */
async function aChat(...messageIds: string[]): Promise<string> {
  const groupId = await aGroupOf('alice', 'bob');
  for (const messageId of messageIds) {
    expect(await record(groupId, messageId, 'alice')).toMatchObject({ status: 201 });
  }
  return groupId;
}

function expectNoContent(answer: Answer) {
  expect(answer.status).toBe(204);
  expect(answer.text).toBe('');
}

describe('a mark', () => {
  test('in a group without messages is not clamped, and the unread count is 0', async () => {
    const groupId = await aGroupOf('bob');
    expectAnswer(await readView(groupId, 'bob'), 200, {
      groupId,
      userId: 'bob',
      messageId: null,
      readAt: null,
      revision: 0,
      head: null,
      unread: { count: 0, mentions: 0, firstId: null, exact: true },
    });
    expectAnswer(await mark(groupId, 'bob', '5'), 200, {
      groupId,
      userId: 'bob',
      messageId: '5',
      readAt: A_TIME,
      revision: 0,
      advanced: true,
      clamped: false,
      unread: { count: 0, mentions: 0, firstId: null, exact: true },
    });
    expectAnswer(await readView(groupId, 'bob'), 200, {
      groupId,
      userId: 'bob',
      messageId: '5',
      readAt: A_TIME,
      revision: 0,
      head: null,
      unread: { count: 0, mentions: 0, firstId: null, exact: true },
    });
  });

  test('moves the watermark and the unread count', async () => {
    const groupId = await aChat('1', '2', '3');
    expectAnswer(await readView(groupId, 'bob'), 200, {
      groupId,
      userId: 'bob',
      messageId: null,
      readAt: null,
      revision: 0,
      head: '3',
      unread: { count: 3, mentions: 0, firstId: '1', exact: true },
    });
    expectAnswer(await mark(groupId, 'bob', '2'), 200, {
      groupId,
      userId: 'bob',
      messageId: '2',
      readAt: A_TIME,
      revision: 0,
      advanced: true,
      clamped: false,
      unread: { count: 1, mentions: 0, firstId: '3', exact: true },
    });
  });

  test('that is not new changes nothing', async () => {
    const groupId = await aChat('1', '2', '3');
    const first = await mark(groupId, 'bob', '2');
    const { readAt } = first.body as { readAt: string };
    for (const messageId of ['2', '1']) {
      expectAnswer(await mark(groupId, 'bob', messageId), 200, {
        groupId,
        userId: 'bob',
        messageId: '2',
        readAt,
        revision: 0,
        advanced: false,
        clamped: false,
        unread: { count: 1, mentions: 0, firstId: '3', exact: true },
      });
    }
    expect((await readView(groupId, 'bob')).body).toMatchObject({ messageId: '2', readAt });
  });

  test('on behalf of a user has the same effect as the user’s own', async () => {
    const groupId = await aChat('1', '2', '3');
    const path = `/v1/users/bob/groups/${groupId}/watermark`;
    expectAnswer(await asService('PUT', path, { messageId: '2' }), 200, {
      groupId,
      userId: 'bob',
      messageId: '2',
      readAt: A_TIME,
      revision: 0,
      advanced: true,
      clamped: false,
      unread: { count: 1, mentions: 0, firstId: '3', exact: true },
    });
    expect((await readView(groupId, 'bob')).body).toMatchObject({ messageId: '2', readAt: A_TIME });
    expect((await asService('PUT', path, { messageId: LARGEST_ID })).body).toMatchObject({
      messageId: '3',
      clamped: true,
      unread: NONE_UNREAD,
    });
    expectNotFound(await asService('PUT', `/v1/users/carol/groups/${groupId}/watermark`, { messageId: '2' }));
  });

  test("moves nobody else's watermark", async () => {
    const groupId = await aGroupOf('alice', 'bob', 'carol');
    await record(groupId, '1', 'alice');
    await mark(groupId, 'bob', '1');
    expect((await readView(groupId, 'carol')).body).toMatchObject({
      messageId: null,
      readAt: null,
      unread: { count: 1, mentions: 0, firstId: '1', exact: true },
    });
  });

  test('between two messages leaves the later one unread', async () => {
    const groupId = await aChat('10', '20');
    expect((await mark(groupId, 'bob', '15')).body).toMatchObject({
      messageId: '15',
      advanced: true,
      clamped: false,
      unread: { count: 1, mentions: 0, firstId: '20', exact: true },
    });
  });

  test('can have a JSON integer up to 2^53-1', async () => {
    const groupId = await aGroupOf('bob');
    const answer = await asUser(
      'bob',
      'PUT',
      `/v1/groups/${groupId}/watermark`,
      '{"messageId":9007199254740991}',
    );
    expect(answer).toMatchObject({ status: 200, body: { messageId: '9007199254740991', advanced: true } });
    expect((await readView(groupId, 'bob')).body).toMatchObject({ messageId: '9007199254740991' });
  });
});

describe('the main job', () => {
  test('101 is unread until it is marked', async () => {
    const groupId = await aGroupOf('alice', 'bob');
    for (let id = 1; id <= 100; id += 1) await record(groupId, String(id), 'alice');
    await mark(groupId, 'bob', '100');
    await record(groupId, '101', 'alice');

    expect((await readView(groupId, 'bob')).body).toMatchObject({
      messageId: '100',
      head: '101',
      unread: { count: 1, mentions: 0, firstId: '101', exact: true },
    });
    expectAnswer(await statuses(groupId, 'bob', '100', '101'), 200, {
      groupId,
      watermark: '100',
      statuses: [
        { messageId: '100', read: true },
        { messageId: '101', read: false },
      ],
    });
    expect((await mark(groupId, 'bob', '101')).body).toMatchObject({ messageId: '101', unread: NONE_UNREAD });
    expect((await statuses(groupId, 'bob', '101')).body).toMatchObject({
      watermark: '101',
      statuses: [{ messageId: '101', read: true }],
    });
  });
});

describe('a mark beyond the head', () => {
  test('is clamped to the head, and later messages are unread', async () => {
    const groupId = await aChat('100', '101');
    expectAnswer(await mark(groupId, 'bob', LARGEST_ID), 200, {
      groupId,
      userId: 'bob',
      messageId: '101',
      readAt: A_TIME,
      revision: 0,
      advanced: true,
      clamped: true,
      unread: NONE_UNREAD,
    });
    expectAnswer(await record(groupId, '102', 'alice'), 201, { groupId, messageId: '102', head: '102' });
    expect((await readView(groupId, 'bob')).body).toMatchObject({
      messageId: '101',
      head: '102',
      unread: { count: 1, mentions: 0, firstId: '102', exact: true },
    });
    expect((await statuses(groupId, 'bob', '102')).body).toMatchObject({
      statuses: [{ messageId: '102', read: false }],
    });
  });

  test('is clamped if it is beyond by one, and not at the head', async () => {
    const groupId = await aChat('100', '101');
    expect((await mark(groupId, 'bob', '101')).body).toMatchObject({ advanced: true, clamped: false });
    expect((await mark(groupId, 'bob', '102')).body).toMatchObject({
      messageId: '101',
      advanced: false,
      clamped: true,
    });
  });
});

describe('ids of 64 bits', () => {
  test.each([
    ['9007199254740992', '9007199254740993'],
    ['18446744073709551614', '18446744073709551615'],
  ])('%s and %s are different, in and out', async (lower, upper) => {
    const groupId = await aGroupOf('alice', 'bob');
    expectAnswer(await record(groupId, lower, 'alice'), 201, { groupId, messageId: lower, head: lower });
    expectAnswer(await record(groupId, upper, 'alice'), 201, { groupId, messageId: upper, head: upper });

    expect((await mark(groupId, 'bob', lower)).body).toMatchObject({
      messageId: lower,
      advanced: true,
      clamped: false,
      unread: { count: 1, mentions: 0, firstId: upper, exact: true },
    });
    expect((await readView(groupId, 'bob')).body).toMatchObject({ messageId: lower, head: upper });
    expectAnswer(await statuses(groupId, 'bob', upper, lower), 200, {
      groupId,
      watermark: lower,
      statuses: [
        { messageId: upper, read: false },
        { messageId: lower, read: true },
      ],
    });
    expect((await mark(groupId, 'bob', upper)).body).toMatchObject({
      messageId: upper,
      advanced: true,
      clamped: false,
      unread: NONE_UNREAD,
    });
    expectAnswer(await listMembers(groupId), 200, {
      members: [
        { userId: 'alice', messageId: upper, joinedAfter: null },
        { userId: 'bob', messageId: upper, joinedAfter: null },
      ],
      cursor: null,
    });
    expectAnswer(await join(groupId, 'carol'), 201, { groupId, userId: 'carol', joinedAfter: upper });
  });

  test('are different for deletion', async () => {
    const groupId = await aChat('9007199254740992', '9007199254740993');
    expectNoContent(await remove(groupId, '9007199254740992'));
    await mark(groupId, 'bob', '9007199254740992');
    expect((await readView(groupId, 'bob')).body).toMatchObject({
      unread: { count: 1, mentions: 0, firstId: '9007199254740993', exact: true },
    });
  });

  test('are ordered as numbers, also with fewer digits', async () => {
    const groupId = await aChat('9', '10', '100');
    expect((await mark(groupId, 'bob', '9')).body).toMatchObject({
      unread: { count: 2, mentions: 0, firstId: '10', exact: true },
    });
    expect((await mark(groupId, 'bob', '10')).body).toMatchObject({
      messageId: '10',
      advanced: true,
      unread: { count: 1, mentions: 0, firstId: '100', exact: true },
    });
  });
});

describe('the status of messages', () => {
  test('comes in the order of the request, repeated ids included', async () => {
    const groupId = await aChat('1', '2', '3');
    await mark(groupId, 'bob', '2');
    expectAnswer(await statuses(groupId, 'bob', '3', '1', '2', '1', '999'), 200, {
      groupId,
      watermark: '2',
      statuses: [
        { messageId: '3', read: false },
        { messageId: '1', read: true },
        { messageId: '2', read: true },
        { messageId: '1', read: true },
        { messageId: '999', read: false },
      ],
    });
  });

  test('is unread for a member that has read nothing, and the watermark is null', async () => {
    const groupId = await aChat('1');
    expectAnswer(await statuses(groupId, 'bob', '1'), 200, {
      groupId,
      watermark: null,
      statuses: [{ messageId: '1', read: false }],
    });
  });

  test('accepts JSON integers, and answers with strings', async () => {
    const groupId = await aChat('1', '2');
    const path = `/v1/groups/${groupId}/messages/status`;
    expectAnswer(await asUser('bob', 'POST', path, '{"messageIds":[2,"1",9007199254740991]}'), 200, {
      groupId,
      watermark: null,
      statuses: [
        { messageId: '2', read: false },
        { messageId: '1', read: false },
        { messageId: '9007199254740991', read: false },
      ],
    });
  });
});

describe('a message', () => {
  test('is recorded once', async () => {
    const groupId = await aGroupOf('alice', 'bob');
    expectAnswer(await record(groupId, '7', 'alice'), 201, { groupId, messageId: '7', head: '7' });
    expectAnswer(await record(groupId, '7', 'alice'), 200, { groupId, messageId: '7', head: '7' });
    expect((await readView(groupId, 'bob')).body).toMatchObject({
      unread: { count: 1, mentions: 0, firstId: '7', exact: true },
    });
  });

  test('can have sentAt, and a JSON integer as its id', async () => {
    const groupId = await aGroupOf('bob');
    const body = '{"messageId":7,"senderId":"alice","sentAt":"2026-01-31T12:00:00.000Z"}';
    expectAnswer(await asService('POST', `/v1/groups/${groupId}/messages`, body), 201, {
      groupId,
      messageId: '7',
      head: '7',
    });
  });

  test('may be recorded out of order: the head stays, and it is unread', async () => {
    const groupId = await aChat('20');
    expectAnswer(await record(groupId, '10', 'alice'), 201, { groupId, messageId: '10', head: '20' });
    expect((await readView(groupId, 'bob')).body).toMatchObject({
      head: '20',
      unread: { count: 2, mentions: 0, firstId: '10', exact: true },
    });
    expect((await mark(groupId, 'bob', '20')).body).toMatchObject({ unread: NONE_UNREAD });
    await record(groupId, '15', 'alice');
    expect((await readView(groupId, 'bob')).body).toMatchObject({
      messageId: '20',
      head: '20',
      unread: NONE_UNREAD,
    });
  });

  test("moves its sender's watermark, and is not unread for the sender", async () => {
    const groupId = await aChat('1', '2');
    expect((await readView(groupId, 'alice')).body).toMatchObject({
      messageId: '2',
      head: '2',
      unread: NONE_UNREAD,
    });
    expect((await statuses(groupId, 'alice', '2')).body).toMatchObject({
      watermark: '2',
      statuses: [{ messageId: '2', read: true }],
    });
    await record(groupId, '4', 'bob');
    await record(groupId, '3', 'alice');
    expect((await readView(groupId, 'bob')).body).toMatchObject({ messageId: '4', unread: NONE_UNREAD });
    expect((await readView(groupId, 'alice')).body).toMatchObject({
      messageId: '3',
      unread: { count: 1, mentions: 0, firstId: '4', exact: true },
    });
  });

  test('can have a sender that is not a member, and does not add it', async () => {
    const groupId = await aGroupOf('bob');
    expectAnswer(await record(groupId, '1', 'a-bot'), 201, { groupId, messageId: '1', head: '1' });
    expect((await readView(groupId, 'bob')).body).toMatchObject({
      unread: { count: 1, mentions: 0, firstId: '1', exact: true },
    });
    expectNotFound(await readView(groupId, 'a-bot'));
    expect((await listMembers(groupId)).body).toMatchObject({ members: [{ userId: 'bob' }] });
  });

  test('deleted is not unread, and the head stays', async () => {
    const groupId = await aChat('1', '2', '3');
    expectNoContent(await remove(groupId, '3'));
    expectNoContent(await remove(groupId, '3'));
    expect((await readView(groupId, 'bob')).body).toMatchObject({
      head: '3',
      unread: { count: 2, mentions: 0, firstId: '1', exact: true },
    });
    expectNoContent(await remove(groupId, '1'));
    expect((await readView(groupId, 'bob')).body).toMatchObject({
      head: '3',
      unread: { count: 1, mentions: 0, firstId: '2', exact: true },
    });
    expect((await mark(groupId, 'bob', LARGEST_ID)).body).toMatchObject({ messageId: '3', clamped: true });
  });

  test('that was never recorded can be deleted', async () => {
    const groupId = await aChat('1');
    expectNoContent(await remove(groupId, '99'));
    expect((await readView(groupId, 'bob')).body).toMatchObject({
      head: '1',
      unread: { count: 1, mentions: 0, firstId: '1', exact: true },
    });
  });
});

describe('members', () => {
  test('are added one by one', async () => {
    const groupId = freshPrefix('g');
    expectAnswer(await join(groupId, 'bob'), 201, { groupId, userId: 'bob', joinedAfter: null });
    expectAnswer(await join(groupId, 'bob'), 200, { groupId, userId: 'bob', joinedAfter: null });
  });

  test('start at the head, which adding them again does not change', async () => {
    const groupId = await aChat('1', '2');
    expectAnswer(await join(groupId, 'carol'), 201, { groupId, userId: 'carol', joinedAfter: '2' });
    expectAnswer(await readView(groupId, 'carol'), 200, {
      groupId,
      userId: 'carol',
      messageId: '2',
      readAt: null,
      revision: 0,
      head: '2',
      unread: NONE_UNREAD,
    });
    await record(groupId, '3', 'alice');
    expectAnswer(await join(groupId, 'carol'), 200, { groupId, userId: 'carol', joinedAfter: '2' });
    expect((await readView(groupId, 'carol')).body).toMatchObject({
      messageId: '2',
      unread: { count: 1, mentions: 0, firstId: '3', exact: true },
    });
  });

  test('are added together', async () => {
    const groupId = freshPrefix('g');
    const add = (...userIds: string[]) => asService('POST', `/v1/groups/${groupId}/members`, { userIds });
    expectAnswer(await add('alice', 'bob'), 200, { added: 2, existing: 0 });
    expectAnswer(await add('bob', 'carol'), 200, { added: 1, existing: 1 });
    expectAnswer(await add('bob'), 200, { added: 0, existing: 1 });
    expect((await listMembers(groupId)).body).toMatchObject({
      members: [{ userId: 'alice' }, { userId: 'bob' }, { userId: 'carol' }],
    });
  });

  test('that have left get the answers of non-members', async () => {
    const groupId = await aChat('1', '2');
    await mark(groupId, 'bob', '1');
    expectNoContent(await leave(groupId, 'bob'));
    expectNotFound(await readView(groupId, 'bob'));
    expectNotFound(await mark(groupId, 'bob', '2'));
    expectNotFound(await statuses(groupId, 'bob', '1'));
    expectNoContent(await leave(groupId, 'bob'));
    expectNoContent(await leave(groupId, 'nobody'));
    expect((await listMembers(groupId)).body).toMatchObject({ members: [{ userId: 'alice' }] });
  });

  test('that rejoin start at the head, in a higher revision', async () => {
    const groupId = await aChat('1', '2');
    await mark(groupId, 'bob', '1');
    await leave(groupId, 'bob');
    await record(groupId, '3', 'alice');
    expectAnswer(await join(groupId, 'bob'), 201, { groupId, userId: 'bob', joinedAfter: '3' });
    expectAnswer(await readView(groupId, 'bob'), 200, {
      groupId,
      userId: 'bob',
      messageId: '3',
      readAt: null,
      revision: expect.any(Number),
      head: '3',
      unread: NONE_UNREAD,
    });
    const { revision } = (await readView(groupId, 'bob')).body as { revision: number };
    expect(revision).toBeGreaterThan(0);
  });

  test('of a group that does not exist are an empty list', async () => {
    expectAnswer(await listMembers(freshPrefix('g')), 200, { members: [], cursor: null });
  });

  test('can have ids of every allowed character, and of 128 characters', async () => {
    const longest = 'x'.repeat(128);
    const groupId = `${freshPrefix('g')}.A_z:0@!+=~-`;
    expectAnswer(await join(groupId, longest), 201, { groupId, userId: longest, joinedAfter: null });
    expectAnswer(await join(groupId, '.A_z:0@!+=~-'), 201, {
      groupId,
      userId: '.A_z:0@!+=~-',
      joinedAfter: null,
    });
    // An unnecessary escape means the same id.
    expectAnswer(await join(groupId.replace('@', '%40').replace('+', '%2B'), longest), 200, {
      groupId,
      userId: longest,
      joinedAfter: null,
    });
    expect((await mark(groupId, '.A_z:0@!+=~-', '1')).body).toMatchObject({
      groupId,
      userId: '.A_z:0@!+=~-',
      messageId: '1',
    });
    expect((await readView(groupId, longest)).body).toMatchObject({ groupId, userId: longest });
  });

  test('are listed page by page, each once', async () => {
    const groupId = await aGroupOf('u1', 'u2', 'u3', 'u4', 'u5', 'u6', 'u7');
    await record(groupId, '1', 'u3');
    const found: Json[] = [];
    const sizes: number[] = [];
    let query = '?limit=3';
    for (;;) {
      const answer = await listMembers(groupId, query);
      const { members, cursor } = answer.body as { members: Json[]; cursor: string | null };
      expectAnswer(answer, 200, { members, cursor });
      found.push(...members);
      sizes.push(members.length);
      if (cursor === null || sizes.length > 7) break;
      query = `?limit=3&cursor=${encodeURIComponent(cursor)}`;
    }
    expect(sizes.every((size) => size <= 3)).toBe(true);
    expect(found).toHaveLength(7);
    expect(found).toEqual(
      expect.arrayContaining([
        { userId: 'u1', messageId: null, joinedAfter: null },
        { userId: 'u2', messageId: null, joinedAfter: null },
        { userId: 'u3', messageId: '1', joinedAfter: null },
        { userId: 'u4', messageId: null, joinedAfter: null },
        { userId: 'u5', messageId: null, joinedAfter: null },
        { userId: 'u6', messageId: null, joinedAfter: null },
        { userId: 'u7', messageId: null, joinedAfter: null },
      ]),
    );
  });

  test('are all listed, also if they need several pages', async () => {
    const userIds = Array.from({ length: 100 }, (_, index) => `u${index}`);
    const groupId = await aGroupOf(...userIds);
    await asService('POST', `/v1/groups/${groupId}/members`, { userIds: ['last-1', 'last-2'] });
    const names = new Set<string>();
    let pages = 0;
    let query = '';
    for (;;) {
      const { members, cursor } = (await listMembers(groupId, query)).body as {
        members: { userId: string }[];
        cursor: string | null;
      };
      for (const { userId } of members) names.add(userId);
      pages += 1;
      if (cursor === null || pages > 102) break;
      query = `?cursor=${encodeURIComponent(cursor)}`;
    }
    expect(names.size).toBe(102);
  });

  test('are all in one page of up to five hundred', async () => {
    const userIds = Array.from({ length: 100 }, (_, index) => `u${index}`);
    const groupId = await aGroupOf(...userIds);
    await asService('POST', `/v1/groups/${groupId}/members`, { userIds: ['last-1', 'last-2'] });
    await eventually(async () => {
      const { body } = await listMembers(groupId, '?limit=500');
      const { members, cursor } = body as { members: Json[]; cursor: string | null };
      expect({ listed: members.length, cursor }).toEqual({ listed: 102, cursor: null });
    });
  });
});

describe('an answer', () => {
  test('for a group that does not exist is 404', async () => {
    const groupId = freshPrefix('g');
    expectNotFound(await readView(groupId, 'bob'));
    expectNotFound(await mark(groupId, 'bob', '1'));
    expectNotFound(await statuses(groupId, 'bob', '1'));
  });

  test('to a request that failed has a new request id', async () => {
    const groupId = freshPrefix('g');
    const [one, other] = await Promise.all([readView(groupId, 'bob'), readView(groupId, 'bob')]);
    const idOf = ({ body }: Answer) => (body as { requestId: string }).requestId;
    expect(idOf(one)).not.toBe(idOf(other));
  });
});

describe('facts on the bus', () => {
  const joined = (groupId: string, userId: string): Fact => ({
    detailType: 'MemberJoined',
    detail: { groupId, userId },
  });
  const left = (groupId: string, userId: string): Fact => ({
    detailType: 'MemberLeft',
    detail: { groupId, userId },
  });
  const sent = (groupId: string, messageId: string | number, senderId: string): Fact => ({
    detailType: 'MessageSent',
    detail: { groupId, messageId, senderId },
  });
  const deleted = (groupId: string, messageId: string): Fact => ({
    detailType: 'MessageDeleted',
    detail: { groupId, messageId },
  });

  /** Puts the facts on the bus, and waits until they have been applied. */
  async function happen(...facts: Fact[]) {
    await stack.factsApplied(await stack.putFacts(facts));
  }

  test('have the effect of their routes', async () => {
    const groupId = freshPrefix('g');
    await happen(joined(groupId, 'alice'), joined(groupId, 'bob'), joined(groupId, 'carol'));
    await happen(
      sent(groupId, '9007199254740992', 'alice'),
      sent(groupId, '9007199254740993', 'alice'),
      sent(groupId, LARGEST_ID, 'alice'),
    );
    await happen(deleted(groupId, LARGEST_ID), left(groupId, 'carol'));

    expectAnswer(await readView(groupId, 'bob'), 200, {
      groupId,
      userId: 'bob',
      messageId: null,
      readAt: null,
      revision: 0,
      head: LARGEST_ID,
      unread: { count: 2, mentions: 0, firstId: '9007199254740992', exact: true },
    });
    expect((await mark(groupId, 'bob', '9007199254740992')).body).toMatchObject({
      messageId: '9007199254740992',
      unread: { count: 1, mentions: 0, firstId: '9007199254740993', exact: true },
    });
    expectNotFound(await readView(groupId, 'carol'));
    expectAnswer(await listMembers(groupId), 200, {
      members: [
        { userId: 'alice', messageId: LARGEST_ID, joinedAfter: null },
        { userId: 'bob', messageId: '9007199254740992', joinedAfter: null },
      ],
      cursor: null,
    });
  });

  test('can have sentAt, and a JSON integer as an id', async () => {
    const groupId = await aGroupOf('bob');
    await happen({
      detailType: 'MessageSent',
      detail: { groupId, messageId: 7, senderId: 'alice', sentAt: '2026-01-31T12:00:00.000Z' },
    });
    expect((await readView(groupId, 'bob')).body).toMatchObject({
      head: '7',
      unread: { count: 1, mentions: 0, firstId: '7', exact: true },
    });
  });

  test('count once, however often they come', async () => {
    const groupId = freshPrefix('g');
    await happen(joined(groupId, 'alice'), joined(groupId, 'bob'), joined(groupId, 'bob'));
    await happen(sent(groupId, '1', 'alice'), sent(groupId, '1', 'alice'), sent(groupId, '2', 'alice'));
    await mark(groupId, 'bob', '1');
    await happen(
      joined(groupId, 'bob'),
      sent(groupId, '1', 'alice'),
      sent(groupId, '2', 'alice'),
      deleted(groupId, '1'),
      deleted(groupId, '1'),
      sent(groupId, '1', 'alice'),
    );
    expect((await readView(groupId, 'bob')).body).toMatchObject({
      messageId: '1',
      head: '2',
      unread: { count: 1, mentions: 0, firstId: '2', exact: true },
    });
    expect((await listMembers(groupId)).body).toMatchObject({
      members: [{ userId: 'alice' }, { userId: 'bob' }],
    });
  });

  test('about messages may come in reverse', async () => {
    const groupId = await aGroupOf('alice', 'bob');
    await happen(
      deleted(groupId, '2'),
      sent(groupId, '3', 'alice'),
      sent(groupId, '2', 'alice'),
      sent(groupId, '1', 'alice'),
    );
    expect((await readView(groupId, 'bob')).body).toMatchObject({
      head: '3',
      unread: { count: 2, mentions: 0, firstId: '1', exact: true },
    });
    expect((await readView(groupId, 'alice')).body).toMatchObject({ messageId: '3', unread: NONE_UNREAD });
  });

  test('about members may come in reverse: the latest time counts', async () => {
    const groupId = freshPrefix('g');
    const at = (time: string, fact: Fact): Fact => ({ ...fact, time });
    await happen(
      at('2026-01-31T12:00:20Z', joined(groupId, 'returned')),
      at('2026-01-31T12:00:10Z', left(groupId, 'returned')),
      at('2026-01-31T12:00:00Z', joined(groupId, 'returned')),
      at('2026-01-31T12:00:10Z', left(groupId, 'gone')),
      at('2026-01-31T12:00:00Z', joined(groupId, 'gone')),
      at('2026-01-31T12:00:00Z', joined(groupId, 'stays')),
    );
    expectNotFound(await readView(groupId, 'gone'));
    expectAnswer(await listMembers(groupId), 200, {
      members: [
        { userId: 'returned', messageId: null, joinedAfter: null },
        { userId: 'stays', messageId: null, joinedAfter: null },
      ],
      cursor: null,
    });
  });

  test('from another source or of another type change nothing', async () => {
    const groupId = await aChat('1');
    const before = (await readView(groupId, 'bob')).body;
    const call = await stack.call(null, 'POST', '/_local/events', {
      entries: [
        {
          source: 'elsewhere',
          detailType: 'MessageSent',
          detail: { groupId, messageId: '2', senderId: 'alice' },
        },
        {
          source: 'chat',
          detailType: 'MessageEdited',
          detail: { groupId, messageId: '2', senderId: 'alice' },
        },
      ],
    });
    expect(call.status).toBe(200);
    await happen();
    expect((await readView(groupId, 'bob')).body).toEqual(before);
  });
});

test.each([
  ['a message id of zero', 'MessageSent', { messageId: '0', senderId: 'alice' }],
  ['a message id beyond doubles', 'MessageSent', { messageId: 9007199254740992, senderId: 'alice' }],
  ['no sender', 'MessageSent', { messageId: '2' }],
  ['a bad message to delete', 'MessageDeleted', { messageId: '01' }],
  ['a bad user', 'MemberJoined', { userId: 'a/b' }],
  ['no user', 'MemberLeft', {}],
])('a fact with %s changes nothing, and does not delay others', async (_name, detailType, fields) => {
  const groupId = await aChat('1');
  const seen = async () => [(await readView(groupId, 'bob')).body, (await listMembers(groupId)).body];
  const before = await seen();
  await stack.putFacts([
    { detailType, detail: { groupId, ...fields } },
    { detailType: 'MemberJoined', detail: { groupId: `${groupId}-next`, userId: 'bob' } },
  ]);
  await eventually(async () => expect((await readView(`${groupId}-next`, 'bob')).status).toBe(200));
  expect(await seen()).toEqual(before);
});

test('the event of a mark has the old and the new position', async () => {
  const groupId = await aChat('9007199254740992', '9007199254740993');
  await mark(groupId, 'bob', '9007199254740992');
  const advances = async () => {
    const { body } = await stack.call(null, 'GET', '/_local/events');
    const { events } = body as {
      events: { source: string; 'detail-type': string; detail: { groupId: string; userId: string } }[];
    };
    return events.filter(
      (event) =>
        event['detail-type'] === 'WatermarkAdvanced' &&
        event.detail.groupId === groupId &&
        event.detail.userId === 'bob',
    );
  };
  const event = (from: string | null, to: string) => ({
    id: expect.stringMatching(/./),
    // Times of EventBridge are whole seconds.
    time: expect.stringMatching(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/),
    source: 'tidemark',
    'detail-type': 'WatermarkAdvanced',
    detail: {
      ...{ version: '1', groupId, userId: 'bob', membership: expect.any(Number) },
      ...{ from, to, readAt: A_TIME, ownRevision: 0 },
    },
  });
  const first = event(null, '9007199254740992');
  await eventually(async () => expect(await advances()).toEqual([first]));
  await mark(groupId, 'bob', '9007199254740993');
  const second = event('9007199254740992', '9007199254740993');
  await eventually(async () => expect(await advances()).toEqual([first, second]));
});
