import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { createReading } from '../../../client/src/reading.ts';
import { createTidemark, type Tidemark, type TidemarkOptions } from '../../../client/src/tidemark.ts';
import { putFakePage } from './fake-page.ts';
import { type Call, createFakeService, marked, type Outcome, problem } from './fake-service.ts';
import { createFakeSockets, type FakeSocket } from './fake-socket.ts';

const MINUTE = 60_000;

let tidemark: Tidemark;
let sockets: readonly FakeSocket[];
let calls: Call[];
let errors: unknown[];
let tokens: (string | undefined)[];
let page: ReturnType<typeof putFakePage>;

beforeEach(() => {
  jest.useFakeTimers({ now: 1_000_000 });
  // Each pause is as long as it can be.
  jest.spyOn(Math, 'random').mockReturnValue(1);
  [calls, errors, tokens] = [[], [], []];
  page = putFakePage();
});

afterEach(() => {
  page.remove();
  jest.restoreAllMocks();
  jest.useRealTimers();
});

function start(
  options: Partial<TidemarkOptions> = {},
  answer: (call: Call) => Outcome = receiptsOf,
): Tidemark {
  const fake = createFakeSockets();
  sockets = fake.sockets;
  const service = createFakeService((call) => {
    calls.push(call);
    return answer(call);
  });
  tidemark = createTidemark({
    ...service,
    wsUrl: 'wss://live.example',
    WebSocket: fake.WebSocket,
    userId: 'ann',
    token: (refused) => {
      tokens.push(refused);
      return `token${tokens.length}`;
    },
    onError: (error) => errors.push(error),
    ...options,
  });
  return tidemark;
}

/** Nobody has read anything. */
function receiptsOf({ body }: Call): Outcome {
  const { messageIds } = body as { messageIds: string[] };
  const counts = { known: true, audience: 1, readCount: 0, deliveredCount: 0, readByAll: false };
  return {
    status: 200,
    body: { groupId: 'tea', receipts: messageIds.map((messageId) => ({ messageId, ...counts })) },
  };
}

const inboxOf = (groups: readonly object[]): Outcome => ({ status: 200, body: { groups, cursor: null } });
const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);
const listen = (interest?: Parameters<Tidemark['subscribe']>[1]) =>
  tidemark.subscribe(() => undefined, interest);
const connection = () => tidemark.getSnapshot().connection;
const unread = (groupId: string) => tidemark.getSnapshot().views.get(groupId)?.unread.count;

function socketAt(index: number): FakeSocket {
  const socket = sockets.at(index);
  if (!socket) throw new Error(`there is no socket ${index}`);
  return socket;
}

const view = (groupId: string, messageId: string, count: number, fields: object = {}) => ({
  groupId,
  messageId,
  revision: 0,
  head: '10',
  unread: { count, mentions: 0, firstId: count === 0 ? null : '9', exact: true },
  ...{
    parentId: null,
    notify: 'all',
    mutedUntil: null,
    archive: 'no',
    archived: false,
    preferencesRevision: 0,
  },
  ...fields,
});

/** Opens the newest socket, and answers its first sync. */
async function connect(views: readonly object[] = [], asOf = 100, complete = true): Promise<FakeSocket> {
  await pass(0);
  const socket = socketAt(-1);
  socket.open();
  const ref = socket.sent.at(-1)?.ref;
  socket.receive({ type: 'synced', ref, asOf, views, complete });
  await pass(20);
  return socket;
}

