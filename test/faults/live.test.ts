import { afterEach, describe, expect, test } from '@jest/globals';
import { Redis } from 'ioredis';
import type { Json } from '../../local/http/api-client.ts';
import { eventually, freshPrefix } from '../support/engines.ts';
import { expiringToken } from '../support/expiring-token.ts';
import type { Match } from '../support/fault-proxy.ts';
import { withFaultStack } from '../support/fault-stack.ts';
import { LiveClient } from '../support/live-client.ts';
import type { Receipt, View } from '../support/merged-frames.ts';

/** The instance dies before its request arrives, or before it receives the answer. */
const BEFORE = 'lose request';
const AFTER = 'lose answer';

/** As many messages as one `receipts` frame has. */
const HEAD = 20;
const MESSAGE_IDS = Array.from({ length: HEAD }, (_, index) => String(index + 1));

const faults = withFaultStack();
const clients: LiveClient[] = [];

afterEach(async () => {
  for (const proxy of Object.values(faults.proxies)) proxy.clear();
  await Promise.all(clients.splice(0).map((client) => client.stop()));
});

interface Chat {
  readonly groupId: string;
  readonly alice: string;
  readonly bob: string;
  readonly carol: string;
}

/** Alice has sent 1 to 20. Bob and Carol have read nothing. */
async function aChat(): Promise<Chat> {
  const [alice, bob, carol] = ['alice', 'bob', 'carol'].map(freshPrefix) as [string, string, string];
  const groupId = await faults.api.openGroup([alice, bob, carol], HEAD);
  // What the recording pushes must be over before a test connects devices.
  await eventually(async () => {
    const moves = await faults.api.watermarkEvents(groupId, alice);
    expect(moves.at(-1)?.detail.to).toBe('20');
  });
  return { groupId, alice, bob, carol };
}

/** Connects a device of a user, and waits until it is up to date. */
async function connect(
  { groupId }: Chat,
  userId: string,
  token = () => faults.userToken(userId),
): Promise<LiveClient> {
  const client = new LiveClient({
    url: faults.description.wsUrl ?? '',
    groupId,
    token,
    readReceipts: () => receiptsOf(groupId, userId),
  });
  clients.push(client);
  client.start();
  await eventually(() => expect(client.syncs).toBeGreaterThan(0));
  return client;
}

async function receiptsOf(groupId: string, userId: string): Promise<Receipt[]> {
  const { body } = await faults.api.asUser(userId, 'POST', `/v1/groups/${groupId}/receipts`, {
    messageIds: MESSAGE_IDS,
  });
  const { receipts } = body as unknown as { receipts: (Receipt & { known: boolean; readByAll: boolean })[] };
  return receipts.map(({ known, readByAll, ...receipt }) => receipt);
}

async function viewOf(groupId: string, userId: string): Promise<View> {
  const { body } = await faults.api.watermark(groupId, userId);
  const { messageId, revision, head, unread } = body as unknown as View;
  const place = { parentId: null, notify: 'all', mutedUntil: null, archive: 'no', archived: false } as const;
  return { groupId, messageId, revision, head, unread, ...place, preferencesRevision: 0 };
}

interface Expected {
  readonly view: { readonly messageId: string | null; readonly revision: number; readonly unread: number };
  /** How many have read the first message, the tenth and the last. */
  readonly read?: readonly [number, number, number];
}

/** The device has what the routes return, and this is what they return. */
async function expectConverged(
  { groupId }: Chat,
  userId: string,
  device: LiveClient,
  { view: { unread, ...own }, read }: Expected,
): Promise<void> {
  const view = await viewOf(groupId, userId);
  // All messages are of another user.
  const firstId = unread === 0 ? null : String(Number(own.messageId) + 1);
  expect(view).toEqual({
    groupId,
    ...own,
    head: '20',
    unread: { count: unread, mentions: 0, firstId, exact: true },
    ...{ parentId: null, notify: 'all', mutedUntil: null, archive: 'no', archived: false },
    preferencesRevision: 0,
  });
  const receipts = await receiptsOf(groupId, userId);
  if (read) expect([0, 9, 19].map((index) => receipts[index]?.readCount)).toEqual(read);
  await eventually(() => {
    expect(device.merged.view(groupId)).toEqual(view);
    // A user gets receipts of the messages that it sent.
    if (read) expect(MESSAGE_IDS.map((id) => device.merged.receipt(groupId, id))).toEqual(receipts);
    expect(faults.queue('push-frames').messages()).toEqual([]);
  });
}

