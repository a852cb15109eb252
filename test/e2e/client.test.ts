import { describe, expect, test } from '@jest/globals';
import { createUserApi, USER_ROUTES, type UserCalls } from '../../client/src/api.ts';
import { TidemarkError } from '../../client/src/error.ts';
import {
  createServiceApi,
  SERVICE_ROUTES,
  type ServiceApi,
  type ServiceCalls,
} from '../../client/src/service.ts';
import { createTidemark } from '../../client/src/tidemark.ts';
import { eventually, freshPrefix } from '../support/engines.ts';
import { withStack } from '../support/running-stack.ts';

const running = withStack();

const apiOf = (userId: string): UserCalls =>
  createUserApi({ url: running.description.apiUrl, token: () => running.userToken(userId) });
const service = (): ServiceApi =>
  createServiceApi({ url: running.description.apiUrl, token: () => running.serviceToken() });

/** A group of Ann and Bob in which Bob has sent messages up to this one. */
async function openGroup(messages: number, groupId = freshPrefix()): Promise<string> {
  await service().addMembers({ groupId, userIds: ['ann', 'bob'] });
  for (let id = 1; id <= messages; id += 1) {
    await service().recordMessage({ groupId, messageId: String(id), senderId: 'bob' });
  }
  return groupId;
}

async function errorOf(call: Promise<unknown>): Promise<TidemarkError> {
  const error = await call.catch((thrown: unknown) => thrown);
  if (error instanceof TidemarkError) return error;
  throw new Error(`not a TidemarkError: ${error}`);
}

/** For each call its fields and what it returns, in an order in which each has something to do. */
type Examples<Calls> = {
  readonly [Name in keyof Calls]: Calls[Name] extends (fields: infer Fields, ...rest: never[]) => unknown
    ? readonly [fields: Fields, answer: unknown]
    : never;
};

/** Makes every call of the examples, and returns their names. */
async function makeCalls<Calls>(calls: Calls, examples: Examples<Calls>): Promise<string[]> {
  const names = Object.keys(examples) as (keyof Calls & string)[];
  for (const name of names) {
    const [fields, answer] = examples[name];
    const call = calls[name] as (fields: unknown) => Promise<unknown>;
    const returned = await call(fields).catch((error: unknown) =>
      Promise.reject(new Error(name, { cause: error })),
    );
    expect([name, returned]).toEqual([name, answer]);
  }
  return names.toSorted();
}

const like = (fields: object): unknown => expect.objectContaining(fields);

