import { describe, expect, test } from '@jest/globals';
import type { BusEvent } from '../../local/http/api-client.ts';
import { ofType, synthesize } from '../infra/synthesized.ts';
import { eventually, freshPrefix } from '../support/engines.ts';
import { LARGEST_ID } from '../support/expected-answers.ts';
import { type ReceiptsGroup, withReceiptsStack } from '../support/receipts-group.ts';
import type { Json } from '../support/running-stack.ts';

// Each test makes about 1,000 calls.
const stack = withReceiptsStack();

/** Bob reads privately, and the others look for a trace of it. The user ids are new, because an inbox has all groups of a user. */
interface Chat {
  readonly group: ReceiptsGroup;
  readonly alice: string;
  readonly bob: string;
  readonly carol: string;
  readonly dave: string;
}

/**
 * Alice sent 10 to 100, but Carol sent 50, and 70 is deleted. Dave joined before 100. Publicly, Carol has read 60 and Bob
 * 20, and Bob has received 30. All events have been published.
 */
async function aChat(): Promise<Chat> {
  const [alice = '', bob = '', carol = '', dave = ''] = ['alice', 'bob', 'carol', 'dave'].map(freshPrefix);
  const group = await stack.groupOf(alice, bob, carol);
  await group.record(alice, '10', '20', '30', '40');
  await group.record(carol, '50');
  await group.record(alice, '60', '70', '80', '90');
  await group.join(dave);
  await group.record(alice, '100');
  await group.remove('70');
  await group.reads(carol, '60');
  await group.reads(bob, '20');
  await group.getsDelivered(bob, '30');
  const lastOf = async (type: string, userId?: string) => (await group.details(type, userId)).at(-1) ?? {};
  await eventually(async () => {
    expect(await lastOf('WatermarkAdvanced', alice)).toMatchObject({ to: '100' });
    expect(await lastOf('WatermarkAdvanced', carol)).toMatchObject({ to: '60' });
    expect(await lastOf('WatermarkAdvanced', bob)).toMatchObject({ to: '20' });
    expect(await lastOf('DeliveryAdvanced', bob)).toMatchObject({ to: '30' });
    expect(await lastOf('GroupFullyRead')).toMatchObject({ upTo: '20' });
  });
  return { group, alice, bob, carol, dave };
}

interface Call {
  /** The values of the parameters in a route's path. */
  readonly ids?: Readonly<Record<string, string>>;
  readonly query?: string;
  readonly body?: Json;
}

const MESSAGE_IDS = ['10', '15', '20', '30', '40', '50', '60', '70', '90', '100'];
/** Those whose readers are listed: of each sender, and on both sides of what Bob has read, received and joined. */
const LISTED_IDS = ['10', '20', '30', '50', '100'];
const PAGES = ['?state=read', '?state=unread', '?state=delivered', '?state=unread&limit=1', '?limit=1'];

type Calls = Readonly<Record<string, (chat: Chat, observer: string) => readonly Call[]>>;

/**
 * Calls of another member or a back end, by route. They change nothing: the writes are such that nothing moves, and their
 * answers are compared too.
 */
const OWN_CALLS: Calls = {
  'PUT /v1/groups/{groupId}/watermark': () => [
    { body: { messageId: '10' } },
    { body: { messageId: '10', private: true } },
    { body: { messageId: '10', ifRevision: 7 } },
  ],
  'POST /v1/groups/{groupId}/unread': () => [{ body: { messageId: LARGEST_ID } }],
  'PUT /v1/groups/{groupId}/delivered': () => [{ body: { messageId: '10' } }],
  'POST /v1/watermarks': ({ group: { groupId } }) => [{ body: { marks: [{ groupId, messageId: '10' }] } }],
  'GET /v1/groups/{groupId}/watermark': () => [{}],
  'POST /v1/groups/{groupId}/messages/status': () => [{ body: { messageIds: MESSAGE_IDS } }],
  'GET /v1/inbox': () => [
    {},
    { query: '?unreadOnly=true' },
    { query: '?limit=1' },
    { query: '?archived=true' },
  ],
  'GET /v1/badge': () => [{}],
  // No group has this parent.
  'POST /v1/watermarks/all': () => [{ body: { parentId: 'nothing' } }],
  'GET /v1/groups/{groupId}/messages/{messageId}/receipts': () =>
    LISTED_IDS.flatMap((messageId) => PAGES.map((query) => ({ ids: { messageId }, query }))),
  'POST /v1/groups/{groupId}/receipts': () => [{ body: { messageIds: MESSAGE_IDS } }],
  'GET /v1/groups/{groupId}/preferences': () => [{}],
  'PATCH /v1/groups/{groupId}/preferences': () => [{ body: { notify: 'all' } }],
};