/** Bob has read up to 10: his device has 10 unread messages left, and Alice's that he has read hers up to there. */
async function expectReadByBob(chat: Chat, ofBob: LiveClient, ofAlice: LiveClient): Promise<void> {
  await expectConverged(chat, chat.bob, ofBob, { view: { messageId: '10', revision: 0, unread: 10 } });
  await expectConverged(chat, chat.alice, ofAlice, {
    view: { messageId: '20', revision: 0, unread: 0 },
    read: [1, 1, 0],
  });
}

const markUnread = (userId: string, groupId: string, messageId: number) =>
  faults.api.asUser(userId, 'POST', `/v1/groups/${groupId}/unread`, { messageId: String(messageId) });

/** For longer than a test: the next frame of the kind is queued. */
async function closeGate({ groupId }: Chat, kind: 'view' | 'receipts', userId: string): Promise<void> {
  const redis = new Redis(faults.description.redis.url);
  await redis.set(`tm:{${groupId}}:gate:${kind}:${userId}`, '1', 'PX', 600_000);
  redis.disconnect();
}

/** Kills the function's instances at the next such request. Returns a function for the number of kills. */
function killAt(
  folder: string,
  service: 'aws' | 'upstash',
  match: Match,
  kind: typeof BEFORE | typeof AFTER,
): () => number {
  let kills = 0;
  const name = faults.functionName(folder);
  const then = async () => {
    await faults.stack.lambda.kill(name);
    kills += 1;
  };
  faults.proxies[service].once(match, { kind, then });
  return () => kills;
}

const posts =
  (type: 'view' | 'receipts'): Match =>
  ({ operation, body }) =>
    operation.includes('@connections') && body.includes(`"${type}"`);
const claims: Match = 'claimFrames';
const queues: Match = ({ operation, body }) => operation === 'SendMessage' && body.includes('FrameDue');

describe('a connection that is cut in the middle', () => {
  test('the device converges after it has connected again', async () => {
    const chat = await aChat();
    const { groupId, alice, bob, carol } = chat;
    const [phone, laptop, ofAlice] = [
      await connect(chat, bob),
      await connect(chat, bob),
      await connect(chat, alice),
    ];
    for (let id = 1; id <= 20; id += 1) {
      if (id % 5 === 0) for (const device of [laptop, ofAlice]) device.cut();
      await faults.api.mark(groupId, bob, id);
      await faults.api.mark(groupId, carol, Math.min(id, 10));
      if (id === 12) await markUnread(bob, groupId, 3);
    }
    const view = { messageId: '20', revision: 1, unread: 0 };
    await expectConverged(chat, bob, phone, { view });
    await expectConverged(chat, bob, laptop, { view });
    await expectConverged(chat, alice, ofAlice, {
      view: { messageId: '20', revision: 0, unread: 0 },
      read: [2, 2, 1],
    });
    await eventually(() => expect(Math.min(laptop.syncs, ofAlice.syncs)).toBeGreaterThan(1));
  });
});

describe('a token that expires in the middle', () => {
  test('the device gets an error with the next push, and converges with a new token', async () => {
    const chat = await aChat();
    const { groupId, alice, bob } = chat;
    const seconds = 8;
    const shortAtFirst = (userId: string) => {
      let isFirst = true;
      return () => {
        const token = isFirst
          ? expiringToken(faults.dataDirectory, userId, seconds)
          : faults.userToken(userId);
        isFirst = false;
        return token;
      };
    };
    const [ofBob, ofAlice] = [
      await connect(chat, bob, shortAtFirst(bob)),
      await connect(chat, alice, shortAtFirst(alice)),
    ];
    const expiredMs = Date.now() + seconds * 1_000;
    await faults.api.mark(groupId, bob, 10);
    await eventually(() => expect(Date.now()).toBeGreaterThan(expiredMs));
    expect(ofBob.frames.concat(ofAlice.frames).filter(({ type }) => type === 'error')).toEqual([]);
    await faults.api.mark(groupId, bob, 15);
    await eventually(() => {
      for (const { frames } of [ofBob, ofAlice]) {
        expect(frames).toContainEqual(expect.objectContaining({ type: 'error', code: 'token_expired' }));
      }
    });
    await expectConverged(chat, bob, ofBob, { view: { messageId: '15', revision: 0, unread: 5 } });
    await expectConverged(chat, alice, ofAlice, {
      view: { messageId: '20', revision: 0, unread: 0 },
      read: [1, 1, 0],
    });
  });
});

