import { type ChildProcess, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { createReceiver } from '../../examples/webhook/receiver.ts';
import { DataDirectory } from '../../local/data/data-directory.ts';
import { listenOnLoopback } from '../../local/http/loopback.ts';
import { eventually, freshPrefix } from '../support/engines.ts';
import { freePort } from '../support/free-port.ts';
import { withStack } from '../support/running-stack.ts';

const MAIN = fileURLToPath(new URL('../../examples/webhook/main.ts', import.meta.url));

let port: number;
beforeAll(async () => {
  port = await freePort();
});
const stack = withStack(() => ({ webhookUrl: `http://127.0.0.1:${port}/tidemark-webhook` }));

let receiver: ChildProcess;
let printed = '';
let secret: string;
beforeAll(async () => {
  secret = new DataDirectory(stack.dataDirectory).webhookSecret();
  receiver = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN], {
    env: { PORT: String(port), TIDEMARK_WEBHOOK_SECRET: `whsec_${secret}` },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  receiver.stdout?.on('data', (chunk) => {
    printed += chunk;
  });
  await eventually(() =>
    expect(printed).toContain(`Receiver ready on http://127.0.0.1:${port}/tidemark-webhook\n`),
  );
});
afterAll(async () => {
  receiver.kill('SIGTERM');
  if (receiver.exitCode === null && receiver.signalCode === null) await once(receiver, 'exit');
});

async function seen(groupId: string): Promise<unknown> {
  const response = await fetch(`http://127.0.0.1:${port}/seen?groupId=${encodeURIComponent(groupId)}`);
  return response.json();
}

interface Post {
  readonly id: string;
  readonly body: string;
  readonly sentAtMs?: number;
  /** Signs another body than the one that is sent. */
  readonly signedBody?: string;
  readonly signedWith?: string;
}

/** The headers by the specification of Standard Webhooks, without its library. */
function signed({ id, body, sentAtMs = Date.now(), signedBody = body, signedWith = secret }: Post) {
  const seconds = Math.floor(sentAtMs / 1000);
  const hmac = createHmac('sha256', Buffer.from(signedWith, 'base64'));
  return {
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': `v1,${hmac.update(`${id}.${seconds}.${signedBody}`).digest('base64')}`,
  };
}

async function post(one: Post, url = `http://127.0.0.1:${port}/tidemark-webhook`): Promise<number> {
  const response = await fetch(url, { method: 'POST', headers: signed(one), body: one.body });
  return response.status;
}

const advanced = (groupId: string, to: string, membership = 1) =>
  JSON.stringify({
    'detail-type': 'WatermarkAdvanced',
    detail: { version: '1', groupId, userId: 'alice', membership, from: null, to },
  });

const fullyRead = (groupId: string, upTo: string) =>
  JSON.stringify({ 'detail-type': 'GroupFullyRead', detail: { version: '1', groupId, upTo } });

const NOTHING = { members: {}, everyone: null };

describe('the example of a webhook receiver', () => {
  test('learns from the events of a real mark how far each member and everyone has read', async () => {
    const groupId = freshPrefix();
    const service = await stack.serviceToken();
    await stack.call(service, 'POST', `/v1/groups/${groupId}/members`, { userIds: ['alice', 'bob'] });
    const message = { messageId: '9007199254740993', senderId: 'bob' };
    await stack.call(service, 'POST', `/v1/groups/${groupId}/messages`, message);
    await eventually(async () =>
      expect(await seen(groupId)).toEqual({ members: { bob: '9007199254740993' }, everyone: null }),
    );
    const alice = await stack.userToken('alice');
    const mark = { messageId: '9007199254740993' };
    expect(await stack.call(alice, 'PUT', `/v1/groups/${groupId}/watermark`, mark)).toMatchObject({
      status: 200,
    });
    await eventually(async () =>
      expect(await seen(groupId)).toEqual({
        members: { alice: '9007199254740993', bob: '9007199254740993' },
        everyone: '9007199254740993',
      }),
    );
  });

  test('refuses another signature, a changed body, an old and a future timestamp, and none of them is stored', async () => {
    const groupId = freshPrefix();
    const body = advanced(groupId, '7');
    const sixMinutes = 6 * 60_000;
    const other = Buffer.from('the secret of somebody else').toString('base64');
    expect(await post({ id: `${groupId}-1`, body, signedWith: other })).toBe(401);
    expect(await post({ id: `${groupId}-2`, body, signedBody: advanced(groupId, '6') })).toBe(401);
    expect(await post({ id: `${groupId}-3`, body, sentAtMs: Date.now() - sixMinutes })).toBe(401);
    expect(await post({ id: `${groupId}-4`, body, sentAtMs: Date.now() + sixMinutes })).toBe(401);
    const url = `http://127.0.0.1:${port}/tidemark-webhook`;
    expect((await fetch(url, { method: 'POST', body })).status).toBe(401);
    expect(await seen(groupId)).toEqual(NOTHING);
    // The same body is taken with its own signature.
    expect(await post({ id: `${groupId}-5`, body })).toBe(204);
    expect(await seen(groupId)).toEqual({ members: { alice: '7' }, everyone: null });
  });

  test('verifies the bytes of the body, and not what they mean', async () => {
    const body = advanced(freshPrefix(), '7');
    const spaced = body.replace('{', '{ ');
    expect(JSON.parse(spaced)).toEqual(JSON.parse(body));
    expect(await post({ id: 'spaced', body: spaced, signedBody: body })).toBe(401);
  });

  test('refuses other methods, bodies that are no JSON, and bodies that are too large', async () => {
    expect((await fetch(`http://127.0.0.1:${port}/tidemark-webhook`)).status).toBe(405);
    expect((await fetch(`http://127.0.0.1:${port}/elsewhere`, { method: 'POST' })).status).toBe(404);
    expect(await post({ id: 'no-json', body: '{' })).toBe(400);
    expect(await post({ id: 'large', body: ' '.repeat(256 * 1024 + 1) })).toBe(413);
  });

  test('stores an event once, however often it is posted', async () => {
    const groupId = freshPrefix();
    const body = advanced(groupId, '8');
    for (const sentAtMs of [Date.now() - 60_000, Date.now()]) {
      expect(await post({ id: `${groupId}-1`, body, sentAtMs })).toBe(204);
    }
    // Lines come in order: after that of a later event, no other line of the first one comes.
    expect(await post({ id: `${groupId}-2`, body: fullyRead(groupId, '8') })).toBe(204);
    const lines = await eventually(() => {
      const found = printed.split('\n').filter((line) => line.includes(groupId));
      expect(found.at(-1)).toMatch(/^GroupFullyRead /);
      return found;
    });
    expect(lines).toHaveLength(2);
  });

  test('takes events in any order: the larger membership counts, then the larger 64-bit id', async () => {
    const groupId = freshPrefix();
    const bodies = [
      advanced(groupId, '18446744073709551615', 1),
      advanced(groupId, '9007199254740993', 2),
      advanced(groupId, '9007199254740992', 2),
      advanced(groupId, '18446744073709551614', 1),
      fullyRead(groupId, '9007199254740993'),
      fullyRead(groupId, '9007199254740992'),
    ];
    for (const [index, body] of bodies.entries()) {
      expect(await post({ id: `${groupId}-${index}`, body })).toBe(204);
    }
    expect(await seen(groupId)).toEqual({
      members: { alice: '9007199254740993' },
      everyone: '9007199254740993',
    });
  });
});

describe('a store', () => {
  test('that fails gets the event again, and one that is slow gets it once', async () => {
    const stored: string[] = [];
    const { promise: isReleased, resolve: release } = Promise.withResolvers<void>();
    let isDown = true;
    const receive = createReceiver({
      secret: `whsec_${secret}`,
      async store({ detail }) {
        if (isDown) throw new Error('the database is down');
        await isReleased;
        stored.push(String(detail.to));
      },
    });
    let received = 0;
    const server = createServer((request, response) => {
      receive(request, response);
      request.once('end', () => {
        received += 1;
      });
    });
    const { url, close } = await listenOnLoopback(server);
    const logged = jest.spyOn(console, 'error').mockImplementation(() => undefined);
    try {
      const event = { id: 'slow', body: advanced('g', '9') };
      expect(await post(event, url)).toBe(500);
      expect(logged).toHaveBeenCalledTimes(1);
      isDown = false;
      const both = [post(event, url), post(event, url)];
      await eventually(() => expect(received).toBe(3));
      release();
      expect(await Promise.all(both)).toEqual([204, 204]);
      expect(stored).toEqual(['9']);
    } finally {
      logged.mockRestore();
      await close();
    }
  });
});