/** The same calls by a back end on a user's behalf: the first call of each route. */
const ON_BEHALF: Calls = Object.fromEntries(
  Object.entries(OWN_CALLS).map(([key, callsOf]) => [
    key.replace('/v1/', '/v1/users/{userId}/'),
    (chat, observer) =>
      callsOf(chat, observer)
        .slice(0, 1)
        .map(({ ids, ...call }) => ({ ...call, ids: { ...ids, userId: observer } })),
  ]),
);

const CALLS: Calls = {
  ...OWN_CALLS,
  ...ON_BEHALF,
  'PUT /v1/groups/{groupId}/members/{userId}': (chat) =>
    [chat.alice, chat.bob, chat.carol, chat.dave].map((userId) => ({ ids: { userId } })),
  'POST /v1/groups/{groupId}/members': ({ bob, carol }) => [{ body: { userIds: [bob, carol] } }],
  'GET /v1/groups/{groupId}/members': () => [{}, { query: '?limit=1' }, { query: '?limit=2' }],
  'DELETE /v1/groups/{groupId}/members/{userId}': () => [{ ids: { userId: 'nobody' } }],
  'POST /v1/groups/{groupId}/messages': ({ alice }) => [{ body: { messageId: '10', senderId: alice } }],
  'POST /v1/messages': ({ group: { groupId }, alice }) => [
    { body: { messages: [{ groupId, messageId: '10', senderId: alice }] } },
  ],
  // Bob's own badge is for Bob and the back end: it falls by a private read.
  'POST /v1/badges': ({ alice, carol, dave }) => [{ body: { userIds: [alice, carol, dave] } }],
  'DELETE /v1/groups/{groupId}/messages/{messageId}': () => [{ ids: { messageId: '70' } }],
  'GET /v1/groups/{groupId}': () => [{}],
  'PUT /v1/groups/{groupId}': () => [{ body: { receipts: 'members' } }],
  // The back end may see all that is stored of a user; Bob's own is for Bob and the back end.
  'GET /v1/users/{userId}/export': ({ alice, carol, dave }) =>
    [alice, carol, dave].map((userId) => ({ ids: { userId } })),
  'DELETE /v1/groups/{groupId}': () => [{ ids: { groupId: 'nothing' } }],
  'DELETE /v1/users/{userId}': () => [{ ids: { userId: 'nobody' } }],
  // It says nothing of any member, and a busy machine changes it.
  'GET /v1/health': () => [],
};

// The routes of the WebSocket API have no path. Its frames are compared in live.test.ts.
const routes = Object.values(ofType(synthesize(), 'AWS::ApiGatewayV2::Route'))
  .filter(({ Properties }) => String(Properties.RouteKey).includes('/'))
  .map(({ Properties }) => ({
    key: String(Properties.RouteKey),
    scopes: (Properties.AuthorizationScopes ?? []) as string[],
  }));

/** The answers of every route to each of the others: the status, and the body without the request id. */
async function seenByOthers(chat: Chat): Promise<Record<string, Json>> {
  const observers = [chat.alice, chat.carol, chat.dave];
  const seen = await Promise.all(observers.map((observer) => seenBy(chat, observer)));
  return Object.assign({}, ...seen);
}

