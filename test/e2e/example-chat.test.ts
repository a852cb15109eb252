import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createChat } from '../../examples/chat/chat.ts';
import { DataDirectory } from '../../local/data/data-directory.ts';
import { type RunningRedis, startRedis } from '../../local/engines/redis.ts';
import { type Listening, listenOnLoopback } from '../../local/http/loopback.ts';
import { eventually, freshPrefix } from '../support/engines.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { withStack } from '../support/running-stack.ts';

interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

interface Room {
  readonly view: { readonly messageId: string | null; readonly unread: unknown };
  readonly messages: readonly { messageId: string; senderId: string; text: string; readCount: number }[];
  readonly seen: Readonly<Record<string, string>>;
}

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

let answering: RequestListener = (_request, response) => response.writeHead(503).end();
const server = createServer((request, response) => answering(request, response));
let chat: Listening;
let chatUrl: string;
let upstash: FaultProxy;
/** The fault of a proxy that replaces a killed cache. */
let redis: RunningRedis | null = null;
beforeAll(async () => {
  chat = await listenOnLoopback(server);
  chatUrl = chat.url;
  upstash = await FaultProxy.start();
});
const stack = withStack({
  // A test that kills the cache starts it again itself.
  restartEngines: false,
  intercept: (service, url) => {
    if (service === 'upstash') return upstash.standBefore(url);
    return service === 'webhook' ? `${chatUrl}/tidemark-webhook` : url;
  },
});
beforeAll(async () => {
  answering = createChat(stack.description.apiUrl, await stack.serviceToken(), webhookSecret());
});
afterAll(async () => {
  await redis?.stop();
  await upstash?.stop();
  await chat.close();
});

const webhookSecret = () => `whsec_${new DataDirectory(stack.dataDirectory).webhookSecret()}`;

async function as(user: string | null, method: string, path: string, body?: object): Promise<Answer> {
  const response = await fetch(chatUrl + path, {
    method,
    headers: user === null ? {} : { cookie: `theme=dark; user=${user}` },
    ...(body && { body: JSON.stringify(body) }),
  });
  return { status: response.status, body: (await response.json()) as Answer['body'] };
}

async function send(user: string, room: string, text: string): Promise<string> {
  const { status, body } = await as(user, 'POST', `/rooms/${room}/messages`, { text });
  expect(status).toBe(201);
  return String(body.messageId);
}

async function show(user: string, room: string): Promise<Room> {
  const { status, body } = await as(user, 'GET', `/rooms/${room}`);
  expect(status).toBe(200);
  return body as unknown as Room;
}

const read = (user: string, room: string, messageId: string) =>
  as(user, 'PUT', `/rooms/${room}/read`, { messageId });

const badges = async (user: string) => (await as(user, 'GET', '/badges')).body;

/** Two users chat. Every answer must be the same with and without the cache. */
async function conversation(): Promise<void> {
  const room = freshPrefix();
  // A user with only this room, so that the badges are those of this room.
  const [alice, bob] = [`alice_${room.slice(2)}`, `bob_${room.slice(2)}`];
  for (const user of [alice, bob]) {
    expect((await as(alice, 'PUT', `/rooms/${room}/members/${user}`)).status).toBe(201);
  }
  const first = await send(alice, room, 'Tea?');
  const second = await send(alice, room, 'At four?');
  expect(await badges(bob)).toEqual({ [room]: 2 });
  expect(await badges(alice)).toEqual({});

  expect((await read(bob, room, first)).status).toBe(200);
  expect(await badges(bob)).toEqual({ [room]: 1 });
  expect(await show(alice, room)).toMatchObject({
    messages: [
      { messageId: first, senderId: alice, text: 'Tea?', readCount: 1 },
      { messageId: second, senderId: alice, text: 'At four?', readCount: 0 },
    ],
  });
  await eventually(async () =>
    expect((await show(alice, room)).seen).toEqual({ [alice]: second, [bob]: first }),
  );

  const third = await send(bob, room, 'Gladly.');
  expect(await badges(bob)).toEqual({});
  expect(await badges(alice)).toEqual({ [room]: 1 });
  const { messages } = await show(bob, room);
  expect(messages.map(({ readCount }) => readCount)).toEqual([1, 1, 0]);

  expect(await as(bob, 'POST', `/rooms/${room}/unread`, { messageId: second })).toMatchObject({
    status: 200,
    body: { revision: 1, unread: { count: 1, mentions: 0, firstId: second, exact: true } },
  });
  expect(await badges(bob)).toEqual({ [room]: 1 });
  const late = { messageId: third, ifRevision: 0 };
  expect((await as(bob, 'PUT', `/rooms/${room}/read`, late)).status).toBe(409);
  expect(await badges(bob)).toEqual({ [room]: 1 });
  await eventually(async () =>
    expect((await show(alice, room)).seen).toEqual({ [alice]: second, [bob]: third }),
  );
}