describe('an instance that pushes dies', () => {
  test.each([
    ['before it claims the frames', 'upstash', claims, BEFORE],
    ['after it has claimed the frames', 'upstash', claims, AFTER],
    ['before it posts the view', 'aws', posts('view'), BEFORE],
    ['between view and receipts', 'aws', posts('view'), AFTER],
    ['before it posts the receipts', 'aws', posts('receipts'), BEFORE],
    ['after it has posted the receipts', 'aws', posts('receipts'), AFTER],
  ] as const)(
    'notify %s: all devices get the state with the next try',
    async (_when, service, match, kind) => {
      const chat = await aChat();
      const { groupId, alice, bob } = chat;
      const [ofBob, ofAlice] = [await connect(chat, bob), await connect(chat, alice)];
      const killed = killAt('notify', service, match, kind);
      await faults.api.mark(groupId, bob, 10);
      await eventually(() => expect(killed()).toBe(1));
      await expectReadByBob(chat, ofBob, ofAlice);
    },
  );

  test.each([
    ['notify', 'before it queues a frame', queues, BEFORE],
    ['notify', 'after it has queued a frame', queues, AFTER],
    ['push-frames', 'before it posts the frame', posts('receipts'), BEFORE],
    ['push-frames', 'after it has posted the frame', posts('receipts'), AFTER],
  ] as const)('%s %s: all devices get the last state', async (folder, _when, match, kind) => {
    const chat = await aChat();
    const { groupId, alice, bob } = chat;
    const [ofBob, ofAlice] = [await connect(chat, bob), await connect(chat, alice)];
    await closeGate(chat, 'view', bob);
    await closeGate(chat, 'receipts', alice);
    const killed = killAt(folder, 'aws', match, kind);
    await faults.api.mark(groupId, bob, 10);
    await eventually(() => expect(killed()).toBe(1));
    await expectReadByBob(chat, ofBob, ofAlice);
  });
});

describe('a slow query of connections', () => {
  const ofConnections =
    (userId: string): Match =>
    ({ operation, body }) =>
      operation === 'Query' && body.includes(`USER#${userId}`) && body.includes('CONN#');

  test('of one user delays no other, and this user gets the newest state', async () => {
    const chat = await aChat();
    const { groupId, alice, bob } = chat;
    const [ofBob, ofAlice] = [await connect(chat, bob), await connect(chat, alice)];
    let release: () => void = () => undefined;
    const until = new Promise<void>((resolve) => {
      release = resolve;
    });
    faults.proxies.dynamodb.always(ofConnections(alice), { kind: 'hold answer', until });
    await faults.api.mark(groupId, bob, 10);
    await eventually(() => expect(ofBob.merged.view(groupId)).toMatchObject({ messageId: '10' }));
    expect(ofAlice.merged.receipt(groupId, '10')).toMatchObject({ readCount: 0 });
    await faults.api.mark(groupId, bob, 15);
    await markUnread(bob, groupId, 5);
    release();
    await expectConverged(chat, bob, ofBob, { view: { messageId: '4', revision: 1, unread: 16 } });
    await expectConverged(chat, alice, ofAlice, {
      view: { messageId: '20', revision: 0, unread: 0 },
      read: [1, 1, 0],
    });
  });

  test('that gets no answer is made again until all devices have the state', async () => {
    const chat = await aChat();
    const { groupId, alice, bob } = chat;
    const [ofBob, ofAlice] = [await connect(chat, bob), await connect(chat, alice)];
    const all: Match = (request) => [alice, bob].some((user) => isMatch(ofConnections(user), request));
    const asked = () => faults.proxies.dynamodb.requests.filter((request) => isMatch(all, request)).length;
    const before = asked();
    faults.proxies.dynamodb.always(all, { kind: 'hang' });
    await faults.api.mark(groupId, bob, 10);
    // Two for each of both: the first tries have ended without an answer.
    await eventually(() => expect(asked() - before).toBeGreaterThanOrEqual(4));
    faults.proxies.dynamodb.clear();
    await expectReadByBob(chat, ofBob, ofAlice);
  });
});