describe('the connection', () => {
  test('is there while somebody listens', async () => {
    start();
    await pass(MINUTE);
    expect(sockets).toHaveLength(0);
    expect(connection()).toBe('idle');
    const stop = listen();
    const alsoStop = listen();
    expect(connection()).toBe('connecting');
    const socket = await connect();
    expect(connection()).toBe('live');
    expect(sockets).toHaveLength(1);
    expect(socket.url).toBe('wss://live.example');
    expect(socket.protocols).toEqual(['tidemark.v1', 'bearer.token1']);
    stop();
    await pass(MINUTE);
    expect(socket.isClosed).toBe(false);
    alsoStop();
    // A page often replaces a listener by another.
    await pass(4_000);
    const again = listen();
    await pass(MINUTE);
    expect(socket.isClosed).toBe(false);
    again();
    await pass(5_000);
    expect(socket.isClosed).toBe(true);
    expect(connection()).toBe('idle');
    await pass(10 * MINUTE);
    expect(sockets).toHaveLength(1);
    listen();
    await pass(0);
    expect(sockets).toHaveLength(2);
  });

  test('comes back with growing pauses', async () => {
    start();
    listen();
    await pass(0);
    for (const [count, pause] of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000].entries()) {
      socketAt(-1).drop();
      await pass(pause - 1);
      expect(sockets).toHaveLength(count + 1);
      await pass(1);
      expect(sockets).toHaveLength(count + 2);
    }
    await connect();
    expect(connection()).toBe('live');
  });

  test('that has lasted begins with a short pause; one that is always closed at once does not', async () => {
    start();
    listen();
    await connect();
    await pass(2 * MINUTE);
    socketAt(-1).drop();
    expect(connection()).toBe('connecting');
    await pass(1_000);
    expect(sockets).toHaveLength(2);
    await connect();
    socketAt(-1).drop();
    await pass(1_999);
    expect(sockets).toHaveLength(2);
    await pass(1);
    expect(sockets).toHaveLength(3);
  });

  test('has a random pause, so that clients do not come back together', async () => {
    start();
    listen();
    await pass(0);
    jest.spyOn(Math, 'random').mockReturnValue(0.5);
    socketAt(-1).drop();
    await pass(499);
    expect(sockets).toHaveLength(1);
    await pass(1);
    expect(sockets).toHaveLength(2);
  });

  test('is tried at once when the network or the page is back', async () => {
    start();
    listen();
    await pass(0);
    for (let time = 0; time < 6; time += 1) {
      socketAt(-1).drop();
      await pass(30_000);
    }
    socketAt(-1).drop();
    const count = sockets.length;
    page.fire('online');
    await pass(0);
    expect(sockets).toHaveLength(count + 1);
  });

  test('is kept alive: a ping before ten minutes are over', async () => {
    start();
    listen();
    const socket = await connect();
    await pass(4 * MINUTE);
    expect(socket.sent.at(-1)).toEqual({ action: 'ping' });
    socket.receive({ type: 'pong' });
    await pass(3 * MINUTE);
    expect(socket.isClosed).toBe(false);
    expect(sockets).toHaveLength(1);
  });

  test('is dead where no answer comes', async () => {
    start();
    listen();
    const socket = await connect();
    page.hide();
    page.show();
    expect(socket.sent.at(-1)).toEqual({ action: 'ping' });
    await pass(9_999);
    expect(socket.isClosed).toBe(false);
    await pass(1);
    expect(socket.isClosed).toBe(true);
    expect(connection()).toBe('connecting');
    await pass(1_000);
    expect(sockets).toHaveLength(2);
  });

  test('is dead where it does not open', async () => {
    start();
    listen();
    await pass(10_000);
    expect(socketAt(0).isClosed).toBe(true);
    await pass(1_000);
    expect(sockets).toHaveLength(2);
  });

  test('is renewed before two hours are over, and the old one serves until then', async () => {
    start();
    listen();
    const old = await connect([view('tea', '7', 3)]);
    const keepAlive = setInterval(() => old.receive({ type: 'pong' }), 4 * MINUTE + 1);
    await pass(114 * MINUTE);
    expect(sockets).toHaveLength(1);
    await pass(MINUTE);
    clearInterval(keepAlive);
    expect(sockets).toHaveLength(2);
    expect(socketAt(1).protocols).toEqual(['tidemark.v1', 'bearer.token2']);
    expect(old.isClosed).toBe(false);
    old.receive({ type: 'view', asOf: 200, ...view('tea', '8', 2) });
    expect(unread('tea')).toBe(2);
    expect(connection()).toBe('live');
    socketAt(1).open();
    expect(old.isClosed).toBe(true);
    expect(socketAt(1).sent).toMatchObject([{ action: 'sync' }]);
    socketAt(1).receive({ type: 'view', asOf: 300, ...view('tea', '9', 1) });
    expect(unread('tea')).toBe(1);
    expect(connection()).toBe('live');
    await pass(2 * MINUTE);
    expect(sockets.filter(({ isClosed }) => !isClosed)).toHaveLength(1);
  });

  test('that cannot be renewed serves on, while another one is tried', async () => {
    start();
    listen();
    const old = await connect();
    const keepAlive = setInterval(() => old.receive({ type: 'pong' }), 4 * MINUTE + 1);
    await pass(115 * MINUTE);
    socketAt(1).drop();
    await pass(1_000);
    expect(sockets).toHaveLength(3);
    expect(old.isClosed).toBe(false);
    clearInterval(keepAlive);
    socketAt(2).open();
    expect(old.isClosed).toBe(true);
  });

  test('with an expired token comes back with another one', async () => {
    start();
    listen();
    const socket = await connect();
    socket.receive({ type: 'error', code: 'token_expired', detail: 'd' });
    expect(socket.isClosed).toBe(true);
    await pass(1_000);
    expect(tokens).toEqual([undefined, 'token1']);
    expect(socketAt(1).protocols).toEqual(['tidemark.v1', 'bearer.token2']);
    expect(errors).toEqual([]);
  });

  test('that is refused twice asks for another token: a browser does not say why', async () => {
    start();
    listen();
    await pass(0);
    socketAt(-1).drop();
    await pass(1_000);
    socketAt(-1).drop();
    await pass(2_000);
    expect(tokens).toEqual([undefined, undefined, 'token2']);
  });

  test('for want of a token is tried later', async () => {
    const ended = new Error('the session has ended');
    start({
      token: () => {
        if (Date.now() < 1_000_500) throw ended;
        return 'a-token';
      },
    });
    listen();
    await pass(1_000);
    expect(errors).toEqual([ended]);
    expect(sockets).toHaveLength(1);
  });

  test.each([
    ['what is no frame', 'no json'],
    [
      "the gateway's message that a function has failed",
      '{"message":"Internal server error","requestId":"r"}',
    ],
    ['an error', '{"type":"error","code":"unavailable","detail":"d","ref":1}'],
  ])('begins again after %s, since something stays unanswered', async (_name, text) => {
    start();
    listen();
    await pass(0);
    socketAt(0).open();
    socketAt(0).receive(text);
    expect(socketAt(0).isClosed).toBe(true);
    expect(errors).toHaveLength(1);
    await pass(1_000);
    await connect([view('tea', '7', 3)]);
    expect(unread('tea')).toBe(3);
  });

  test('closes for good', async () => {
    start();
    listen();
    const socket = await connect();
    await tidemark.close();
    expect(socket.isClosed).toBe(true);
    await pass(10 * MINUTE);
    expect(sockets).toHaveLength(1);
    expect(jest.getTimerCount()).toBe(0);
    expect(page.listeners.size).toBe(0);
  });
});