async function seenBy(chat: Chat, observer: string): Promise<Record<string, Json>> {
  const seen: Record<string, Json> = {};
  for (const { key, scopes } of routes) {
    const [method = '', path = ''] = key.split(' ');
    for (const { ids = {}, query = '', body } of CALLS[key]?.(chat, observer) ?? []) {
      const named: Record<string, string> = { groupId: chat.group.groupId, ...ids };
      const target = path.replace(/\{(\w+)\}/g, (_placeholder, name: string) => named[name] ?? '') + query;
      const token = scopes.includes('tidemark/service')
        ? await stack.running.serviceToken()
        : await stack.running.userToken(observer);
      const answer = await stack.running.call(token, method, target, body);
      const text = `${observer} ${method} ${target} ${JSON.stringify(body ?? null)}`;
      seen[text] = { status: answer.status, body: withoutRequestId(answer.body) };
    }
  }
  return seen;
}

function withoutRequestId(body: Json): Json {
  if (body === null || typeof body !== 'object' || Array.isArray(body)) return body;
  const { requestId: _requestId, ...rest } = body;
  return rest;
}

const eventsOf = async ({ group }: Chat) =>
  (await stack.events()).filter(({ detail }) => detail.groupId === group.groupId);

/** An event without its times and ids. */
function saying({ 'detail-type': type, detail }: BusEvent): string {
  const { userId = '', from, to, upTo } = detail;
  return `${type} ${userId} ${JSON.stringify({ from, to, upTo })}`;
}