describe('every call', () => {
  test.each(['with a token of the user', 'on behalf of the user'])('of a user succeeds %s', async (how) => {
    const [groupId, userId] = [freshPrefix(), freshPrefix('user')];
    await service().addMembers({ groupId, userIds: [userId, 'bob'] });
    for (const messageId of ['1', '2', '3']) {
      await service().recordMessage({ groupId, messageId, senderId: messageId === '1' ? userId : 'bob' });
    }
    const unread = { count: 2, mentions: 0, firstId: '2', exact: true };
    const nothing = { count: 0, mentions: 0, firstId: null, exact: true };
    const preferences = { groupId, notify: 'all', mutedUntil: null, archive: 'no', archived: false };
    const api = how === 'on behalf of the user' ? service().onBehalfOf(userId) : apiOf(userId);
    const names = await makeCalls<UserCalls>(api, {
      getWatermark: [{ groupId }, like({ groupId, userId, messageId: '1', revision: 0, head: '3', unread })],
      getInbox: [
        { unreadOnly: true, archived: false, limit: 1 },
        { groups: [like({ groupId, unread })], cursor: null },
      ],
      getBadge: [{}, { groups: 1, messages: 2, mentions: 0, exact: true }],
      markDelivered: [{ groupId, messageId: '2' }, like({ groupId, messageId: '2', advanced: true })],
      markRead: [{ groupId, messageId: '2', private: true }, like({ messageId: '2', advanced: true })],
      getMessageStatus: [
        { groupId, messageIds: ['2'] },
        { groupId, watermark: '2', statuses: [{ messageId: '2', read: true }] },
      ],
      markGroups: [
        { marks: [{ groupId, messageId: '3' }] },
        { results: [{ groupId, outcome: 'advanced', messageId: '3', revision: 0, clamped: false }] },
      ],
      markUnread: [{ groupId, messageId: '2' }, like({ messageId: '1', revision: 1, unread })],
      markAll: [
        { unmutedOnly: true },
        {
          results: [{ groupId, outcome: 'advanced', messageId: '3', revision: 1, clamped: false }],
          cursor: null,
        },
      ],
      listReceipts: [
        { groupId, messageId: '1', state: 'read', limit: 1 },
        like({ senderId: userId, audience: 1, members: [{ userId: 'bob', at: expect.any(String) }] }),
      ],
      countReceipts: [
        { groupId, messageIds: ['1'] },
        { groupId, receipts: [like({ messageId: '1', audience: 1, readCount: 1, readByAll: true })] },
      ],
      getPreferences: [{ groupId }, { ...preferences, hideReceipts: false, revision: 0 }],
      setPreferences: [
        { groupId, hideReceipts: true },
        { ...preferences, hideReceipts: true, revision: 1 },
      ],
    });
    expect(names).toEqual(Object.keys(USER_ROUTES).toSorted());
    expect((await apiOf(userId).getWatermark({ groupId })).unread).toEqual(nothing);
  });

  test('of a back end succeeds', async () => {
    const [groupId, userId] = [freshPrefix(), freshPrefix('user')];
    const message = { groupId, senderId: 'bob' };
    const names = await makeCalls<ServiceCalls>(service(), {
      setGroup: [
        { groupId, parentId: 'hall', receipts: 'sender' },
        { groupId, head: null, parentId: 'hall', receipts: 'sender' },
      ],
      addMember: [
        { groupId, userId, joinedAfter: null },
        { groupId, userId, joinedAfter: null },
      ],
      addMembers: [
        { groupId, userIds: [userId, 'bob'] },
        { added: 1, existing: 1 },
      ],
      listMembers: [
        { groupId, limit: 2 },
        { members: [like({ userId: 'bob' }), like({ userId })], cursor: null },
      ],
      recordMessage: [
        { ...message, messageId: '1' },
        { groupId, messageId: '1', head: '1' },
      ],
      recordMessages: [
        { messages: [{ ...message, messageId: '2', mentions: 'all' }] },
        { results: [{ groupId, messageId: '2', outcome: 'recorded' }] },
      ],
      deleteMessage: [{ groupId, messageId: '1' }, undefined],
      countBadges: [
        { userIds: [userId] },
        { badges: [{ userId, groups: 1, messages: 1, mentions: 1, exact: true }] },
      ],
      removeMember: [{ groupId, userId: 'bob' }, undefined],
      exportUser: [
        { userId },
        like({ userId, memberships: [like({ groupId })], erasures: [], cursor: null }),
      ],
      deleteGroup: [{ groupId }, undefined],
      getGroup: [{ groupId }, { groupId, head: null, parentId: null, receipts: 'members' }],
      eraseUser: [{ userId }, undefined],
    });
    expect(names).toEqual(Object.keys(SERVICE_ROUTES).toSorted());
  });
});