describe('a sync', () => {
  test('after every connect brings what was missed', async () => {
    start();
    listen();
    const first = await connect([view('tea', '7', 3)]);
    expect(first.sent).toEqual([{ action: 'sync', ref: 1 }]);
    expect(tidemark.getSnapshot().badge).toEqual({ groups: 1, messages: 3, mentions: 0, exact: true });
    first.drop();
    await pass(1_000);
    // The group is absent where nothing is unread in it: its view is asked for.
    const second = await connect([], 200);
    expect(second.sent.at(-1)).toMatchObject({ action: 'sync', groups: ['tea'] });
    const ref = second.sent.at(-1)?.ref;
    second.receive({ type: 'synced', ref, asOf: 200, views: [view('tea', '10', 0)], complete: true });
    expect(tidemark.getSnapshot().badge).toEqual({ groups: 0, messages: 0, mentions: 0, exact: true });
  });

  test('asks for the groups that somebody shows, a hundred at once', async () => {
    start();
    for (let index = 0; index < 150; index += 1) listen({ groupId: `group${index}` });
    const socket = await connect();
    const asked = socket.sent.slice(1).map(({ groups }) => (groups as string[]).length);
    expect(asked).toEqual([100, 50]);
    for (const { ref, groups } of socket.sent.slice(1)) {
      const views = (groups as string[]).map((groupId) => view(groupId, '7', 0));
      socket.receive({ type: 'synced', ref, asOf: 101, views, complete: true });
    }
    listen({ groupId: 'another' });
    listen({ groupId: 'and-another' });
    await pass(20);
    expect(socket.sent.at(-1)).toMatchObject({ groups: ['another', 'and-another'] });
  });

  test('forgets a group that the user has left', async () => {
    start();
    listen({ groupId: 'tea' });
    const first = await connect([view('tea', '7', 3)]);
    first.drop();
    await pass(1_000);
    const second = await connect([], 200);
    second.receive({ type: 'synced', ref: second.sent.at(-1)?.ref, asOf: 200, views: [], complete: true });
    expect(tidemark.getSnapshot().views.size).toBe(0);
    expect(tidemark.getSnapshot().badge.messages).toBe(0);
  });

  test('asks again for what does not fit into one frame', async () => {
    start();
    listen({ groupId: 'tea' });
    listen({ groupId: 'attic' });
    const socket = await connect();
    const answer = (groupId: string, complete: boolean) => {
      const { ref } = socket.sent.at(-1) ?? {};
      socket.receive({ type: 'synced', ref, asOf: 101, views: [view(groupId, '7', 0)], complete });
    };
    answer('tea', false);
    await pass(20);
    expect(socket.sent.at(-1)).toMatchObject({ groups: ['attic'] });
    answer('attic', true);
    await pass(MINUTE);
    expect(socket.sent).toHaveLength(3);
    expect([...tidemark.getSnapshot().views.keys()]).toEqual(['tea', 'attic']);
  });

  test('that leaves groups out is completed by the inbox', async () => {
    start({}, ({ path }) => {
      const isFirst = !path.includes('cursor');
      const groups = [isFirst ? view('tea', '7', 3) : view('attic', '7', 4)];
      return { status: 200, body: { groups, cursor: isFirst ? 'next' : null } };
    });
    listen();
    await connect([view('tea', '7', 3)], 100, false);
    expect(calls.map(({ path }) => path)).toEqual([
      '/inbox?unreadOnly=true&limit=200',
      '/inbox?unreadOnly=true&limit=200&cursor=next',
    ]);
    expect(tidemark.getSnapshot().badge).toEqual({ groups: 2, messages: 7, mentions: 0, exact: true });
  });

  test('gives trackers the revision in which the user reads', async () => {
    start({}, ({ body }) => ({
      status: 200,
      body: { ...view('tea', (body as { messageId: string }).messageId, 0), advanced: true, clamped: false },
    }));
    listen();
    await connect([view('tea', '7', 3, { revision: 4 })]);
    tidemark.tracker('tea').shown('7');
    tidemark.tracker('tea').shown('8');
    await pass(500);
    expect(calls.map(({ body }) => body)).toEqual([{ messageId: '8', private: false, ifRevision: 4 }]);
  });
});

