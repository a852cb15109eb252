import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { Webhook } from 'standardwebhooks';
import { type ApiClient, createApiClient } from '../../local/http/api-client.ts';
import { type Listening, listenOnLoopback } from '../../local/http/loopback.ts';
import { eventually, freshPrefix } from '../support/engines.ts';
import { freePort } from '../support/free-port.ts';
import { codeOf } from '../support/page-code.ts';

const directory = mkdtempSync(join(tmpdir(), 'tidemark-own-'));
const dataDirectory = join(directory, 'data');
const started: ChildProcess[] = [];

/** Runs a program, and collects its output. */
function run(args: readonly string[], environment: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, args, {
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(child);
  const printed = { text: '' };
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      printed.text += chunk;
    });
  }
  return printed;
}

interface Posted {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

const posted: Posted[] = [];
const receiver = createServer(async (request, response) => {
  posted.push({ headers: request.headers, body: await text(request) });
  response.writeHead(204).end();
});

async function startIssuer(name: string): Promise<string> {
  const port = await freePort();
  const issuer = run(['docs/minimal-issuer.mjs'], {
    PORT: String(port),
    AUDIENCE: 'my-chat',
    KEY_FILE: join(directory, `${name}.json`),
    CLIENT_SECRET: 'a-long-secret',
  });
  const url = `http://127.0.0.1:${port}`;
  await eventually(() => expect(issuer.text).toBe(`Issuer ready on ${url}\n`));
  return url;
}

async function tokenFrom(issuer: string, session: string): Promise<string> {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { cookie: `theme=dark; session=${session}` },
  });
  expect(response.status).toBe(200);
  const { token } = (await response.json()) as { token: string };
  return token;
}

async function askAsBackEnd(form: Readonly<Record<string, string>>) {
  const response = await fetch(`${issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'client_credentials', ...form }),
  });
  return { status: response.status, body: (await response.json()) as Readonly<Record<string, unknown>> };
}

async function localToken(...args: string[]): Promise<string> {
  const token = spawn(process.execPath, ['local/token.ts', ...args, '--data', dataDirectory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return (await text(token.stdout)).trim();
}

let issuer: string;
let untrusted: string;
let listening: Listening;
let hook: string;
let dev: { readonly text: string };
let api: string;
let client: ApiClient;
beforeAll(async () => {
  listening = await listenOnLoopback(receiver);
  hook = `${listening.url}/hook`;
  [issuer, untrusted] = await Promise.all([startIssuer('trusted'), startIssuer('untrusted')]);
  dev = run([
    'local/dev.ts',
    ...['--port', '0', '--data', dataDirectory],
    ...['--webhook', hook, '--issuer', issuer, '--audience', 'my-chat'],
  ]);
  api = await eventually(() => {
    const [, url] = /^Tidemark ready on (\S+)$/m.exec(dev.text) ?? [];
    if (url === undefined) throw new Error(`the stack is not ready: ${dev.text}`);
    return url;
  });
  client = createApiClient(api, (subject, kind) => localToken(kind === 'service' ? '--service' : subject));
});
afterAll(async () => {
  for (const child of started) {
    child.kill('SIGTERM');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
  await listening.close();
  rmSync(directory, { recursive: true, force: true });
});

const call: ApiClient['call'] = (...request) => client.call(...request);

/** A group in which Bob has sent Alice message 101. */
async function aGroup(): Promise<string> {
  const groupId = freshPrefix();
  const service = await localToken('--service');
  await call(service, 'POST', `/v1/groups/${groupId}/members`, { userIds: ['alice', 'bob'] });
  const message = { messageId: '101', senderId: 'bob' };
  expect((await call(service, 'POST', `/v1/groups/${groupId}/messages`, message)).status).toBe(201);
  return groupId;
}

describe('another issuer', () => {
  test('issues tokens with which users mark messages; those of the local issuer stay valid', async () => {
    expect(dev.text).toContain(`Issuer     ${issuer}, for the audience my-chat; and the local issuer\n`);
    const groupId = await aGroup();
    for (const token of [await tokenFrom(issuer, 'session-of-alice'), await localToken('alice')]) {
      expect(await call(token, 'PUT', `/v1/groups/${groupId}/watermark`, { messageId: '101' })).toMatchObject(
        { status: 200, body: { userId: 'alice', messageId: '101' } },
      );
    }
    const bob = await tokenFrom(issuer, 'session-of-bob');
    expect(await call(bob, 'GET', `/v1/groups/${groupId}/watermark`)).toMatchObject({
      status: 200,
      body: { userId: 'bob' },
    });
  });

  test('issues tokens of users that are not accepted for a back end', async () => {
    const token = await tokenFrom(issuer, 'session-of-alice');
    const answer = await call(token, 'GET', `/v1/groups/${freshPrefix()}/members`);
    expect(answer.status).toBe(403);
  });

  test('issues no token without a session, and publishes no private key', async () => {
    expect((await fetch(`${issuer}/token`, { method: 'POST' })).status).toBe(401);
    const { keys } = (await (await fetch(`${issuer}/jwks.json`)).json()) as { keys: object[] };
    expect(keys.map((key) => Object.keys(key).toSorted())).toEqual([['alg', 'e', 'kid', 'kty', 'n', 'use']]);
  });

  test('issues tokens to a back end with its secret', async () => {
    const answer = await askAsBackEnd({ client_id: 'chat', client_secret: 'a-long-secret' });
    expect(answer).toEqual({
      status: 200,
      body: {
        access_token: expect.any(String),
        token_type: 'Bearer',
        expires_in: 900,
        scope: 'tidemark/service',
      },
    });
    const service = String(answer.body.access_token);
    const members = await call(service, 'GET', `/v1/groups/${await aGroup()}/members`);
    expect(members.status).toBe(200);
    expect((await call(service, 'GET', '/v1/inbox')).status).toBe(403);
  });

  test('issues new tokens to the page’s client, in time and after a 401', async () => {
    const { env } = process;
    const own = {
      TIDEMARK_URL: api,
      TIDEMARK_TOKEN_URL: `${issuer}/token`,
      TIDEMARK_CLIENT_ID: 'chat',
      TIDEMARK_CLIENT_SECRET: 'a-long-secret',
    };
    Object.assign(env, own);
    const page = await codeOf('adopting.md');
    const groupId = await aGroup();
    const sending = jest.spyOn(globalThis, 'fetch');
    const requested = () => sending.mock.calls.splice(0).map(([url]) => String(url).split('/').at(-1));
    try {
      const { must } = await page.load<{ must(method: string, path: string): Promise<unknown> }>(
        'tidemark.mjs',
      );
      const listMembers = () => must('GET', `/v1/groups/${groupId}/members`);
      await Promise.all([listMembers(), listMembers()]);
      expect(requested()).toEqual(['token', 'members', 'members']);
      await listMembers();
      expect(requested()).toEqual(['members']);
      // Nine tenths of its 15 minutes are over.
      const { now } = Date;
      const clock = jest.spyOn(Date, 'now').mockImplementation(() => now() + 811_000);
      await listMembers();
      clock.mockRestore();
      expect(requested()).toEqual(['token', 'members']);
      sending.mockImplementationOnce(async () => new Response('{"message":"Unauthorized"}', { status: 401 }));
      await listMembers();
      expect(requested()).toEqual(['members', 'token', 'members']);
    } finally {
      sending.mockRestore();
      for (const name of Object.keys(own)) delete env[name];
      await page.remove();
    }
  });

  test.each([
    ['another secret', { client_secret: 'another' }, 401, 'invalid_client'],
    ['no secret', {}, 401, 'invalid_client'],
    ['another client', { client_id: 'eve', client_secret: 'a-long-secret' }, 401, 'invalid_client'],
    ['another scope', { client_secret: 'a-long-secret', scope: 'tidemark/user' }, 400, 'invalid_scope'],
    ['another grant', { grant_type: 'password' }, 400, 'unsupported_grant_type'],
  ])('issues no token of a back end for %s', async (_name, form, status, error) => {
    expect(await askAsBackEnd({ client_id: 'chat', ...form })).toEqual({ status, body: { error } });
  });

  test('is the only additional issuer: a token of a third one is refused', async () => {
    const token = await tokenFrom(untrusted, 'session-of-alice');
    expect((await call(token, 'GET', '/v1/inbox')).status).toBe(401);
  });

  test('keeps its key, so that a token stays valid after a restart', async () => {
    const before = await (await fetch(`${issuer}/jwks.json`)).json();
    const port = String(await freePort());
    const again = run(['docs/minimal-issuer.mjs'], { PORT: port, KEY_FILE: join(directory, 'trusted.json') });
    await eventually(() => expect(again.text).toContain('Issuer ready'));
    expect(await (await fetch(`http://127.0.0.1:${port}/jwks.json`)).json()).toEqual(before);
  });
});

