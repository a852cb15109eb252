import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { importJWK, type JWK, SignJWT } from 'jose';
import { Webhook } from 'standardwebhooks';
import { DataDirectory } from '../../local/data/data-directory.ts';
import { eventually, freshPrefix } from '../support/engines.ts';
import { A_TIME, exactly, LARGEST_ID, NONE_UNREAD, NOTHING_CHOSEN } from '../support/expected-answers.ts';
import { FaultProxy, THROTTLED } from '../support/fault-proxy.ts';
import { withFaultStack } from '../support/fault-stack.ts';
import { codeOf, type PageCode } from '../support/page-code.ts';
import type { Answer } from '../support/running-stack.ts';

// One test for each claim of docs/adopting.md, in its order, with the page's own code.

type Body = Readonly<Record<string, unknown>>;
type Call = (method: string, path: string, body?: unknown) => Promise<{ status: number; body: Body }>;
interface Entry {
  readonly kind: string;
  readonly groupId: string;
  readonly [field: string]: unknown;
}
interface OutboxCode {
  relay(outbox: Outbox, sendOne?: (entry: Entry) => Promise<unknown>): Promise<void>;
}
interface HistoryCode {
  bringGroup(groupId: string, brought: Body): Promise<void>;
}
interface FollowCode {
  readonly members: Map<
    string,
    { readonly seen: string | null; readonly own: { readonly messageId: string | null } }
  >;
  follow(event: BusEvent): void;
  left(groupId: string, userId: string): void;
  begin(groupId: string): Promise<void>;
  beginOwn(groupId: string, userId: string, view: Body): void;
}
interface Badges {
  count(groupId: string): number;
  message(groupId: string, message: Body): void;
  sync(): Promise<void>;
  deleted(groupId: string, messageId: string): Promise<void>;
  mark(groupId: string, messageId: string): Promise<void>;
  markUnread(groupId: string, messageId: string): Promise<void>;
  moved(groupId: string, view: Body): Promise<void>;
}
interface BadgesCode {
  createBadges(userId: string, call: (method: string, path: string, body?: unknown) => Promise<Body>): Badges;
}
interface Fact {
  readonly type: string;
  readonly detail: Body;
}
interface BusEvent {
  readonly id: string;
  readonly 'detail-type': string;
  readonly detail: Body;
}
interface Notification {
  readonly headers: Record<string, string>;
  readonly body: string;
}

const faults = withFaultStack();
/** Proxies of the back end in front of the bus and of the API. */
let bus: FaultProxy;
let door: FaultProxy;
let page: PageCode;
let tidemark: Call;
let putFacts: (facts: readonly Fact[]) => Promise<Fact[]>;
beforeAll(async () => {
  [bus, door] = await Promise.all([FaultProxy.start(), FaultProxy.start()]);
  const { apiUrl, eventbridge, credentials } = faults.stack.description;
  const token = await faults.serviceToken();
  const secret = new DataDirectory(faults.dataDirectory).webhookSecret();
  setEnvironment({
    TIDEMARK_URL: door.standBefore(apiUrl),
    TIDEMARK_TOKEN: token,
    TIDEMARK_BUS: eventbridge.bus,
    TIDEMARK_WEBHOOK_SECRET: `whsec_${secret}`,
    AWS_REGION: 'us-east-1',
    AWS_ENDPOINT_URL_EVENTBRIDGE: bus.standBefore(eventbridge.endpoint),
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  });
  page = await codeOf('adopting.md');
  ({ tidemark } = await page.load<{ tidemark: typeof tidemark }>('tidemark.mjs'));
  ({ putFacts } = await page.load<{ putFacts: typeof putFacts }>('facts.mjs'));
});
afterEach(() => {
  for (const proxy of [...Object.values(faults.proxies), door]) proxy.clear();
});
afterAll(async () => {
  restoreEnvironment();
  await page?.remove();
  await Promise.all([bus?.stop(), door?.stop()]);
});