const isMatch = (match: Match, request: { readonly operation: string; readonly body: string }) =>
  typeof match === 'string' ? match === request.operation : match(request);

interface Entry {
  readonly Source: string;
  readonly DetailType: string;
  readonly Detail: string;
}

describe('events that come twice and in another order', () => {
  test.each([
    ['backwards', (entries: readonly Entry[]) => entries.toReversed()],
    ['each twice, the second half first', (entries: readonly Entry[]) => twiceFromTheMiddle(entries)],
  ])('%s: all devices get the last state', async (_order, reorder) => {
    const chat = await aChat();
    const { groupId, alice, bob, carol } = chat;
    const [ofBob, ofCarol, ofAlice] = [
      await connect(chat, bob),
      await connect(chat, carol),
      await connect(chat, alice),
    ];
    // The bus accepts the events, and delivers none of them.
    const isOfChat: Match = ({ operation, body }) => operation === 'PutEvents' && body.includes(groupId);
    faults.proxies.aws.always(isOfChat, {
      kind: 'answer',
      status: 200,
      body: { FailedEntryCount: 0, Entries: Array(10).fill({ EventId: 'accepted' }) },
    });
    const kept = () =>
      faults.proxies.aws.requests
        .filter((request) => isMatch(isOfChat, request))
        .flatMap(({ body }) => (JSON.parse(body) as { Entries: Entry[] }).Entries)
        .filter(({ Detail }) => (JSON.parse(Detail) as { groupId: string }).groupId === groupId);
    const before = kept().length;
    for (const id of [3, 6, 9]) {
      await faults.api.mark(groupId, bob, id);
      await faults.api.mark(groupId, carol, id + 5);
    }
    await markUnread(bob, groupId, 4);
    await faults.api.mark(groupId, bob, 12);
    await markUnread(bob, groupId, 8);
    await faults.api.asUser(carol, 'PUT', `/v1/groups/${groupId}/delivered`, { messageId: '20' });
    // Of several moves of a member that are close together one event is published.
    const isLast = ({ DetailType, Detail }: Entry) => {
      const { userId, revision, to } = JSON.parse(Detail) as Record<string, Json>;
      return (
        (DetailType === 'OwnWatermarkMoved' && userId === bob && revision === 2) ||
        (DetailType === 'DeliveryAdvanced' && userId === carol && to === '20')
      );
    };
    await eventually(() => expect(kept().filter(isLast)).toHaveLength(2));
    const entries = kept().slice(before);
    faults.proxies.aws.clear();
    await faults.putFacts(
      reorder(entries).map(({ Source, DetailType, Detail }) => ({
        source: Source,
        detailType: DetailType,
        detail: JSON.parse(Detail) as Json,
      })),
    );
    await expectConverged(chat, bob, ofBob, { view: { messageId: '7', revision: 2, unread: 13 } });
    await expectConverged(chat, carol, ofCarol, { view: { messageId: '14', revision: 0, unread: 6 } });
    await expectConverged(chat, alice, ofAlice, {
      view: { messageId: '20', revision: 0, unread: 0 },
      read: [2, 2, 0],
    });
    expect(ofAlice.merged.receipt(groupId, '20')).toMatchObject({ deliveredCount: 1 });
  });
});

function twiceFromTheMiddle(entries: readonly Entry[]): Entry[] {
  const middle = Math.floor(entries.length / 2);
  const [first, second] = [entries.slice(0, middle), entries.slice(middle)];
  return [...second, ...first, ...second, ...first];
}