test('the receiver of --webhook gets the events, signed with the printed secret', async () => {
  const printed = /^Webhook {4}(\S+), signed with (whsec_[A-Za-z0-9]{44})$/m.exec(dev.text);
  expect(printed?.[1]).toBe(hook);
  const secret = printed?.[2] ?? '';
  const groupId = await aGroup();
  const alice = await localToken('alice');
  await call(alice, 'PUT', `/v1/groups/${groupId}/watermark`, { messageId: '101' });
  const { headers, body } = await eventually(() => {
    const found = posted.find((one) => one.body.includes(groupId) && one.body.includes('"userId":"alice"'));
    if (!found) throw new Error('nothing was posted');
    return found;
  });
  expect(new Webhook(secret).verify(body, headers as Record<string, string>)).toMatchObject({
    'detail-type': 'WatermarkAdvanced',
    detail: { groupId, userId: 'alice', to: '101' },
  });
  expect((await client.call(null, 'GET', '/_local/notifications')).body).toEqual({ notifications: [] });
});

test('the local webhook cannot be set while another receiver is used', async () => {
  const answers = [
    await client.call(null, 'GET', '/_local/webhook'),
    await client.call(null, 'PUT', '/_local/webhook', { status: 503 }),
  ];
  const sentence = `Events are posted to ${hook}, and the local webhook is not used: start without --webhook to use it.`;
  for (const { status, body } of answers) expect([status, body]).toEqual([409, { message: sentence }]);
});

test('the demo runs with another receiver, and does not check it', async () => {
  const demo = spawn(process.execPath, ['local/demo.ts', '--data', dataDirectory], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  started.push(demo);
  const [said, errors] = await Promise.all([text(demo.stdout), text(demo.stderr)]);
  expect(errors).toBe('');
  expect(said).toContain(
    'Events are posted to your receiver; the demo does not check whether it has received ',
  );
  expect(said.trimEnd().split('\n').at(-1)).toBe('Everything was as expected.');
});

test('an issuer that does not run stops the start, in one sentence', async () => {
  const nowhere = `http://127.0.0.1:${await freePort()}`;
  const second = run([
    'local/dev.ts',
    ...['--port', '0', '--data', join(directory, 'second')],
    ...['--issuer', nowhere, '--audience', 'my-chat'],
  ]);
  await eventually(() =>
    expect(second.text).toBe(
      `The issuer ${nowhere} cannot be trusted: ${nowhere}/.well-known/openid-configuration does not answer with JSON.\n`,
    ),
  );
});