describe('the calls', () => {
  test('of a user do what the routes do', async () => {
    const groupId = await openGroup(3);
    const [ann, bob] = [apiOf('ann'), apiOf('bob')];
    expect(await ann.getWatermark({ groupId })).toMatchObject({
      messageId: null,
      head: '3',
      unread: { count: 3, mentions: 0, firstId: '1', exact: true },
    });
    expect(await ann.markDelivered({ groupId, messageId: '2' })).toMatchObject({
      advanced: true,
      clamped: false,
    });
    expect(await ann.markRead({ groupId, messageId: '2' })).toMatchObject({ messageId: '2', revision: 0 });
    expect(await ann.getMessageStatus({ groupId, messageIds: ['2', '3'] })).toEqual({
      groupId,
      watermark: '2',
      statuses: [
        { messageId: '2', read: true },
        { messageId: '3', read: false },
      ],
    });
    const { receipts } = await bob.countReceipts({ groupId, messageIds: ['1', '3', '9'] });
    expect(receipts).toMatchObject([
      { messageId: '1', known: true, audience: 1, readCount: 1, readByAll: true },
      { messageId: '3', known: true, audience: 1, readCount: 0, readByAll: false },
      { messageId: '9', known: false },
    ]);
    const page = await bob.listReceipts({ groupId, messageId: '3', state: 'unread', limit: 1 });
    expect(page).toMatchObject({ senderId: 'bob', members: [{ userId: 'ann' }] });
    expect(await ann.markUnread({ groupId, messageId: '1' })).toMatchObject({ messageId: null, revision: 1 });
    const inbox = await ann.getInbox({ unreadOnly: true, limit: 200 });
    expect(inbox.groups).toContainEqual(expect.objectContaining({ groupId, revision: 1 }));
    const { results } = await ann.markGroups({
      marks: [
        { groupId, messageId: '3', ifRevision: 0 },
        { groupId: 'no-such-group', messageId: '1' },
      ],
    });
    expect(results.map(({ outcome }) => outcome)).toEqual(['conflict', 'not_found']);
  });

  test('of a back end do what the routes do, on behalf of a user too', async () => {
    const groupId = await openGroup(2);
    expect(await service().addMember({ groupId, userId: 'cat', joinedAfter: null })).toEqual({
      groupId,
      userId: 'cat',
      joinedAfter: null,
    });
    await service().onBehalfOf('cat').markRead({ groupId, messageId: '1', private: true });
    const first = await service().listMembers({ groupId, limit: 2 });
    const second = await service().listMembers({ groupId, cursor: first.cursor });
    expect([...first.members, ...second.members].map(({ userId }) => userId)).toEqual(['ann', 'bob', 'cat']);
    expect(await service().deleteMessage({ groupId, messageId: '2' })).toBeUndefined();
    expect(await service().removeMember({ groupId, userId: 'cat' })).toBeUndefined();
    expect(await errorOf(service().onBehalfOf('cat').getWatermark({ groupId }))).toMatchObject({
      status: 404,
    });
    expect(await service().checkHealth()).toEqual({ status: 'ok', ledger: 'ok', cache: 'ok' });
  });

  test('take ids of every allowed character', async () => {
    const groupId = await openGroup(1, `${freshPrefix()}.~!*$:@+=|_-`);
    expect(await apiOf('ann').getWatermark({ groupId })).toMatchObject({ groupId, head: '1' });
    const odd = 'a.~!*$:@+=|_-';
    await service().addMember({ groupId, userId: odd });
    expect(await service().onBehalfOf(odd).getWatermark({ groupId })).toMatchObject({ userId: odd });
  });

  test('throw what the service refuses', async () => {
    const groupId = await openGroup(1);
    await apiOf('ann').markUnread({ groupId, messageId: '1' });
    const invalid = await errorOf(apiOf('ann').markRead({ groupId, messageId: '0' }));
    expect(invalid).toMatchObject({ status: 400, code: 'invalid_request', retryAfter: null });
    expect(invalid.problem?.errors).toMatchObject([{ path: 'messageId' }]);
    expect(await errorOf(apiOf('stranger').getWatermark({ groupId }))).toMatchObject({ code: 'not_found' });
    const url = running.description.apiUrl;
    const withoutToken = createUserApi({ url, token: () => 'not-a-token' });
    expect(await errorOf(withoutToken.getInbox({}))).toMatchObject({ status: 401, code: 'unauthorized' });
    const asService = createServiceApi({ url, token: () => running.userToken('ann') });
    expect(await errorOf(asService.listMembers({ groupId }))).toMatchObject({
      status: 403,
      code: 'forbidden',
    });
    await service().recordMessage({ groupId, messageId: '5', senderId: 'bob' });
    const conflict = service().recordMessage({ groupId, messageId: '5', senderId: 'ann' });
    expect(await errorOf(conflict)).toMatchObject({ status: 409, code: 'conflict' });
  });
});