describe('the example chat', () => {
  test('shows badges and receipts', conversation, 30_000);

  test('shows nothing to non-members, and accepts nothing from them', async () => {
    const room = freshPrefix();
    await as('alice', 'PUT', `/rooms/${room}/members/alice`);
    await send('alice', room, 'Alone.');
    expect((await as('eve', 'GET', `/rooms/${room}`)).status).toBe(404);
    expect((await as('eve', 'POST', `/rooms/${room}/messages`, { text: 'Boo.' })).status).toBe(404);
    expect((await as('eve', 'PUT', `/rooms/${room}/read`, { messageId: '1' })).status).toBe(404);
    expect((await as(null, 'GET', `/rooms/${room}`)).status).toBe(401);
    const event = JSON.stringify({
      'detail-type': 'WatermarkAdvanced',
      detail: { groupId: room, userId: 'eve', membership: 9, to: '9' },
    });
    const posted = await fetch(`${chatUrl}/tidemark-webhook`, { method: 'POST', body: event });
    expect(posted.status).toBe(401);
    expect((await show('alice', room)).seen).not.toHaveProperty('eve');
  });

  test('has the badges of all pages of the inbox, and the answer of a call that is refused', async () => {
    const answers = [
      { status: 200, body: { groups: [{ groupId: 'tea', unread: { count: 1 } }], cursor: 'a page' } },
      { status: 200, body: { groups: [], cursor: 'another page' } },
      { status: 200, body: { groups: [{ groupId: 'coffee', unread: { count: 2 } }], cursor: null } },
      { status: 403, body: { code: 'forbidden' } },
    ];
    const paths: unknown[] = [];
    const tidemark = await listenOnLoopback(
      createServer((request, response) => {
        paths.push(request.url);
        const { status, body } = answers.shift() ?? { status: 500, body: {} };
        response.writeHead(status).end(JSON.stringify(body));
      }),
    );
    const its = await listenOnLoopback(createServer(createChat(tidemark.url, 'a token', webhookSecret())));
    const badgesThere = async () => {
      const response = await fetch(`${its.url}/badges`, { headers: { cookie: 'user=bob' } });
      return [response.status, await response.json()];
    };
    try {
      expect(await badgesThere()).toEqual([200, { tea: 1, coffee: 2 }]);
      expect(paths).toEqual([
        '/v1/users/bob/inbox?unreadOnly=true',
        '/v1/users/bob/inbox?unreadOnly=true&cursor=a%20page',
        '/v1/users/bob/inbox?unreadOnly=true&cursor=another%20page',
      ]);
      expect(await badgesThere()).toEqual([403, { code: 'forbidden' }]);
    } finally {
      await Promise.all([its.close(), tidemark.close()]);
    }
  });

  test('keeps the order of ids if many users send at once', async () => {
    const room = freshPrefix();
    for (const user of ['alice', 'bob']) await as('alice', 'PUT', `/rooms/${room}/members/${user}`);
    const sent = await Promise.all(
      ['alice', 'bob', 'alice', 'bob', 'alice', 'bob'].map((user) =>
        as(user, 'POST', `/rooms/${room}/messages`, { text: 'All at once.' }),
      ),
    );
    // If a message were recorded after a larger id, its head would be above it.
    for (const { body } of sent) expect(body.head).toBe(body.messageId);
  });

  test('starts with npm run example', async () => {
    const chat = spawn('npm', ['run', '--silent', 'example'], {
      cwd: PROJECT,
      env: {
        ...process.env,
        PORT: '0',
        TIDEMARK_URL: stack.description.apiUrl,
        TIDEMARK_TOKEN: await stack.serviceToken(),
        TIDEMARK_WEBHOOK_SECRET: webhookSecret(),
      },
      // Its own process group, so that the process behind npm ends with it.
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      const url = await urlOf(chat);
      const response = await fetch(`${url}/badges`, { headers: { cookie: 'user=nobody_yet' } });
      expect([response.status, await response.json()]).toEqual([200, {}]);
    } finally {
      const ended = once(chat, 'close');
      chat.stdout?.resume();
      process.kill(-(chat.pid ?? 0), 'SIGTERM');
      await ended;
    }
  });

  test('works the same while the cache is down, and after it is back and empty', async () => {
    const { pid, url } = stack.description.redis;
    if (pid === null) {
      // The embedded engine is no process: its connections are closed instead.
      const mend = upstash.always(() => true, { kind: 'lose request' });
      await conversation();
      mend();
      await conversation();
      return;
    }
    process.kill(pid, 'SIGKILL');
    await conversation();
    const { port, password } = new URL(url);
    redis = await eventually(() => startRedis({ preferred: 'redis-server', port: Number(port), password }));
    await conversation();
  });
});

async function urlOf(chat: ChildProcess): Promise<string> {
  if (!chat.stdout) throw new Error('the chat prints nowhere');
  for await (const line of createInterface(chat.stdout)) {
    const [url] = /http:\S+/.exec(line) ?? [];
    if (url !== undefined) return url;
  }
  throw new Error('the chat ended before it was ready');
}