describe('a view that may not count a message', () => {
  const syncsOf = (socket: FakeSocket) => socket.sent.filter(({ action }) => action === 'sync').slice(1);

  test('is asked for again, once for many messages', async () => {
    start();
    listen();
    const socket = await connect([view('tea', '7', 3)]);
    for (const id of ['8', '9', '10']) tidemark.noteMessage('tea', id, { senderId: 'bob' });
    await pass(4_000);
    expect(syncsOf(socket)).toEqual([{ action: 'sync', ref: 2, groups: ['tea'] }]);
    tidemark.noteMessage('tea', '12', { senderId: 'bob' });
    expect(unread('tea')).toBe(4);
    const views = [view('tea', '7', 5, { head: '12' })];
    socket.receive({ type: 'synced', ref: 2, asOf: 200, views, complete: true });
    await pass(4_000);
    // 12 came after the sync was sent.
    expect(syncsOf(socket)).toHaveLength(2);
    socket.receive({ type: 'synced', ref: 3, asOf: 300, views, complete: true });
    await pass(MINUTE);
    expect(syncsOf(socket)).toHaveLength(2);
    expect(unread('tea')).toBe(5);
  });

  test('is not asked for again if the user reads the message', async () => {
    start({}, () => marked('12', { unread: { count: 0, mentions: 0, firstId: null, exact: true } }));
    listen();
    const socket = await connect([view('tea', '7', 3)]);
    tidemark.tracker('tea');
    await pass(20);
    const before = syncsOf(socket).length;
    tidemark.noteMessage('tea', '12', { senderId: 'bob' });
    tidemark.tracker('tea').shown('12');
    socket.receive({ type: 'view', asOf: 200, ...view('tea', '7', 4, { head: '12' }) });
    await pass(MINUTE);
    expect(syncsOf(socket)).toHaveLength(before);
    expect(unread('tea')).toBe(0);
  });

  test('is asked for again without a WebSocket API, in the inbox', async () => {
    let groups = [view('tea', '7', 3)];
    start({ wsUrl: undefined }, ({ path }) => inboxOf(path.includes('archived') ? [] : groups));
    listen();
    await pass(0);
    groups = [view('tea', '7', 4)];
    tidemark.noteMessage('tea', '9', { senderId: 'bob' });
    tidemark.noteMessage('left', '9', { senderId: 'bob' });
    await pass(4_000);
    expect(unread('tea')).toBe(4);
    await pass(10 * MINUTE);
    expect(calls).toHaveLength(5);
  });
});