describe('which call where: a back end', () => {
  test('can do everything for its chat with a service token', async () => {
    const groupId = freshPrefix();
    const group = `/v1/groups/${groupId}`;
    const ofBob = `/v1/users/bob/groups/${groupId}`;
    const statuses: [string, number][] = [];
    const does = async (what: string, ...call: Parameters<Call>) => {
      const answer = await tidemark(...call);
      statuses.push([what, answer.status]);
      return answer.body;
    };
    await does('adds users', 'POST', `${group}/members`, { userIds: ['alice', 'bob'] });
    await does('sends', 'POST', `${group}/messages`, { messageId: '1', senderId: 'alice' });
    await does('sends', 'POST', `${group}/messages`, { messageId: '2', senderId: 'alice' });
    await does('adds a user', 'PUT', `${group}/members/carol`, { joinedAfter: null });
    expect(await does('badges', 'GET', '/v1/users/carol/inbox?unreadOnly=true')).toMatchObject({
      groups: expect.arrayContaining([
        { groupId, messageId: null, head: '2', revision: 0, unread: exactly(2, '1'), ...NOTHING_CHOSEN },
      ]),
    });
    await does('delivers', 'PUT', `${ofBob}/delivered`, { messageId: '2' });
    await does('shows', 'PUT', `${ofBob}/watermark`, { messageId: '1' });
    expect(await does('opens a group', 'GET', `${ofBob}/watermark`)).toMatchObject({
      ...{ messageId: '1', head: '2', unread: exactly(1, '2') },
    });
    const marks = [{ groupId, messageId: '2' }];
    expect(await does('syncs', 'POST', '/v1/users/bob/watermarks', { marks })).toMatchObject({
      results: [{ groupId, outcome: 'advanced', messageId: '2' }],
    });
    const ids = { messageIds: ['1', '2'] };
    expect(await does('ticks', 'POST', `/v1/users/alice/groups/${groupId}/receipts`, ids)).toMatchObject({
      receipts: [{ readCount: 1 }, { readCount: 1 }],
    });
    expect(
      await does('who has read', 'GET', `/v1/users/alice/groups/${groupId}/messages/2/receipts`),
    ).toMatchObject({ audience: 2, members: [{ userId: 'bob', at: A_TIME }] });
    expect(await does('marks unread', 'POST', `${ofBob}/unread`, { messageId: '2' })).toMatchObject({
      ...{ messageId: '1', unread: exactly(1, '2') },
    });
    const more = { messages: [{ groupId, messageId: '3', senderId: 'alice', mentions: 'all' }] };
    expect(await does('sends several', 'POST', '/v1/messages', more)).toMatchObject({
      results: [{ groupId, messageId: '3', outcome: 'recorded' }],
    });
    expect(await does('shows a badge', 'GET', '/v1/users/bob/badge')).toMatchObject({ exact: true });
    const bobAlone = { userIds: ['bob'] };
    expect(await does('pushes', 'POST', '/v1/badges', bobAlone)).toMatchObject({
      badges: [{ userId: 'bob' }],
    });
    const wishes = { notify: 'mentions', archive: 'no' };
    expect(await does('keeps wishes', 'PATCH', `${ofBob}/preferences`, wishes)).toMatchObject(wishes);
    expect(await does('opens a thread', 'PUT', `${group}-2`, { parentId: groupId })).toMatchObject({
      parentId: groupId,
    });
    await does('adds users', 'POST', `${group}-2/members`, bobAlone);
    await does('sends', 'POST', `${group}-2/messages`, { messageId: '1', senderId: 'alice' });
    expect(await does('lists threads', 'GET', `/v1/users/bob/inbox?parentId=${groupId}`)).toMatchObject({
      groups: [{ groupId: `${groupId}-2`, unread: exactly(1, '1') }],
    });
    const all = { parentId: groupId };
    expect(await does('marks all', 'POST', '/v1/users/bob/watermarks/all', all)).toMatchObject({
      results: [{ groupId: `${groupId}-2`, outcome: 'advanced' }],
    });
    await does('deletes a group', 'DELETE', `${group}-2`);
    await does('deletes', 'DELETE', `${group}/messages/2`);
    await does('deletes', 'DELETE', `${group}/messages/3`);
    expect(await does('opens a group', 'GET', `${ofBob}/watermark`)).toMatchObject({ unread: NONE_UNREAD });
    await does('removes', 'DELETE', `${group}/members/bob`);
    await does('opens a group', 'GET', `${ofBob}/watermark`);
    expect(statuses).toEqual([
      ['adds users', 200],
      ['sends', 201],
      ['sends', 201],
      ['adds a user', 201],
      ['badges', 200],
      ['delivers', 200],
      ['shows', 200],
      ['opens a group', 200],
      ['syncs', 200],
      ['ticks', 200],
      ['who has read', 200],
      ['marks unread', 200],
      ['sends several', 200],
      ['shows a badge', 200],
      ['pushes', 200],
      ['keeps wishes', 200],
      ['opens a thread', 200],
      ['adds users', 200],
      ['sends', 201],
      ['lists threads', 200],
      ['marks all', 200],
      ['deletes a group', 202],
      ['deletes', 204],
      ['deletes', 204],
      ['opens a group', 200],
      ['removes', 204],
      ['opens a group', 404],
    ]);
  });

  test('needs no user in the path if clients have their own tokens', async () => {
    const groupId = await aGroup('alice', 'bob');
    await record(groupId, 'alice', '1', '2');
    await mark(groupId, 'bob', '1');
    const own = await faults.api.asUser('bob', 'GET', `/v1/groups/${groupId}/watermark`);
    expect(own.body).toEqual(await readView(groupId, 'bob'));
    expect(own.body).toMatchObject({ messageId: '1', unread: exactly(1, '2') });
  });

  test('can put facts instead: joining, leaving, sending, deleting', async () => {
    const groupId = freshPrefix();
    const fact = (type: string, detail: Body) => ({ type, detail: { groupId, ...detail } });
    const joined = [
      fact('MemberJoined', { userId: 'alice' }),
      fact('MemberJoined', { userId: 'bob', joinedAfter: null }),
    ];
    expect(await putFacts(joined)).toEqual([]);
    await eventually(async () => expect(await statusOf(groupId, 'alice', 'bob')).toEqual([200, 200]));
    const sent = ['1', '2', '3'].map((messageId) => fact('MessageSent', { messageId, senderId: 'alice' }));
    expect(await putFacts(sent)).toEqual([]);
    await eventually(async () =>
      expect(await readView(groupId, 'bob')).toMatchObject({ unread: exactly(3, '1') }),
    );
    expect(await putFacts([fact('MessageDeleted', { messageId: '3' })])).toEqual([]);
    await eventually(async () =>
      expect(await readView(groupId, 'bob')).toMatchObject({ unread: exactly(2, '1') }),
    );
    expect(await putFacts([fact('MemberLeft', { userId: 'bob' })])).toEqual([]);
    await eventually(async () => expect(await statusOf(groupId, 'alice', 'bob')).toEqual([200, 404]));
  });

  test('can repeat every call', async () => {
    const groupId = freshPrefix();
    const group = `/v1/groups/${groupId}`;
    const calls: Parameters<Call>[] = [
      ['POST', `${group}/members`, { userIds: ['alice', 'bob'] }],
      ['PUT', `${group}/members/carol`],
      ['POST', `${group}/messages`, { messageId: '1', senderId: 'alice' }],
      ['POST', `${group}/messages`, { messageId: '2', senderId: 'alice' }],
      ['PUT', `/v1/users/bob/groups/${groupId}/delivered`, { messageId: '2' }],
      ['PUT', `/v1/users/bob/groups/${groupId}/watermark`, { messageId: '2' }],
      ['POST', `/v1/users/bob/groups/${groupId}/unread`, { messageId: '2' }],
      ['DELETE', `${group}/messages/1`],
      ['DELETE', `${group}/members/carol`],
    ];
    for (const call of calls) {
      const [once, again] = [await tidemark(...call), await tidemark(...call)];
      expect(once.status).toBeLessThan(300);
      expect(again.status).toBeLessThan(300);
    }
    expect(await readView(groupId, 'bob')).toMatchObject({
      messageId: '1',
      revision: 1,
      unread: exactly(1, '2'),
    });
    const { body } = await tidemark('GET', `${group}/members`);
    expect(body).toMatchObject({ members: [{ userId: 'alice' }, { userId: 'bob', messageId: '2' }] });
  });

  test('uses the page’s client, which sends a call again if it was not acknowledged', async () => {
    const groupId = await aGroup('alice', 'bob');
    await record(groupId, 'alice', '1');
    const mend = faults.proxies.dynamodb.always('UpdateItem', THROTTLED);
    const refused = await faults.api.mark(groupId, 'bob', '1');
    expect([refused.status, refused.retryAfter]).toEqual([503, '1']);
    const { fetch: send } = globalThis;
    const statuses: number[] = [];
    const sending = jest.spyOn(globalThis, 'fetch').mockImplementation(async (...request) => {
      const response = await send(...request);
      statuses.push(response.status);
      mend();
      return response;
    });
    try {
      expect(await mark(groupId, 'bob', '1')).toMatchObject({ messageId: '1', advanced: true });
    } finally {
      sending.mockRestore();
    }
    expect(statuses).toEqual([503, 200]);
  });
});

describe('ids', () => {
  test('of messages are from 1 to 2^64-1, as text, and as JSON numbers up to 2^53-1', async () => {
    const groupId = await aGroup('alice');
    const statuses = [];
    for (const messageId of ['1', '9007199254740993', LARGEST_ID, 7, Number.MAX_SAFE_INTEGER]) {
      statuses.push((await recorded(groupId, 'alice', messageId)).status);
    }
    const uuid = '0198f3a2-7a54-7cc1-a5ed-6fd7d4e1a7b2';
    for (const messageId of ['0', '18446744073709551616', '01', 2 ** 53, uuid]) {
      statuses.push((await recorded(groupId, 'alice', messageId)).status);
    }
    expect(statuses).toEqual([201, 201, 201, 201, 201, 400, 400, 400, 400, 400]);
  });

  test('of groups and users can be UUIDs and plain mail addresses, and others if they are encoded', async () => {
    const encoded = Buffer.from('Zoë #1/2').toString('base64url');
    expect(encoded).toBe('Wm_DqyAjMS8y');
    const groupId = `${freshPrefix()}:0198f3a2-7a54-7cc1-a5ed-6fd7d4e1a7b2`;
    const add = async (userId: string) =>
      (await tidemark('POST', `/v1/groups/${groupId}/members`, { userIds: [userId] })).status;
    const statuses = [];
    for (const userId of ['zoe+1@example.com', 'a.b_c:d!e=f~g|h$i*j-k', encoded, 'x'.repeat(128)]) {
      statuses.push(await add(userId));
    }
    const inPath = `/v1/users/a.b_c:d!e=f~g|h$i*j-k/groups/${groupId}/watermark`;
    statuses.push((await tidemark('GET', inPath)).status);
    for (const userId of ['Zoë #1/2', 'Zoë', '.', '..', '', 'x'.repeat(129)])
      statuses.push(await add(userId));
    expect(statuses).toEqual([200, 200, 200, 200, 200, 400, 400, 400, 400, 400, 400]);
  });

  test('of a message under another sender are refused', async () => {
    const groupId = await aGroup('alice', 'bob');
    await record(groupId, 'alice', '1');
    expect(await recorded(groupId, 'bob', '1')).toMatchObject({ status: 409, body: { code: 'conflict' } });
  });

  test('of a message can be deleted, whether it was recorded or not', async () => {
    const groupId = await aGroup('alice', 'bob');
    await record(groupId, 'alice', '1');
    for (const messageId of ['1', '2']) {
      const { status } = await tidemark('DELETE', `/v1/groups/${groupId}/messages/${messageId}`);
      expect(status).toBe(204);
    }
    // The message was still on its way, and arrives after its deletion.
    await recorded(groupId, 'alice', '2');
    expect(await readView(groupId, 'bob')).toMatchObject({ unread: NONE_UNREAD });
  });
});