describe('what others see', () => {
  test('is read with every route', () => {
    expect(Object.keys(CALLS).toSorted()).toEqual(routes.map(({ key }) => key).toSorted());
  });

  const markOf = ({ group, bob }: Chat, body: Json) => group.mark(bob, body);
  const onBehalf = ({ group, bob }: Chat, body: Json) =>
    stack.asService('PUT', `/v1/users/${bob}/groups/${group.groupId}/watermark`, body);
  const inBatch = ({ group: { groupId }, bob }: Chat, ...marks: { [name: string]: Json }[]) =>
    stack.asUser(bob, 'POST', '/v1/watermarks', { marks: marks.map((mark) => ({ groupId, ...mark })) });

  test.each([
    {
      name: 'a private read',
      act: (chat: Chat) => markOf(chat, { messageId: '90', private: true }),
      own: { messageId: '90', revision: 0 },
    },
    {
      name: 'a private read of everything',
      act: (chat: Chat) => markOf(chat, { messageId: LARGEST_ID, private: true }),
      own: { messageId: '100', revision: 0 },
    },
    {
      name: 'a private read on behalf of the user',
      act: (chat: Chat) => onBehalf(chat, { messageId: '90', private: true }),
      own: { messageId: '90', revision: 0 },
    },
    {
      name: 'a private read in a batch',
      act: (chat: Chat) => inBatch(chat, { messageId: '90', private: true }),
      own: { messageId: '90', revision: 0 },
    },
    {
      name: 'a private read and an old public one in a batch',
      act: (chat: Chat) => inBatch(chat, { messageId: '90', private: true }, { messageId: '10' }),
      own: { messageId: '90', revision: 0 },
    },
    {
      name: 'marking unread',
      act: ({ group, bob }: Chat) => group.markUnread(bob, '10'),
      own: { messageId: '9', revision: 1 },
    },
  ])('is the same after $name, and so are the events', async ({ act, own }) => {
    const chat = await aChat();
    const { group, bob } = chat;
    // The first calls may load something into the cache.
    await seenByOthers(chat);
    const [seen, published] = [await seenByOthers(chat), await eventsOf(chat)];

    expect(await act(chat)).toMatchObject({ status: 200 });
    await eventually(async () =>
      expect(await group.details('OwnWatermarkMoved', bob)).toEqual([expect.objectContaining(own)]),
    );
    expect((await group.readView(bob)).body).toMatchObject(own);
    expect(await seenByOthers(chat)).toEqual(seen);
    await stack.emptyCache();
    expect(await seenByOthers(chat)).toEqual(seen);
    expect((await group.readView(bob)).body).toMatchObject(own);

    await expectOnlyPublicEvents(chat, published);
  });

  test('differs after a read that is not private', async () => {
    const chat = await aChat();
    const seen = await seenByOthers(chat);
    await chat.group.reads(chat.bob, '30');
    expect(await seenByOthers(chat)).not.toEqual(seen);
  });

  test('is the same after a private read and marking unread in turns', async () => {
    const chat = await aChat();
    const { group, bob } = chat;
    await seenByOthers(chat);
    const [seen, published] = [await seenByOthers(chat), await eventsOf(chat)];
    await group.readsPrivately(bob, '90');
    await group.markUnread(bob, '40');
    await group.readsPrivately(bob, '80');
    await group.markUnread(bob, '20');
    expect(await group.mark(bob, { messageId: '100', private: true, ifRevision: 1 })).toMatchObject({
      status: 409,
    });
    expect((await group.readView(bob)).body).toMatchObject({ messageId: '19', revision: 2 });
    expect(await seenByOthers(chat)).toEqual(seen);
    await stack.emptyCache();
    expect(await seenByOthers(chat)).toEqual(seen);
    await expectOnlyPublicEvents(chat, published);
  });

  const setPreferences = ({ group: { groupId }, bob }: Chat, body: Json) =>
    stack.asUser(bob, 'PATCH', `/v1/groups/${groupId}/preferences`, body);

  test.each([
    {
      name: 'a read',
      act: (chat: Chat) => markOf(chat, { messageId: '90' }),
      own: { messageId: '90', revision: 0 },
    },
    {
      name: 'a read of everything',
      act: (chat: Chat) => markOf(chat, { messageId: LARGEST_ID }),
      own: { messageId: '100', revision: 0 },
    },
    {
      name: 'a read on behalf of the user',
      act: (chat: Chat) => onBehalf(chat, { messageId: '90' }),
      own: { messageId: '90', revision: 0 },
    },
    {
      name: 'reads in a batch',
      act: (chat: Chat) => inBatch(chat, { messageId: '80' }, { messageId: '90', ifRevision: 0 }),
      own: { messageId: '90', revision: 0 },
    },
    {
      name: 'nothing but muting and archiving',
      act: (chat: Chat) =>
        setPreferences(chat, { notify: 'none', mutedUntil: '2999-01-01T00:00:00Z', archive: 'untilNew' }),
      own: { messageId: '20', revision: 0 },
    },
  ])('is the same after $name with hidden receipts, and when they are shown again', async ({ act, own }) => {
    const chat = await aChat();
    const { group, bob } = chat;
    await seenByOthers(chat);
    const [seen, published] = [await seenByOthers(chat), await eventsOf(chat)];

    expect(await setPreferences(chat, { hideReceipts: true })).toMatchObject({ status: 200 });
    // One event may hold two changes: the first is awaited.
    await eventually(async () =>
      expect(await group.details('PreferencesChanged', bob)).toEqual([
        expect.objectContaining({ hideReceipts: true, revision: 1 }),
      ]),
    );
    expect(await act(chat)).toMatchObject({ status: 200 });
    expect((await group.readView(bob)).body).toMatchObject(own);
    expect(await seenByOthers(chat)).toEqual(seen);
    await stack.emptyCache();
    expect(await seenByOthers(chat)).toEqual(seen);
    expect(await setPreferences(chat, { hideReceipts: false })).toMatchObject({ status: 200 });
    expect(await seenByOthers(chat)).toEqual(seen);
    expect((await group.readView(bob)).body).toMatchObject(own);

    await expectOnlyPublicEvents(chat, published);
  });

  /** Bob reads 25 publicly: this is the first event except for those of his own view. */
  async function expectOnlyPublicEvents(chat: Chat, before: readonly BusEvent[]) {
    const { group, bob } = chat;
    await group.reads(bob, '25');
    const old = new Set(before.map(({ id }) => id));
    await eventually(async () => {
      const fresh = (await eventsOf(chat)).filter(({ id }) => !old.has(id));
      const isOwn = ({ 'detail-type': type }: BusEvent) =>
        type === 'OwnWatermarkMoved' || type === 'PreferencesChanged';
      expect(fresh.filter(isOwn).every(({ detail }) => detail.userId === bob)).toBe(true);
      // Events may come again: of GroupFullyRead also the previous one.
      const others = new Set(fresh.filter((event) => !isOwn(event)).map(saying));
      others.delete('GroupFullyRead  {"upTo":"20"}');
      expect([...others].toSorted()).toEqual([
        'GroupFullyRead  {"upTo":"25"}',
        `WatermarkAdvanced ${bob} {"from":"20","to":"25"}`,
      ]);
    });
  }
});