test('a mark that another device has made is not sent', async () => {
  start();
  listen();
  const socket = await connect([view('tea', '7', 3)]);
  tidemark.tracker('tea').shown('8');
  socket.receive({ type: 'view', asOf: 200, ...view('tea', '9', 1) });
  await pass(MINUTE);
  expect(calls).toEqual([]);
});

test('what another device has marked unread stays so while it is in view', async () => {
  start({ createReading });
  listen();
  const socket = await connect([view('tea', '7', 3)]);
  const element = page.element();
  tidemark.tracker('tea').observe(element, '7');
  page.scroll(element, 40);
  await pass(1_000);
  socket.receive({ type: 'view', asOf: 200, ...view('tea', '6', 4, { revision: 1 }) });
  page.blur();
  page.focus();
  await pass(MINUTE);
  expect(calls).toEqual([]);
  expect(unread('tea')).toBe(4);
});

describe('receipts', () => {
  const counts = (messageId: string) => tidemark.getSnapshot().receipts.get('tea')?.get(messageId)?.readCount;
  const frame = (asOf: number, readCount: number) => ({
    type: 'receipts',
    asOf,
    groupId: 'tea',
    receipts: [{ messageId: '7', audience: 2, readCount, deliveredCount: 2 }],
  });

  test('are asked for once, and then arrive by themselves', async () => {
    start();
    listen({ groupId: 'tea', messageIds: ['7', '8'] });
    listen({ groupId: 'tea', messageIds: ['7'] });
    const socket = await connect([view('tea', '7', 3)]);
    await pass(MINUTE);
    expect(calls.map(({ path, body }) => ({ path, body }))).toEqual([
      { path: '/groups/tea/receipts', body: { messageIds: ['7', '8'] } },
    ]);
    expect(counts('7')).toBe(0);
    socket.receive(frame(300, 2));
    socket.receive(frame(200, 1));
    expect(counts('7')).toBe(2);
    listen({ groupId: 'tea', messageIds: ['7', '9'] });
    await pass(20);
    expect(calls.at(-1)?.body).toEqual({ messageIds: ['9'] });
  });

  test('that a full frame leaves out are asked for', async () => {
    start();
    listen({ groupId: 'tea', messageIds: ['6', '7', '8', '9', '30'] });
    const socket = await connect();
    const before = calls.length;
    const receipts = (messageIds: readonly string[], readCount: number) => ({
      type: 'receipts',
      asOf: 200,
      groupId: 'tea',
      receipts: messageIds.map((messageId) => ({ messageId, audience: 1, readCount, deliveredCount: 1 })),
    });
    const twenty = Array.from({ length: 20 }, (_, index) => String(30 - index));
    socket.receive(receipts(['8', '9'], 1));
    socket.receive(receipts(twenty.slice(0, 19), 1));
    await pass(20);
    expect(calls).toHaveLength(before);
    socket.receive(receipts(twenty, 1));
    await pass(20);
    expect(calls.slice(before).map(({ body }) => body)).toEqual([{ messageIds: ['6', '7', '8', '9'] }]);
  });

  test('are asked for again after a connect', async () => {
    start();
    listen({ groupId: 'tea', messageIds: ['7'] });
    const socket = await connect();
    const before = calls.length;
    socket.drop();
    await pass(1_000);
    await connect();
    expect(calls.slice(before).map(({ body }) => body)).toEqual([{ messageIds: ['7'] }]);
  });

  test('that could not be had are asked for later', async () => {
    let isDown = true;
    start({}, (call) => (isDown ? problem(503, 'unavailable') : receiptsOf(call)));
    listen({ groupId: 'tea', messageIds: ['7'] });
    await connect();
    expect(counts('7')).toBeUndefined();
    isDown = false;
    await pass(30_000);
    expect(counts('7')).toBe(0);
    expect(errors).toEqual([]);
  });

  test('that could not be had delay nothing else', async () => {
    start({}, () => problem(503, 'unavailable'));
    listen({ groupId: 'tea', messageIds: ['7'] });
    const socket = await connect([view('tea', '7', 3)]);
    listen({ groupId: 'attic' });
    await pass(20);
    expect(socket.sent.at(-1)).toMatchObject({ action: 'sync', groups: ['attic'] });
  });

  test('that the user may not see are reported, and not asked for again', async () => {
    start({}, () => problem(404, 'not_found'));
    listen({ groupId: 'tea', messageIds: ['7'] });
    await connect();
    const before = calls.length;
    await pass(10 * MINUTE);
    expect(calls).toHaveLength(before);
    expect(errors).toMatchObject([{ code: 'not_found' }]);
  });
});