describe('a deleted message', () => {
  test('stays deleted when it is recorded afterwards, again or for the first time', async () => {
    const groupId = await aGroup('alice', 'bob');
    await record(groupId, 'alice', '1', '2');
    for (const messageId of ['2', '3']) {
      await tidemark('DELETE', `/v1/groups/${groupId}/messages/${messageId}`);
    }
    expect(await recorded(groupId, 'alice', '2')).toMatchObject({ status: 200, body: { head: '2' } });
    expect(await recorded(groupId, 'alice', '3')).toMatchObject({ status: 201, body: { head: '3' } });
    expect(await readView(groupId, 'bob')).toMatchObject({ head: '3', unread: exactly(1, '1') });
    const ids = { messageIds: ['2', '3'] };
    expect(await tidemark('POST', `/v1/users/bob/groups/${groupId}/receipts`, ids)).toMatchObject({
      body: { receipts: [{ known: false }, { known: false }] },
    });
  });
});

describe('recording', () => {
  test('of a message late, below a mark, counts it as read', async () => {
    const groupId = await aGroup('alice', 'bob');
    await record(groupId, 'alice', '1', '3');
    await mark(groupId, 'bob', '3');
    await record(groupId, 'alice', '2');
    expect(await readView(groupId, 'bob')).toMatchObject({ messageId: '3', unread: NONE_UNREAD });
    expect(await readCounts(groupId, 'alice', '1', '2', '3')).toEqual([1, 1, 1]);
  });

  test('by parallel senders keeps the order of ids if one lock covers the id and the call', async () => {
    const groupId = await aGroup('alice', 'bob');
    let lastId = 0;
    let lock: Promise<unknown> = Promise.resolve();
    const send = (senderId: string) => {
      const sending = lock.then(() => {
        lastId += 1;
        return recorded(groupId, senderId, String(lastId));
      });
      lock = sending;
      return sending;
    };
    const sent = await Promise.all(['alice', 'bob', 'bob', 'alice', 'bob', 'alice'].map(send));
    // If a message were recorded after a larger id, its head would be above it.
    expect(sent.map(({ body }) => body)).toEqual([
      { groupId, messageId: '1', head: '1' },
      { groupId, messageId: '2', head: '2' },
      { groupId, messageId: '3', head: '3' },
      { groupId, messageId: '4', head: '4' },
      { groupId, messageId: '5', head: '5' },
      { groupId, messageId: '6', head: '6' },
    ]);
  });

  test('of a message reads everything up to it for its sender, which receipts show', async () => {
    const groupId = await aGroup('alice', 'bob');
    await record(groupId, 'alice', '1', '2');
    expect(await readView(groupId, 'bob')).toMatchObject({ messageId: null, unread: exactly(2, '1') });
    await record(groupId, 'bob', '3');
    expect(await readView(groupId, 'bob')).toMatchObject({ messageId: '3', unread: NONE_UNREAD });
    expect(await readCounts(groupId, 'alice', '1', '2')).toEqual([1, 1]);
  });

  test('with a sender that is not a member reads nothing for anyone', async () => {
    const groupId = await aGroup('alice', 'bob');
    await record(groupId, 'alice', '1');
    await record(groupId, 'bots:reminders', '2');
    expect(await readView(groupId, 'bob')).toMatchObject({ messageId: null, unread: exactly(2, '1') });
    expect(await readView(groupId, 'alice')).toMatchObject({ messageId: '1', unread: exactly(1, '2') });
  });

  test('over HTTP before delivery is one call, and nobody’s mark is ahead of its message', async () => {
    const groupId = await aGroup('alice', 'bob');
    const calls = jest.spyOn(globalThis, 'fetch');
    try {
      await record(groupId, 'alice', '1');
      expect(calls).toHaveBeenCalledTimes(1);
    } finally {
      calls.mockRestore();
    }
    expect(await mark(groupId, 'bob', '1')).toMatchObject({ messageId: '1', clamped: false });
  });

  test('over HTTP at the same time as delivery applies a mark that came first', async () => {
    const groupId = await aGroup('alice', 'bob');
    await record(groupId, 'alice', '1');
    expect(await mark(groupId, 'bob', '2')).toMatchObject({ messageId: '1', clamped: true });
    await record(groupId, 'alice', '2');
    expect(await readView(groupId, 'bob')).toMatchObject({ messageId: '2', unread: NONE_UNREAD });
  });

  test('as facts takes one call for ten messages, and applies a mark that came first', async () => {
    const groupId = await aGroup('alice', 'bob');
    await record(groupId, 'alice', '1');
    expect(await mark(groupId, 'bob', '11')).toMatchObject({ messageId: '1', clamped: true });
    const sent = Array.from({ length: 10 }, (_, index) => ({
      type: 'MessageSent',
      detail: { groupId, messageId: String(index + 2), senderId: 'alice' },
    }));
    const before = bus.count('PutEvents');
    expect(await putFacts(sent)).toEqual([]);
    expect(bus.count('PutEvents')).toBe(before + 1);
    await eventually(async () =>
      expect(await readView(groupId, 'bob')).toMatchObject({ messageId: '11', unread: NONE_UNREAD }),
    );
  });

  test('as facts works in any order, so a message that comes late can count as read', async () => {
    const groupId = await aGroup('alice', 'bob');
    const sent = (messageId: string) => ({
      type: 'MessageSent',
      detail: { groupId, messageId, senderId: 'alice' },
    });
    await putFacts([sent('2')]);
    await eventually(async () => expect(await readView(groupId, 'bob')).toMatchObject({ head: '2' }));
    await mark(groupId, 'bob', '2');
    await putFacts([sent('1')]);
    await eventually(async () => expect(await readCounts(groupId, 'alice', '1')).toEqual([1]));
    expect(await readView(groupId, 'bob')).toMatchObject({ messageId: '2', unread: NONE_UNREAD });
  });

  test('from an outbox loses nothing if the process dies, and keeps the order', async () => {
    const groupId = await aGroup('alice', 'bob');
    const { relay } = await page.load<OutboxCode>('outbox.mjs');
    const outbox = new Outbox(['1', '2', '3'].map((messageId) => sent(groupId, 'alice', messageId)));
    const heads: unknown[] = [];
    const recordOne = async ({ messageId, senderId }: Entry) =>
      heads.push((await recorded(groupId, String(senderId), String(messageId))).body.head);
    // It dies after 2 is recorded, and before the outbox removes the entry.
    outbox.failsAt = 1;
    await expect(relay(outbox, recordOne)).rejects.toThrow('the process died');
    await relay(outbox, recordOne);
    expect(heads).toEqual(['1', '2', '2', '3']);
    expect(await readView(groupId, 'bob')).toMatchObject({ head: '3', unread: exactly(3, '1') });
  });
});