describe('a private read cannot be computed', () => {
  const unreadOf = async ({ group }: Chat, userId: string) =>
    ((await group.readView(userId)).body as { unread: unknown }).unread;

  test('from counts, when all others have read', async () => {
    const chat = await aChat();
    const { group, alice, bob, carol, dave } = chat;
    await group.readsPrivately(bob, LARGEST_ID);
    await group.reads(carol, LARGEST_ID);
    await group.reads(dave, LARGEST_ID);
    await group.inEveryCache(async () => {
      await group.expectReceipts(alice, {
        '20': { sender: alice, read: [bob, carol], unread: [], delivered: [bob, carol] },
        '30': { sender: alice, read: [carol], unread: [bob], delivered: [bob, carol] },
        '40': { sender: alice, read: [carol], unread: [bob], delivered: [carol] },
        '50': { sender: carol, read: [alice], unread: [bob], delivered: [alice] },
        '90': { sender: alice, read: [carol], unread: [bob], delivered: [carol] },
        '100': { sender: alice, read: [carol, dave], unread: [bob], delivered: [carol, dave] },
      });
      for (const userId of [alice, carol, dave]) {
        expect(await unreadOf(chat, userId)).toEqual({ count: 0, mentions: 0, firstId: null, exact: true });
      }
    });
    await group.reads(bob, '25');
    await eventually(async () => {
      const upTo = (await group.details('GroupFullyRead')).map((detail) => detail.upTo);
      expect([...new Set(upTo)].toSorted().slice(-2)).toEqual(['20', '25']);
    });
  });

  test('from events, when the reader later reads a lower message publicly and sends a message', async () => {
    const chat = await aChat();
    const { group, alice, bob, carol, dave } = chat;
    await group.readsPrivately(bob, LARGEST_ID);
    const unread = await Promise.all([alice, carol, dave].map((userId) => unreadOf(chat, userId)));

    await group.reads(bob, '40');
    await group.inEveryCache(() =>
      group.expectReceipts(alice, {
        '40': { sender: alice, read: [bob, carol], unread: [], delivered: [bob, carol] },
        '50': { sender: carol, read: [alice], unread: [bob], delivered: [alice] },
        '100': { sender: alice, read: [], unread: [bob, carol, dave], delivered: [] },
      }),
    );
    expect(await Promise.all([alice, carol, dave].map((userId) => unreadOf(chat, userId)))).toEqual(unread);

    await group.record(bob, '55');
    await group.inEveryCache(async () => {
      await group.expectReceipts(alice, {
        '50': { sender: carol, read: [alice, bob], unread: [], delivered: [alice, bob] },
        '55': { sender: bob, read: [alice, carol], unread: [], delivered: [alice, carol] },
        '60': { sender: alice, read: [carol], unread: [bob], delivered: [carol] },
        '100': { sender: alice, read: [], unread: [bob, carol, dave], delivered: [] },
      });
      expect((await group.members()).body).toEqual({
        members: [
          { userId: alice, messageId: '100', joinedAfter: null },
          { userId: bob, messageId: '55', joinedAfter: null },
          { userId: carol, messageId: '60', joinedAfter: null },
          { userId: dave, messageId: '90', joinedAfter: '90' },
        ],
        cursor: null,
      });
    });
    expect((await group.readView(bob)).body).toMatchObject({ messageId: '100', revision: 0 });
    await eventually(async () =>
      expect((await group.details('WatermarkAdvanced', bob)).map(({ from, to }) => [from, to])).toEqual([
        [null, '20'],
        ['20', '40'],
        ['40', '55'],
      ]),
    );
    const upTo = (await group.details('GroupFullyRead')).map((detail) => String(detail.upTo));
    expect(upTo.every((position) => ['20', '40', '55'].includes(position))).toBe(true);
  });

  test('from receipts and events of a message that the reader sends while its receipts are hidden', async () => {
    const chat = await aChat();
    const { group, alice, bob, carol, dave } = chat;
    const setHidden = (hideReceipts: boolean) =>
      stack.asUser(bob, 'PATCH', `/v1/groups/${group.groupId}/preferences`, { hideReceipts });
    await setHidden(true);
    await group.record(bob, '110');
    await group.reads(bob, '110');
    await setHidden(false);
    // As a back end does that has lost the answer.
    await group.record(bob, '110');
    expect((await group.readView(bob)).body).toMatchObject({ messageId: '110', unread: { count: 0 } });
    await group.inEveryCache(() =>
      group.expectReceipts(alice, {
        '30': { sender: alice, read: [carol], unread: [bob], delivered: [bob, carol] },
        '40': { sender: alice, read: [carol], unread: [bob], delivered: [carol] },
        '100': { sender: alice, read: [], unread: [bob, carol, dave], delivered: [] },
        '110': { sender: bob, read: [], unread: [alice, carol, dave], delivered: [] },
      }),
    );
    // The same message, read once more, is public now.
    await group.reads(bob, '110');
    await group.inEveryCache(() =>
      group.expectReceipts(alice, {
        '100': { sender: alice, read: [bob], unread: [carol, dave], delivered: [bob] },
      }),
    );
    await eventually(async () =>
      expect((await group.details('WatermarkAdvanced', bob)).map(({ from, to }) => [from, to])).toEqual([
        [null, '20'],
        ['20', '110'],
      ]),
    );
  });

  test('from the time, when the same message is later read publicly', async () => {
    const { group, alice, bob } = await aChat();
    await group.readsPrivately(bob, '90');
    const { readAt } = (await group.readView(bob)).body as { readAt: string };
    await eventually(() => expect(new Date().toISOString() > readAt).toBe(true));
    await group.reads(bob, '90');
    await group.inEveryCache(async () => {
      const { members } = (await group.receipts(alice, '90')).body as {
        members: { userId: string; at: string }[];
      };
      expect(members.map(({ userId }) => userId)).toEqual([bob]);
      expect(members.every(({ at }) => at > readAt)).toBe(true);
    });
    await eventually(async () => {
      const last = (await group.details('WatermarkAdvanced', bob)).at(-1);
      expect(last).toMatchObject({ from: '20', to: '90' });
      expect(String(last?.readAt) > readAt).toBe(true);
    });
  });

  test('from receipts after the private reader leaves or rejoins', async () => {
    const { group, alice, bob, carol } = await aChat();
    await group.readsPrivately(bob, LARGEST_ID);
    await group.leave(bob);
    await group.inEveryCache(() =>
      group.expectReceipts(alice, {
        '40': { sender: alice, read: [carol], unread: [], delivered: [carol] },
        '90': { sender: alice, read: [], unread: [carol], delivered: [] },
      }),
    );
    await group.join(bob);
    await group.record(alice, '110');
    await group.inEveryCache(async () => {
      await group.expectReceipts(carol, {
        '90': { sender: alice, read: [], unread: [carol], delivered: [] },
      });
      expect((await group.receipts(carol, '110', '?state=read')).body).toMatchObject({
        audience: 3,
        readCount: 0,
        deliveredCount: 0,
        members: [],
      });
    });
  });
});