describe('a tracker', () => {
  const clientOf = (userId: string, options: object = {}) =>
    createTidemark({
      url: running.description.apiUrl,
      userId,
      token: () => running.userToken(userId),
      ...options,
    });
  const ownWatermark = async (groupId: string) => (await apiOf('ann').getWatermark({ groupId })).messageId;

  test('makes one mark of many messages', async () => {
    const groupId = await openGroup(9);
    const client = clientOf('ann');
    for (let id = 1; id <= 9; id += 1) client.tracker(groupId).shown(String(id));
    await eventually(async () => expect(await ownWatermark(groupId)).toBe('9'));
    await client.close();
    const moves = await eventually(async () => {
      const events = await running.eventsOf(groupId, 'WatermarkAdvanced');
      const own = events.filter(({ detail }) => detail.userId === 'ann');
      expect(own).toHaveLength(1);
      return own;
    });
    expect(moves[0]?.detail).toMatchObject({ from: null, to: '9' });
  });

  test('sends a mark that has overtaken its message again', async () => {
    const groupId = await openGroup(1);
    const client = clientOf('ann');
    client.tracker(groupId).shown('2');
    await client.tracker(groupId).flush();
    expect(await ownWatermark(groupId)).toBe('1');
    await service().recordMessage({ groupId, messageId: '2', senderId: 'bob' });
    await eventually(async () => expect(await ownWatermark(groupId)).toBe('2'));
    await client.close();
  });

  test('does not undo what another device marked unread, and others see the read', async () => {
    const groupId = await openGroup(5);
    const client = clientOf('ann');
    client.tracker(groupId).shown('3');
    await client.tracker(groupId).flush();
    await apiOf('ann').markUnread({ groupId, messageId: '2' });
    client.tracker(groupId).shown('5');
    await client.tracker(groupId).flush();
    expect(await apiOf('ann').getWatermark({ groupId })).toMatchObject({ messageId: '1', revision: 1 });
    expect(client.getSnapshot().views.get(groupId)).toMatchObject({ messageId: '1', revision: 1 });
    const { receipts } = await apiOf('bob').countReceipts({ groupId, messageIds: ['5'] });
    expect(receipts).toMatchObject([{ readCount: 1 }]);
    await client.close();
  });

  test('marks unread', async () => {
    const groupId = await openGroup(5);
    const client = clientOf('ann');
    client.tracker(groupId).shown('5');
    await client.tracker(groupId).markUnread('4');
    expect(await apiOf('ann').getWatermark({ groupId })).toMatchObject({ messageId: '3', revision: 1 });
    await client.close();
  });

  test('keeps what was read without a network over a reload', async () => {
    const groupId = await openGroup(5);
    const stored = new Map<string, string>();
    const storage = {
      get: (key: string) => stored.get(key),
      set: (key: string, value: string | null) =>
        value === null ? stored.delete(key) : stored.set(key, value),
    };
    const offline = clientOf('ann', { storage, fetch: () => Promise.reject(new TypeError('no network')) });
    for (let id = 1; id <= 5; id += 1) offline.tracker(groupId).shown(String(id));
    await offline.close();
    expect(await ownWatermark(groupId)).toBeNull();
    const online = clientOf('ann', { storage });
    await eventually(async () => expect(await ownWatermark(groupId)).toBe('5'));
    await eventually(() => expect(stored.size).toBe(0));
    await online.close();
  });
});