describe('an outbox', () => {
  test('keeps joins, departures, messages and deletions over an outage, in their order', async () => {
    const { relay } = await page.load<OutboxCode>('outbox.mjs');
    const groupId = freshPrefix();
    const outbox = new Outbox([
      { kind: 'joined', groupId, userId: 'alice', joinedAfter: null },
      { kind: 'joined', groupId, userId: 'bob', joinedAfter: null },
      sent(groupId, 'alice', '1'),
    ]);
    await relay(outbox);
    const mend = door.always(() => true, { kind: 'lose request' });
    outbox.add(
      sent(groupId, 'alice', '2'),
      { kind: 'joined', groupId, userId: 'carol', joinedAfter: '2' },
      sent(groupId, 'bob', '3'),
      sent(groupId, 'alice', '4'),
      { kind: 'left', groupId, userId: 'bob' },
      sent(groupId, 'alice', '5'),
      { kind: 'deleted', groupId, messageId: '4' },
    );
    for (const _run of [1, 2]) {
      await expect(relay(outbox)).rejects.toThrow('Tidemark did not acknowledge POST /v1/groups/');
    }
    expect(await outbox.waiting()).toHaveLength(7);
    mend();
    // It dies after Carol has joined, and before the outbox removes the entry.
    outbox.failsAt = 1;
    await expect(relay(outbox)).rejects.toThrow('the process died');
    await relay(outbox);
    expect(await outbox.waiting()).toEqual([]);
    expect(await readView(groupId, 'carol')).toMatchObject({
      messageId: '2',
      head: '5',
      unread: exactly(2, '3'),
    });
    expect(await statusOf(groupId, 'alice', 'bob', 'carol')).toEqual([200, 404, 200]);
    // Without `joinedAfter`, a member that is added late has none of it.
    await tidemark('POST', `/v1/groups/${groupId}/members`, { userIds: ['dave'] });
    expect(await readView(groupId, 'dave')).toMatchObject({ messageId: '5', unread: NONE_UNREAD });
  });

  test('sends all fields of a message', async () => {
    const { relay } = await page.load<OutboxCode>('outbox.mjs');
    const groupId = await aGroup('alice', 'bob');
    const outbox = new Outbox([
      { ...sent(groupId, 'alice', '1'), mentions: ['bob'] },
      { ...sent(groupId, 'alice', '2'), silent: true },
      { ...sent(groupId, 'bob', '3'), advanceSender: false },
    ]);
    await relay(outbox);
    expect([await outbox.waiting(), outbox.aside]).toEqual([[], []]);
    expect(await readView(groupId, 'bob')).toMatchObject({
      unread: { count: 1, mentions: 1, firstId: '1', exact: true },
    });
  });

  test('gives a late join its right start', async () => {
    const { relay } = await page.load<OutboxCode>('outbox.mjs');
    const groupId = await aGroup('alice', 'bob');
    await record(groupId, 'alice', '1', '2');
    const outbox = new Outbox([{ kind: 'joined', groupId, userId: 'carol', joinedAfter: '2' }]);
    door.once(() => true, { kind: 'lose request' });
    await expect(relay(outbox)).rejects.toThrow('Tidemark did not acknowledge PUT /v1/groups/');
    // The chat records messages without the outbox.
    await record(groupId, 'alice', '3', '4');
    await relay(outbox);
    expect(await readView(groupId, 'carol')).toMatchObject({
      messageId: '2',
      head: '4',
      unread: exactly(2, '3'),
    });
  });

  test.each([
    ['a wrong token', async () => 'no.token.at-all'],
    ['an expired token', () => expiredToken()],
  ])('loses nothing with %s', async (_name, makeToken) => {
    const groupId = await aGroup('alice', 'bob');
    const outbox = new Outbox([sent(groupId, 'alice', '1'), sent(groupId, 'alice', '2')]);
    await withPage({ TIDEMARK_TOKEN: await makeToken() }, async (other) => {
      const { relay } = await other.load<OutboxCode>('outbox.mjs');
      await expect(relay(outbox)).rejects.toThrow(
        `Tidemark refused POST /v1/groups/${groupId}/messages: 401 unauthorized: `,
      );
    });
    expect([await outbox.waiting(), outbox.aside]).toEqual([
      [sent(groupId, 'alice', '1'), sent(groupId, 'alice', '2')],
      [],
    ]);
    const { relay } = await page.load<OutboxCode>('outbox.mjs');
    await relay(outbox);
    expect(await outbox.waiting()).toEqual([]);
    expect(await readView(groupId, 'bob')).toMatchObject({ head: '2', unread: exactly(2, '1') });
  });

  test('moves entries that can never succeed aside, with the reason, and goes on', async () => {
    const { relay } = await page.load<OutboxCode>('outbox.mjs');
    const groupId = await aGroup('alice', 'bob');
    const hopeless = [
      sent('team chat', 'alice', '1'),
      { ...sent(groupId, 'alice', '1'), sentAt: '2026-11-01 10:00:00' },
      { ...sent(groupId, 'alice', '2'), sentAt: 1_793_527_200_000 },
      sent(groupId, 'bob', '3'),
    ];
    const outbox = new Outbox([sent(groupId, 'alice', '3'), ...hopeless, sent(groupId, 'alice', '4')]);
    await relay(outbox);
    expect(await outbox.waiting()).toEqual([]);
    expect(outbox.aside).toEqual([
      [hopeless[0], expect.stringMatching(/400 invalid_request: .*groupId/)],
      [hopeless[1], expect.stringMatching(/400 invalid_request: .*sentAt/)],
      [hopeless[2], expect.stringMatching(/400 invalid_request: .*sentAt/)],
      [hopeless[3], expect.stringMatching(/409 conflict: /)],
    ]);
    expect(await readView(groupId, 'bob')).toMatchObject({ head: '4', unread: exactly(2, '3') });
  });
});