describe('a refresh', () => {
  const nothing = { groups: 0, messages: 0, mentions: 0, exact: true };

  /** Answers the sync of the group. */
  function answer(socket: FakeSocket, views: readonly object[]): void {
    expect(socket.sent.at(-1)).toMatchObject({ action: 'sync', groups: ['tea'] });
    socket.receive({ type: 'synced', ref: socket.sent.at(-1)?.ref, asOf: 200, views, complete: true });
  }

  test('asks for the view of the group, and takes over that a message was deleted', async () => {
    start();
    listen();
    const socket = await connect([view('tea', '7', 3), view('attic', '7', 1)]);
    tidemark.noteMessage('tea', '11', { senderId: 'bob' });
    expect(unread('tea')).toBe(4);
    tidemark.refresh('tea');
    await pass(20);
    answer(socket, [view('tea', '7', 3, { head: '11' })]);
    expect(unread('tea')).toBe(3);
    await pass(MINUTE);
    expect(socket.sent).toHaveLength(2);
  });

  test('forgets the group where the user is no member any more, with what the chat brought', async () => {
    start();
    listen({ groupId: 'tea' });
    const socket = await connect([view('tea', '7', 3)]);
    tidemark.noteMessage('tea', '11', { senderId: 'bob' });
    tidemark.refresh('tea');
    await pass(20);
    answer(socket, []);
    expect(tidemark.getSnapshot().views.size).toBe(0);
    expect(tidemark.getSnapshot().badge).toEqual(nothing);
  });

  test('brings a group that the user has joined', async () => {
    start();
    listen();
    const socket = await connect();
    tidemark.refresh('tea');
    await pass(20);
    answer(socket, [view('tea', '7', 3)]);
    expect(tidemark.getSnapshot().badge).toEqual({ ...nothing, groups: 1, messages: 3 });
  });

  test('asks for the receipts of the group that somebody shows', async () => {
    start();
    listen({ groupId: 'tea', messageIds: ['6', '7'] });
    listen({ groupId: 'attic', messageIds: ['6'] });
    await connect();
    const before = calls.length;
    tidemark.refresh('tea');
    await pass(20);
    expect(calls.slice(before).map(({ path, body }) => [path, body])).toEqual([
      ['/groups/tea/receipts', { messageIds: ['6', '7'] }],
    ]);
  });

  test('without a WebSocket API reads the inbox', async () => {
    let groups = [view('tea', '7', 3), view('attic', '7', 1)];
    start({ wsUrl: undefined }, ({ path }) => inboxOf(path.includes('archived') ? [] : groups));
    listen();
    await pass(0);
    groups = [view('attic', '7', 1)];
    tidemark.refresh('tea');
    await pass(20);
    expect([...tidemark.getSnapshot().views.keys()]).toEqual(['attic']);
    expect(tidemark.getSnapshot().badge).toEqual({ ...nothing, groups: 1, messages: 1 });
  });
});