describe('history', () => {
  const history = {
    members: [
      { userId: 'alice', joinedAfter: null },
      { userId: 'bob', joinedAfter: null },
      { userId: 'carol', joinedAfter: '2' },
    ],
    messages: [
      { messageId: '1', senderId: 'alice', sentAt: '2024-05-01T08:00:00.000Z' },
      { messageId: '2', senderId: 'bob', sentAt: '2024-05-01T08:01:00.000Z' },
      { messageId: '3', senderId: 'alice', sentAt: '2024-05-01T08:02:00.000Z' },
      { messageId: '4', senderId: 'alice', sentAt: '2024-05-01T08:03:00.000Z' },
    ],
    marks: [
      { userId: 'bob', messageId: '3' },
      { userId: 'carol', messageId: '4' },
    ],
  };

  test('is members, then messages, then marks, and can be sent again', async () => {
    const groupId = freshPrefix();
    const { bringGroup } = await page.load<HistoryCode>('history.mjs');
    for (const _time of ['once', 'again']) {
      await bringGroup(groupId, history);
      expect(await readView(groupId, 'alice')).toMatchObject({ messageId: '4', unread: NONE_UNREAD });
      expect(await readView(groupId, 'bob')).toMatchObject({ messageId: '3', unread: exactly(1, '4') });
      expect(await readView(groupId, 'carol')).toMatchObject({ messageId: '4', unread: NONE_UNREAD });
      // Carol was not there when 1 and 2 were sent.
      expect(await readCounts(groupId, 'alice', '1', '2', '3', '4')).toEqual([1, 1, 2, 1]);
    }
    const marks = (await events(groupId, 'WatermarkAdvanced')).map(({ detail }) => detail);
    expect(marks).toContainEqual(expect.objectContaining({ userId: 'carol', to: '4' }));
  });

  test('takes a hundred messages in one call, with all their fields', async () => {
    const groupId = freshPrefix();
    const { bringGroup } = await page.load<HistoryCode>('history.mjs');
    const messages = Array.from({ length: 101 }, (_, index) => ({
      ...{ messageId: String(index + 1), senderId: 'alice', silent: index < 100 },
    }));
    const before = door.requests.length;
    await bringGroup(groupId, { members: [{ userId: 'bob', joinedAfter: null }], messages, marks: [] });
    expect(door.requests.length - before).toBe(3);
    expect(await readView(groupId, 'bob')).toMatchObject({ head: '101', unread: exactly(1, '101') });
  });

  test('stops at a message that is known under another sender', async () => {
    const groupId = await aGroup('alice');
    await record(groupId, 'alice', '1');
    const { bringGroup } = await page.load<HistoryCode>('history.mjs');
    const messages = [{ messageId: '1', senderId: 'bob' }];
    await expect(bringGroup(groupId, { members: [], messages, marks: [] })).rejects.toThrow(
      'Tidemark did not record message 1: conflict',
    );
  });

  const bad: readonly [string, { groupId?: string; sentAt?: unknown; marks?: Body[] }, string][] = [
    ['a group id that is not allowed', { groupId: 'team chat' }, '400 invalid_request'],
    ['a time without a zone', { sentAt: '2026-11-01 10:00:00' }, '400 invalid_request'],
    ['a time as a number', { sentAt: 1_793_527_200_000 }, '400 invalid_request'],
    ['a mark of somebody who is no member', { marks: [{ userId: 'eve', messageId: '1' }] }, '404 not_found'],
  ];
  test.each(bad)('stops at %s, with the reason', async (_name, given, reason) => {
    const { bringGroup } = await page.load<HistoryCode>('history.mjs');
    const { groupId = freshPrefix(), sentAt, marks = [] } = given;
    const members = [{ userId: 'alice', joinedAfter: null }];
    const messages = [{ messageId: '1', senderId: 'alice', sentAt }];
    await expect(bringGroup(groupId, { members, messages, marks })).rejects.toThrow(reason);
  });

  test('does not move an existing member, whatever joinedAfter is', async () => {
    const groupId = await aGroup('alice');
    await record(groupId, 'alice', '1', '2');
    const path = `/v1/groups/${groupId}/members/bob`;
    expect(await tidemark('PUT', path, { joinedAfter: '1' })).toMatchObject({ status: 201 });
    expect(await tidemark('PUT', path, { joinedAfter: null })).toEqual({
      status: 200,
      body: { groupId, userId: 'bob', joinedAfter: '1' },
    });
  });

  test('is kept from the time when it is recorded', async () => {
    const groupId = await aGroup('alice', 'bob');
    const message = { messageId: '1', senderId: 'alice', sentAt: '2019-05-01T08:00:00.000Z' };
    const before = Math.floor(Date.now() / 1000);
    await tidemark('POST', `/v1/groups/${groupId}/messages`, message);
    const item = await faults.ledgerItem(`GROUP#${groupId}`, 'MSG#00000000000000000001');
    // 90 days.
    expect(Number(item?.expiresAt?.N) - before).toBeGreaterThanOrEqual(7_776_000);
    expect(Number(item?.expiresAt?.N) - before).toBeLessThan(7_776_600);
    expect(await readView(groupId, 'bob')).toMatchObject({ unread: exactly(1, '1') });
  });

  test('with a mark before its message clamps the mark to the newest recorded message', async () => {
    const groupId = await aGroup('alice', 'bob');
    await record(groupId, 'alice', '1');
    expect(await mark(groupId, 'bob', '3')).toMatchObject({ messageId: '1', clamped: true });
  });

  test('moves a sender at least to its own last message, whatever the mark', async () => {
    const groupId = await aGroup('alice', 'bob');
    await record(groupId, 'alice', '1', '2');
    await record(groupId, 'bob', '3');
    expect(await mark(groupId, 'bob', '1')).toMatchObject({ messageId: '3', advanced: false });
  });
});

describe('marking unread', () => {
  test('sets messageId to the id below, and readAt to now; receipts stay', async () => {
    const groupId = await aGroup('alice', 'bob');
    await record(groupId, 'alice', '10', '20', '30');
    expect(await readView(groupId, 'bob')).toMatchObject({ messageId: null, readAt: null });
    expect(await readView(groupId, 'alice')).toMatchObject({ messageId: '30', readAt: A_TIME });
    const { readAt } = await mark(groupId, 'bob', '30');
    expect(readAt).toEqual(A_TIME);
    const view = await markUnread(groupId, 'bob', '20');
    expect(view).toMatchObject({ messageId: '19', readAt: A_TIME, revision: 1, unread: exactly(2, '20') });
    expect(Date.parse(String(view.readAt))).toBeGreaterThan(Date.parse(String(readAt)));
    expect(await readCounts(groupId, 'alice', '10', '20', '30')).toEqual([1, 1, 1]);
  });

  test('sets messageId to null from the id 1, and never goes below the point of joining', async () => {
    const groupId = await aGroup('alice', 'bob');
    await record(groupId, 'alice', '1', '2');
    await tidemark('PUT', `/v1/groups/${groupId}/members/carol`);
    await record(groupId, 'alice', '3');
    for (const userId of ['bob', 'carol']) await mark(groupId, userId, '3');
    expect(await markUnread(groupId, 'bob', '1')).toMatchObject({ messageId: null, unread: exactly(3, '1') });
    expect(await markUnread(groupId, 'carol', '1')).toMatchObject({
      messageId: '2',
      unread: exactly(1, '3'),
    });
  });

  test('changes nothing above the watermark or the head', async () => {
    const groupId = await aGroup('alice', 'bob');
    await record(groupId, 'alice', '1', '2', '3');
    await mark(groupId, 'bob', '2');
    const before = await readView(groupId, 'bob');
    for (const messageId of ['3', '9']) expect(await markUnread(groupId, 'bob', messageId)).toEqual(before);
    expect(before).toMatchObject({ messageId: '2', revision: 0, unread: exactly(1, '3') });
  });

  test('leaves own messages out of the count', async () => {
    const groupId = await aGroup('alice', 'bob');
    await record(groupId, 'alice', '1', '2');
    await record(groupId, 'bob', '3');
    expect(await markUnread(groupId, 'bob', '2')).toMatchObject({ messageId: '1', unread: exactly(1, '2') });
  });

  test('makes a later membership start in a larger revision', async () => {
    const groupId = await aGroup('alice', 'bob');
    await record(groupId, 'alice', '1', '2');
    await mark(groupId, 'bob', '2');
    expect(await markUnread(groupId, 'bob', '2')).toMatchObject({ revision: 1 });
    await tidemark('DELETE', `/v1/groups/${groupId}/members/bob`);
    await tidemark('PUT', `/v1/groups/${groupId}/members/bob`, { joinedAfter: null });
    expect(Number((await readView(groupId, 'bob')).revision)).toBeGreaterThan(1);
  });
});