describe('without a WebSocket API', () => {
  test('a group that the user has left goes when the inbox is read, but not before it is read to its end', async () => {
    let isDown = false;
    let archived = [view('attic', '7', 5, { archive: 'always', archived: true })];
    start({ wsUrl: undefined }, ({ path }) => {
      if (path.includes('archived')) return isDown ? problem(503, 'unavailable') : inboxOf(archived);
      const isFirst = !path.includes('cursor');
      const group = view(isFirst ? 'tea' : 'hall', '7', 1);
      return { status: 200, body: { groups: [group], cursor: isFirst ? 'next' : null } };
    });
    const groups = () => [...tidemark.getSnapshot().views.keys()];
    listen();
    await pass(0);
    expect(groups()).toEqual(['tea', 'hall', 'attic']);
    archived = [];
    isDown = true;
    page.show();
    await pass(0);
    expect(groups()).toEqual(['tea', 'hall', 'attic']);
    isDown = false;
    page.show();
    await pass(0);
    expect(groups()).toEqual(['tea', 'hall']);
  });

  test('a group that leaves the archive while the inbox is read does not go', async () => {
    let isArchived = true;
    const attic = () => [
      view('attic', '7', 5, { archive: isArchived ? 'untilNew' : 'no', archived: isArchived }),
    ];
    start({ wsUrl: undefined }, ({ path }) => {
      const isOfArchive = path.includes('archived');
      const answer = inboxOf(isOfArchive === isArchived ? attic() : []);
      if (calls.length === 3) isArchived = false;
      return answer;
    });
    listen();
    await pass(0);
    expect(calls).toHaveLength(2);
    page.show();
    await pass(0);
    expect(calls.slice(2).map(({ path }) => path.includes('archived'))).toEqual([false, true, false]);
    expect(unread('attic')).toBe(5);
    expect(tidemark.getSnapshot().badge).toEqual({ groups: 1, messages: 5, mentions: 0, exact: true });
  });

  test('the inbox is read at the start and when the page comes back', async () => {
    let count = 3;
    start({ wsUrl: undefined }, ({ path }) =>
      inboxOf(
        path.includes('archived')
          ? [view('attic', '7', 5, { archive: 'always', archived: true })]
          : [view('tea', '7', count)],
      ),
    );
    listen({ groupId: 'tea' });
    await pass(0);
    expect(unread('tea')).toBe(3);
    expect(unread('attic')).toBe(5);
    expect(tidemark.getSnapshot().badge).toEqual({ groups: 1, messages: 3, mentions: 0, exact: true });
    expect(calls.map(({ path }) => path)).toEqual([
      '/inbox?unreadOnly=false&limit=200',
      '/inbox?unreadOnly=false&archived=true&limit=200',
    ]);
    await pass(10 * MINUTE);
    expect(calls).toHaveLength(2);
    count = 1;
    page.hide();
    page.show();
    await pass(0);
    expect(unread('tea')).toBe(1);
  });
});

describe('frames in any order', () => {
  interface Delivery {
    readonly frames: readonly { readonly type: string }[];
    readonly order: readonly number[];
    readonly cutAfter: number;
  }

  /** A member that reads and marks unread; then frames of it are repeated, reordered and lost, and the connection is cut. */
  const deliveries: fc.Arbitrary<Delivery> = fc
    .array(fc.constantFrom<'read' | 'unread'>('read', 'unread'), { minLength: 1, maxLength: 8 })
    .chain((moves) => {
      let [own, revision] = [50n, 0];
      const frames = moves.map((move, index) => {
        if (move === 'read') own += 2n;
        else [own, revision] = [own - 1n, revision + 1];
        const state = view('tea', String(own), 100 - Number(own), { revision, head: '100' });
        return { type: 'view', asOf: 1_000 + index, ...state };
      });
      const indexes = fc.array(fc.nat({ max: frames.length - 1 }), { maxLength: 20 });
      return fc.record({ frames: fc.constant(frames), order: indexes, cutAfter: fc.nat({ max: 20 }) });
    });

  test('and with a cut connection, end in what the service has', async () => {
    await fc.assert(
      fc.asyncProperty(deliveries, async ({ frames, order, cutAfter }) => {
        start();
        listen();
        let socket = await connect();
        for (const [count, index] of order.entries()) {
          if (count === cutAfter) {
            socket.drop();
            await pass(1_000);
            const newest = frames.at(-1) as unknown as Record<string, unknown>;
            const { type: _type, asOf: _asOf, ...state } = newest;
            socket = await connect([state], 1_000 + frames.length);
          }
          const frame = frames[index];
          if (frame) socket.receive({ ...frame });
        }
        // What is lost is made good by the last frame, or by the sync after the cut.
        const last = frames.at(-1);
        if (order.length <= cutAfter && last) socket.receive({ ...last });
        const own = (last as unknown as { messageId: string }).messageId;
        expect(tidemark.getSnapshot().views.get('tea')?.messageId).toBe(own);
        expect(unread('tea')).toBe(100 - Number(own));
        await tidemark.close();
      }),
      { numRuns: 100 },
    );
  });
});