describe('tabs and devices', () => {
  test('with ifRevision, a late mark cannot undo marking unread on another device', async () => {
    const groupId = await aGroup('alice', 'bob');
    await record(groupId, 'alice', '1', '2', '3');
    await mark(groupId, 'bob', '3');
    await markUnread(groupId, 'bob', '2');
    const path = `/v1/users/bob/groups/${groupId}/watermark`;
    const late = await tidemark('PUT', path, { messageId: '3', ifRevision: 0 });
    expect(late).toMatchObject({
      status: 409,
      body: { code: 'revision_conflict', messageId: '1', revision: 1, unread: exactly(2, '2') },
    });
    // The device shows the current state, and its user reads further.
    const again = await tidemark('PUT', path, { messageId: '3', ifRevision: 1 });
    expect(again).toMatchObject({ status: 200, body: { messageId: '3', revision: 1, unread: NONE_UNREAD } });
  });

  test('move the public watermark even by a mark that gets a 409, unless it is private', async () => {
    const groupId = await aGroup('alice', 'bob');
    await record(groupId, 'alice', '1', '2', '3');
    await mark(groupId, 'bob', '1');
    await markUnread(groupId, 'bob', '1');
    const path = `/v1/users/bob/groups/${groupId}/watermark`;
    const late = { messageId: '3', ifRevision: 0 };
    const refused = { code: 'revision_conflict', messageId: null, revision: 1, unread: exactly(3, '1') };
    expect(await tidemark('PUT', path, { ...late, private: true })).toMatchObject({
      status: 409,
      body: { ...refused, advanced: false },
    });
    expect(await readCounts(groupId, 'alice', '1', '2', '3')).toEqual([1, 0, 0]);
    expect(await tidemark('PUT', path, late)).toMatchObject({
      status: 409,
      body: { ...refused, advanced: true },
    });
    expect(await readCounts(groupId, 'alice', '1', '2', '3')).toEqual([1, 1, 1]);
    // Nothing is left to move.
    expect(await tidemark('PUT', path, late)).toMatchObject({ body: { ...refused, advanced: false } });
  });

  test('undo marking unread by a late mark without ifRevision', async () => {
    const groupId = await aGroup('alice', 'bob');
    await record(groupId, 'alice', '1', '2', '3');
    await mark(groupId, 'bob', '3');
    await markUnread(groupId, 'bob', '2');
    expect(await mark(groupId, 'bob', '3')).toMatchObject({ messageId: '3', unread: NONE_UNREAD });
  });

  test('can mark in any order', async () => {
    const groupId = await aGroup('alice', 'bob');
    await record(groupId, 'alice', '1', '2', '3');
    for (const messageId of ['2', '3', '1']) await mark(groupId, 'bob', messageId);
    expect(await readView(groupId, 'bob')).toMatchObject({ messageId: '3', unread: NONE_UNREAD });
  });

  test('follow events by membership, revision and position, in any order and repeated', async () => {
    const groupId = await aGroup('alice', 'bob');
    await record(groupId, 'alice', '1', '2', '3', '4', '5');
    await mark(groupId, 'bob', '5');
    await expectEvent(groupId, 'WatermarkAdvanced', { userId: 'bob', to: '5' });
    await tidemark('DELETE', `/v1/groups/${groupId}/members/bob`);
    await tidemark('PUT', `/v1/groups/${groupId}/members/bob`, { joinedAfter: '1' });
    await mark(groupId, 'bob', '2');
    await expectEvent(groupId, 'WatermarkAdvanced', { userId: 'bob', to: '2' });
    await mark(groupId, 'bob', '4');
    await expectEvent(groupId, 'WatermarkAdvanced', { userId: 'bob', to: '4' });
    const { revision } = await markUnread(groupId, 'bob', '3');
    await expectEvent(groupId, 'OwnWatermarkMoved', { userId: 'bob', messageId: '2', revision });

    const { follow, members } = await page.load<FollowCode>('follow.mjs');
    const published = await events(groupId);
    const orders = [
      published,
      published.toReversed(),
      [...published, ...published],
      [...published.slice(3), ...published.slice(0, 3)],
    ];
    for (const order of orders) {
      members.clear();
      for (const event of order) follow(event);
      expect(members.get(`${groupId}/bob`)).toMatchObject({ own: { revision, messageId: '2' }, seen: '4' });
      expect(members.get(`${groupId}/alice`)).toMatchObject({
        own: { revision: 0, messageId: '5' },
        seen: '5',
      });
    }
    expect(await readView(groupId, 'bob')).toMatchObject({ messageId: '2', revision });
  });
});

describe('events', () => {
  test('of a former membership are recognized, however late, and also after a restart', async () => {
    const { follow, left, begin, beginOwn, members } = await page.load<FollowCode>('follow.mjs');
    members.clear();
    const groupId = await aGroup('alice', 'bob');
    const seen = () => members.get(`${groupId}/bob`)?.seen;
    const published = async (to: string): Promise<BusEvent> => {
      await expectEvent(groupId, 'WatermarkAdvanced', { userId: 'bob', to });
      const all = await events(groupId, 'WatermarkAdvanced');
      const found = all.find(({ detail }) => detail.userId === 'bob' && detail.to === to);
      if (!found) throw new Error('the event is gone');
      return found;
    };
    const leave = async () => {
      await tidemark('DELETE', `/v1/groups/${groupId}/members/bob`);
      left(groupId, 'bob');
    };
    const rejoin = () => tidemark('PUT', `/v1/groups/${groupId}/members/bob`, { joinedAfter: '1' });
    await record(groupId, 'alice', '1', '2', '3', '4', '5', '6', '7', '8', '9');

    // The first membership: its event arrives, and again after the departure and after the next join.
    await mark(groupId, 'bob', '9');
    const first = await published('9');
    follow(first);
    expect(seen()).toBe('9');
    await leave();
    follow(first);
    expect(seen()).toBeNull();
    await rejoin();
    follow(first);
    expect(seen()).toBeNull();

    // The second membership: none of its events arrives before it ends.
    await mark(groupId, 'bob', '8');
    const second = await published('8');
    await leave();
    for (const late of [second, first, second]) follow(late);
    expect(seen()).toBeNull();

    // The third membership is followed, while all events of the others arrive late and twice.
    await rejoin();
    await mark(groupId, 'bob', '4');
    const third = await published('4');
    for (const event of [first, third, second, third, first]) follow(event);
    expect(seen()).toBe('4');

    // A restart.
    members.clear();
    await begin(groupId);
    beginOwn(groupId, 'bob', await readView(groupId, 'bob'));
    const own = () => members.get(`${groupId}/bob`)?.own;
    for (const event of [second, first, third, first]) follow(event);
    expect([seen(), own()?.messageId]).toEqual(['4', '4']);
    await mark(groupId, 'bob', '6');
    const fourth = await published('6');
    const { revision } = await markUnread(groupId, 'bob', '3');
    await expectEvent(groupId, 'OwnWatermarkMoved', { userId: 'bob', messageId: '2', revision });
    const all = await events(groupId);
    for (const event of [...all.toReversed(), fourth, second, ...all, first]) follow(event);
    expect([seen(), own()]).toEqual(['6', { messageId: '2', revision }]);
    expect(members.get(`${groupId}/alice`)).toMatchObject({ seen: '9' });
  });

  test('from before the deletion of a group are recognized when it is used again', async () => {
    const { follow, left, members } = await page.load<FollowCode>('follow.mjs');
    members.clear();
    const groupId = await aGroup('bob');
    const seen = () => members.get(`${groupId}/bob`)?.seen;
    const markAndWait = async (to: string): Promise<BusEvent[]> => {
      await mark(groupId, 'bob', to);
      await expectEvent(groupId, 'WatermarkAdvanced', { userId: 'bob', to });
      return events(groupId, 'WatermarkAdvanced');
    };
    await record(groupId, 'alice', '8', '9');
    const before = await markAndWait('9');
    for (const event of before) follow(event);
    expect(seen()).toBe('9');

    await tidemark('DELETE', `/v1/groups/${groupId}`);
    left(groupId, 'bob');
    for (const event of before) follow(event);
    expect(seen()).toBeNull();

    await tidemark('PUT', `/v1/groups/${groupId}/members/bob`, { joinedAfter: null });
    await record(groupId, 'alice', '1', '2');
    const all = await markAndWait('1');
    for (const event of [...all, ...before]) follow(event);
    expect(seen()).toBe('1');
  });

  test('keep badges exact on two devices, without a call for a message', async () => {
    const { createBadges } = await page.load<BadgesCode>('badges.mjs');
    const groupId = await aGroup('alice', 'bob');
    await record(groupId, 'alice', '1', '2');
    const calls: string[] = [];
    const device = (name: string) =>
      createBadges('bob', async (method, path, body) => {
        calls.push(`${name} ${method} ${path.replace(groupId, 'g')}`);
        return (await tidemark(method, `/v1/users/bob${path}`, body)).body;
      });
    const [phone, desk] = [device('phone'), device('desk')];
    const counts = () => [phone.count(groupId), desk.count(groupId)];
    const since = () => calls.splice(0);
    let isOnline = true;
    const send = async (senderId: string, messageId: string) => {
      await record(groupId, senderId, messageId);
      // The chat may deliver a message twice.
      for (const _time of [1, 2]) phone.message(groupId, { messageId, senderId });
      if (isOnline) desk.message(groupId, { messageId, senderId });
    };
    const followed = new Set<string>();
    const bringEvents = async (type: string, detail: Body) => {
      await expectEvent(groupId, type, { userId: 'bob', ...detail });
      const fresh = (await events(groupId)).filter(({ id, detail: { userId } }) => {
        return userId === 'bob' && !followed.has(id);
      });
      for (const { id, 'detail-type': kind, detail: moved } of fresh) {
        followed.add(id);
        const { ownRevision, revision, messageId, to } = moved as Record<string, never>;
        const view =
          kind === 'OwnWatermarkMoved' ? { revision, messageId } : { revision: ownRevision, messageId: to };
        if (view.revision === null) continue;
        await phone.moved(groupId, view);
        if (isOnline) await desk.moved(groupId, view);
      }
    };

    await Promise.all([phone.sync(), desk.sync()]);
    expect(counts()).toEqual([2, 2]);
    since();
    for (const messageId of ['3', '4', '5']) await send('alice', messageId);
    expect([counts(), since()]).toEqual([[5, 5], []]);

    await phone.mark(groupId, '4');
    await bringEvents('WatermarkAdvanced', { to: '4' });
    expect(counts()).toEqual([1, 1]);
    expect(since()).toEqual(['phone PUT /groups/g/watermark', 'desk GET /groups/g/watermark']);

    await desk.markUnread(groupId, '2');
    await bringEvents('OwnWatermarkMoved', { messageId: '1' });
    expect(counts()).toEqual([4, 4]);
    expect(since()).toEqual(['desk POST /groups/g/unread', 'phone GET /groups/g/watermark']);

    await tidemark('DELETE', `/v1/groups/${groupId}/messages/3`);
    await Promise.all([phone.deleted(groupId, '3'), desk.deleted(groupId, '3')]);
    expect(counts()).toEqual([3, 3]);
    since();

    isOnline = false;
    await send('alice', '6');
    await phone.mark(groupId, '6');
    await bringEvents('WatermarkAdvanced', { to: '6' });
    await send('alice', '7');
    isOnline = true;
    expect(counts()).toEqual([1, 3]);
    await desk.sync();
    expect(counts()).toEqual([1, 1]);
    since();

    await send('bob', '8');
    expect(counts()).toEqual([0, 0]);
    await bringEvents('WatermarkAdvanced', { to: '8' });
    await send('alice', '9');
    expect([counts(), since()]).toEqual([[1, 1], []]);
    const { unread } = await readView(groupId, 'bob');
    expect(unread).toEqual(exactly(1, '9'));
  });

  test('do not count silent messages, and nothing is read by a message that the user did not write just now', async () => {
    const { createBadges } = await page.load<BadgesCode>('badges.mjs');
    const groupId = await aGroup('alice', 'bob');
    const badges = createBadges('bob', async (method, path, body) => {
      return (await tidemark(method, `/v1/users/bob${path}`, body)).body;
    });
    await badges.sync();
    const counts: number[] = [];
    for (const message of [
      { messageId: '1', senderId: 'alice' },
      { messageId: '2', senderId: 'alice', silent: true },
      { messageId: '3', senderId: 'bob', advanceSender: false },
      { messageId: '4', senderId: 'alice' },
    ]) {
      await tidemark('POST', `/v1/groups/${groupId}/messages`, message);
      badges.message(groupId, message);
      counts.push(badges.count(groupId));
    }
    expect(counts).toEqual([1, 1, 1, 2]);
    expect(await readView(groupId, 'bob')).toMatchObject({ unread: exactly(2, '1') });
    await badges.mark(groupId, '1');
    expect(badges.count(groupId)).toBe(1);
  });

  test('of the app leave out what the user does not want to be notified of', async () => {
    const [loud, muted, archived] = await Promise.all([1, 2, 3].map(() => aGroup('alice', 'hugo')));
    for (const groupId of [loud, muted, archived]) await record(String(groupId), 'alice', '1');
    const wants = (groupId: string | undefined, preferences: Body) =>
      tidemark('PATCH', `/v1/users/hugo/groups/${groupId}/preferences`, preferences);
    await wants(muted, { notify: 'none' });
    await wants(archived, { archive: 'always' });
    expect((await tidemark('GET', '/v1/users/hugo/badge')).body).toMatchObject({ groups: 1, messages: 1 });
  });

  test.each(['before', 'after'])('count a message once that comes %s the answer of a call', async (when) => {
    const { createBadges } = await page.load<BadgesCode>('badges.mjs');
    const groupId = await aGroup('alice', 'bob');
    await record(groupId, 'alice', '1');
    let head = 1;
    let isDue = false;
    const badges = createBadges('bob', async (method, path, body) => {
      const isNow = isDue;
      isDue = false;
      const send = async () => {
        head += 1;
        await record(groupId, 'alice', String(head));
        badges.message(groupId, { messageId: String(head), senderId: 'alice' });
      };
      if (isNow && when === 'before') await send();
      const answer = await tidemark(method, `/v1/users/bob${path}`, body);
      if (isNow && when === 'after') await send();
      return answer.body;
    });
    const steps: [isDue: boolean, step: () => Promise<void>, unread: number][] = [
      [false, () => badges.sync(), 1],
      [true, () => badges.mark(groupId, '1'), 1],
      [false, () => badges.mark(groupId, '2'), 0],
      [true, () => badges.sync(), 1],
      [true, () => badges.sync(), 2],
      [true, () => badges.markUnread(groupId, '1'), 5],
    ];
    const counted: number[] = [];
    for (const [due, step] of steps) {
      isDue = due;
      await step();
      counted.push(badges.count(groupId));
    }
    expect(counted).toEqual(steps.map(([, , unread]) => unread));
    expect(await readView(groupId, 'bob')).toMatchObject({ unread: exactly(5, '1') });
  });
});

describe('the webhook', () => {
  test('is verified by the page’s code, with the unchanged body', async () => {
    const { verify } = await page.load<{
      verify(rawBody: string, headers: Record<string, string>): BusEvent;
    }>('webhook.mjs');
    const groupId = await aGroup('alice', 'bob');
    await record(groupId, 'alice', '1');
    await mark(groupId, 'bob', '1');
    const { body, headers } = await eventually(() => notification(groupId, 'bob'));
    expect(verify(body, headers)).toMatchObject({
      'detail-type': 'WatermarkAdvanced',
      detail: { groupId, userId: 'bob', from: null, to: '1' },
    });
    // A body that is parsed and serialized again may be another text.
    expect(() => verify(JSON.stringify(JSON.parse(body), null, 1), headers)).toThrow();
    expect(() => verify(body.replace('bob', 'eve'), headers)).toThrow();
    const sixMinutesAgo = new Date(Date.now() - 360_000);
    const signature = new Webhook(String(process.env.TIDEMARK_WEBHOOK_SECRET)).sign(
      'old',
      sixMinutesAgo,
      body,
    );
    const old = {
      'webhook-id': 'old',
      'webhook-timestamp': String(Math.floor(sixMinutesAgo.getTime() / 1000)),
      'webhook-signature': signature,
    };
    expect(() => verify(body, old)).toThrow('too old');
  });

  test('gets a failed event again, with the same id', async () => {
    const groupId = await aGroup('alice', 'bob');
    await record(groupId, 'alice', '1');
    const isOfBob = ({ body }: { body: string }) => body.includes(groupId) && body.includes('"userId":"bob"');
    faults.proxies.webhook.once(isOfBob, { kind: 'answer', status: 500, body: {} });
    await mark(groupId, 'bob', '1');
    const { body, headers } = await eventually(() => notification(groupId, 'bob'));
    const posted = faults.proxies.webhook.requests.filter(isOfBob);
    expect(posted.length).toBeGreaterThanOrEqual(2);
    expect(new Set(posted.map((request) => request.body))).toEqual(new Set([body]));
    expect(headers['webhook-id']).toBe((JSON.parse(body) as BusEvent).id);
  });
});

describe('after an outage', () => {
  test('of the cache, all answers were right, and clamped marks are sent again', async () => {
    const groupId = await aGroup('alice', 'bob');
    await record(groupId, 'alice', '1', '2');
    await mark(groupId, 'bob', '1');
    const mend = faults.proxies.upstash.always(() => true, { kind: 'lose request' });
    expect(await readView(groupId, 'bob')).toMatchObject({
      messageId: '1',
      head: '2',
      unread: exactly(1, '2'),
    });
    expect(await mark(groupId, 'bob', '3')).toMatchObject({ messageId: '2', clamped: true });
    await record(groupId, 'alice', '3');
    expect(await readView(groupId, 'bob')).toMatchObject({
      messageId: '2',
      head: '3',
      unread: exactly(1, '3'),
    });
    await faults.emptyCache();
    mend();
    expect(await readView(groupId, 'bob')).toMatchObject({
      messageId: '2',
      head: '3',
      unread: exactly(1, '3'),
    });
    expect(await readCounts(groupId, 'alice', '1', '2', '3')).toEqual([1, 1, 0]);
    expect(await mark(groupId, 'bob', '3')).toMatchObject({ messageId: '3', clamped: false });
  });

  test('of the process, a message can be recorded again', async () => {
    const groupId = await aGroup('alice', 'bob');
    expect((await recorded(groupId, 'alice', '1')).status).toBe(201);
    expect(await recorded(groupId, 'alice', '1')).toMatchObject({ status: 200, body: { head: '1' } });
    expect(await readView(groupId, 'bob')).toMatchObject({ unread: exactly(1, '1') });
  });

  test('of the bus, the page’s code returns the facts that were refused', async () => {
    const groupId = await aGroup('alice', 'bob');
    const good = { type: 'MessageSent', detail: { groupId, messageId: '1', senderId: 'alice' } };
    // The bus refuses an event without a type.
    const refused = { type: '', detail: { groupId } };
    expect(await putFacts([refused, good])).toEqual([refused]);
    await eventually(async () => expect(await readView(groupId, 'bob')).toMatchObject({ head: '1' }));
  });

  test('of the webhook, the list of members has all public watermarks', async () => {
    const groupId = await aGroup('alice', 'bob');
    await record(groupId, 'alice', '1', '2');
    await mark(groupId, 'bob', '1');
    const { body } = await tidemark('GET', `/v1/groups/${groupId}/members`);
    expect(body).toMatchObject({
      members: [
        { userId: 'alice', messageId: '2' },
        { userId: 'bob', messageId: '1' },
      ],
    });
  });
});

/** An outbox whose process can die after an entry is sent and before it is removed. */
class Outbox {
  /** The index of the entry after which it dies once. */
  failsAt: number | null = null;
  readonly aside: [Entry, string][] = [];
  readonly #entries: Entry[];

  constructor(entries: readonly Entry[]) {
    this.#entries = [...entries];
  }

  add(...entries: readonly Entry[]): void {
    this.#entries.push(...entries);
  }

  async waiting(): Promise<readonly Entry[]> {
    return [...this.#entries];
  }

  async remove(_entry: Entry): Promise<void> {
    if (this.failsAt !== null) {
      this.failsAt -= 1;
      if (this.failsAt < 0) {
        this.failsAt = null;
        throw new Error('the process died');
      }
    }
    this.#entries.shift();
  }

  async setAside(entry: Entry, reason: string): Promise<void> {
    this.aside.push([entry, reason]);
    this.#entries.shift();
  }
}

const sent = (groupId: string, senderId: string, messageId: string): Entry => ({
  kind: 'sent',
  ...{ groupId, messageId, senderId },
});

/** Loads the page's code again with these variables, like a new process. */
async function withPage(variables: Readonly<Record<string, string>>, use: (page: PageCode) => Promise<void>) {
  const before = { ...process.env };
  const other = await codeOf('adopting.md');
  Object.assign(process.env, variables);
  try {
    await use(other);
  } finally {
    for (const name of Object.keys(variables)) process.env[name] = before[name];
    await other.remove();
  }
}

/** A token of a back end that expired a minute ago. */
async function expiredToken(): Promise<string> {
  const key = JSON.parse(await readFile(join(faults.dataDirectory, 'issuer.json'), 'utf8')) as JWK;
  const now = Math.floor(Date.now() / 1000);
  return new SignJWT({ scope: 'tidemark/service' })
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: key.kid ?? '' })
    .setIssuer('https://issuer.tidemark.localhost')
    .setAudience('tidemark-local')
    .setSubject('chat')
    .setIssuedAt(now - 7200)
    .setExpirationTime(now - 60)
    .sign(await importJWK(key, 'RS256'));
}

async function aGroup(...userIds: string[]): Promise<string> {
  const groupId = freshPrefix();
  const { status } = await tidemark('POST', `/v1/groups/${groupId}/members`, { userIds });
  expect(status).toBe(200);
  return groupId;
}

const recorded = (groupId: string, senderId: string, messageId: string | number) =>
  tidemark('POST', `/v1/groups/${groupId}/messages`, { messageId, senderId });

async function record(groupId: string, senderId: string, ...messageIds: string[]): Promise<void> {
  for (const messageId of messageIds) {
    expect((await recorded(groupId, senderId, messageId)).status).toBe(201);
  }
}

async function mark(groupId: string, userId: string, messageId: string): Promise<Body> {
  const path = `/v1/users/${userId}/groups/${groupId}/watermark`;
  const { status, body } = await tidemark('PUT', path, { messageId });
  expect(status).toBe(200);
  return body;
}

async function markUnread(groupId: string, userId: string, messageId: string): Promise<Body> {
  const path = `/v1/users/${userId}/groups/${groupId}/unread`;
  const { status, body } = await tidemark('POST', path, { messageId });
  expect(status).toBe(200);
  return body;
}

async function readView(groupId: string, userId: string): Promise<Body> {
  return (await tidemark('GET', `/v1/users/${userId}/groups/${groupId}/watermark`)).body;
}

async function statusOf(groupId: string, ...userIds: string[]): Promise<number[]> {
  const answers: Pick<Answer, 'status'>[] = await Promise.all(
    userIds.map((userId) => tidemark('GET', `/v1/users/${userId}/groups/${groupId}/watermark`)),
  );
  return answers.map(({ status }) => status);
}

async function readCounts(groupId: string, userId: string, ...messageIds: string[]) {
  const path = `/v1/users/${userId}/groups/${groupId}/receipts`;
  const { body } = await tidemark('POST', path, { messageIds });
  return (body.receipts as { readCount: number }[]).map(({ readCount }) => readCount);
}

async function events(groupId: string, type?: string): Promise<BusEvent[]> {
  return (await faults.events())
    .filter(({ source, detail }) => source === 'tidemark' && detail.groupId === groupId)
    .filter((event) => type === undefined || event['detail-type'] === type);
}

async function expectEvent(groupId: string, type: string, detail: Body): Promise<void> {
  await eventually(async () => {
    const details = (await events(groupId, type)).map((event) => event.detail);
    expect(details).toContainEqual(expect.objectContaining(detail));
  });
}

/** The webhook's notification of a member's first move. Throws an error if there is none yet. */
async function notification(groupId: string, userId: string): Promise<Notification> {
  const { text } = await faults.call(null, 'GET', '/_local/notifications');
  const { notifications } = JSON.parse(text) as { notifications: Notification[] };
  const own = notifications.find(
    ({ body }) => body.includes(groupId) && body.includes(`"userId":"${userId}"`),
  );
  if (!own) throw new Error('the webhook has received nothing of it yet');
  return own;
}

const environmentBefore = new Map<string, string | undefined>();

function setEnvironment(variables: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(variables)) {
    environmentBefore.set(name, process.env[name]);
    process.env[name] = value;
  }
}

function restoreEnvironment(): void {
  for (const [name, value] of environmentBefore) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
}
