import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { Sha256 } from '@smithy/core/checksum';
import { HttpRequest } from '@smithy/core/protocols';
import { SignatureV4 } from '@smithy/signature-v4';
import { credentialsOf } from '../../local/aws/credentials.ts';
import { Secrets } from '../../local/aws/secrets.ts';
import { DataDirectory } from '../../local/data/data-directory.ts';
import { Issuer } from '../../local/identity/issuer.ts';
import { freshPrefix } from '../support/engines.ts';
import { type Answer, withStack } from '../support/running-stack.ts';

const JSON_TYPE = { 'content-type': 'application/json' };

describe('if back ends sign their calls', () => {
  const stack = withStack({ context: { serviceAuth: 'iam' } });
  let host: string;
  let backEnd: { accessKeyId: string; secretAccessKey: string };
  beforeAll(() => {
    host = new URL(stack.description.apiUrl).host;
    backEnd = stack.description.credentials;
  });

  interface Call {
    readonly method: string;
    readonly path: string;
    readonly query?: Record<string, string>;
    readonly body?: string;
  }

  interface Signing {
    readonly credentials?: typeof backEnd;
    readonly service?: string;
    readonly region?: string;
    readonly agoMs?: number;
    readonly leavesOut?: string;
  }

  async function headersFor({ method, path, query = {}, body }: Call, signing: Signing = {}) {
    const { credentials = backEnd, service = 'execute-api', region = 'us-east-1', agoMs = 0 } = signing;
    const signer = new SignatureV4({ credentials, service, region, sha256: Sha256 });
    const request = new HttpRequest({ method, path, query, headers: { host, ...JSON_TYPE }, body });
    const { headers } = await signer.sign(request, {
      signingDate: new Date(Date.now() - agoMs),
      ...(signing.leavesOut !== undefined && { unsignableHeaders: new Set([signing.leavesOut]) }),
    });
    return headers;
  }

  async function signed(call: Call, signing?: Signing): Promise<Answer> {
    const headers = await headersFor(call, signing);
    const query = new URLSearchParams(call.query).toString();
    return stack.send({ ...call, path: query ? `${call.path}?${query}` : call.path, headers });
  }

  const addMembers = (group: string): Call => ({
    method: 'POST',
    path: `/v1/groups/${group}/members`,
    body: '{"userIds":["alice","bob"]}',
  });

  test('the routes of back ends accept a signed call, and those of users a token', async () => {
    const group = freshPrefix();
    expect((await signed(addMembers(group))).body).toEqual({ added: 2, existing: 0 });
    const message = { method: 'POST', path: `/v1/groups/${group}/messages` };
    const recorded = await signed({ ...message, body: '{"messageId":"7","senderId":"bob"}' });
    expect(recorded.status).toBe(201);
    const token = await stack.userToken('alice');
    expect((await stack.call(token, 'GET', `/v1/groups/${group}/watermark`)).body).toMatchObject({
      userId: 'alice',
      unread: { count: 1, mentions: 0, firstId: '7', exact: true },
    });
    const twin = { method: 'GET', path: `/v1/users/alice/groups/${group}/watermark` };
    expect((await signed(twin)).body).toMatchObject({
      userId: 'alice',
      unread: { count: 1, mentions: 0, firstId: '7', exact: true },
    });
  });

  test('a signature covers a query and ids with escapes', async () => {
    const group = `${freshPrefix()}%40a%7Cb`;
    expect((await signed(addMembers(group))).status).toBe(200);
    const list = { method: 'GET', path: `/v1/groups/${group}/members`, query: { limit: '1' } };
    const page = await signed(list);
    expect(page).toMatchObject({ status: 200, body: { members: [{ userId: 'alice' }] } });
    const { cursor } = page.body as { cursor: string };
    expect((await signed({ ...list, query: { limit: '1', cursor } })).body).toMatchObject({
      members: [{ userId: 'bob' }],
    });
  });

  test.each<[string, Signing]>([
    ['with a wrong secret', { credentials: { accessKeyId: '', secretAccessKey: 'guessed' } }],
    ['with an unknown key', { credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'guessed' } }],
    ['six minutes ago', { agoMs: 6 * 60_000 }],
    ['six minutes ahead', { agoMs: -6 * 60_000 }],
    ['for another service', { service: 'events' }],
    ['for another region', { region: 'eu-central-1' }],
    ['without its host', { leavesOut: 'host' }],
  ])('a call signed %s is refused', async (_how, { credentials, ...signing }) => {
    const group = freshPrefix();
    const given = credentials && {
      ...credentials,
      accessKeyId: credentials.accessKeyId || backEnd.accessKeyId,
    };
    const answer = await signed(addMembers(group), { ...signing, ...(given && { credentials: given }) });
    expect(answer).toMatchObject({ status: 403, body: { message: 'Forbidden', code: 'forbidden' } });
    await expectEmpty(group);
  });

  test('the credentials of a function are refused', async () => {
    const secrets = new Secrets(new DataDirectory(stack.dataDirectory).file('secrets.json'));
    const functions = credentialsOf(secrets, 'function:tidemark-local-mark-read');
    const group = freshPrefix();
    expect((await signed(addMembers(group), { credentials: functions })).status).toBe(403);
    await expectEmpty(group);
  });

  test('a signature is valid only for its own call', async () => {
    const group = freshPrefix();
    const call = addMembers(group);
    const headers = await headersFor(call);
    const others = {
      'another body': { ...call, body: '{"userIds":["alice","eve"]}' },
      'no body': { method: call.method, path: call.path },
      'another group': { ...call, path: `/v1/groups/${group}-2/members` },
      'another method': { method: 'GET', path: call.path },
      'another query': { ...call, path: `${call.path}?limit=1` },
      'a broken query': { ...call, path: `${call.path}?limit=%zz` },
    };
    for (const [name, other] of Object.entries(others)) {
      const { status, body } = await stack.send({ ...other, headers });
      expect([name, status, body]).toMatchObject([name, 403, { message: 'Forbidden' }]);
    }
    await expectEmpty(group);
    expect((await stack.send({ ...call, headers })).status).toBe(200);
  });

  test('the routes of back ends refuse tokens of any scope', async () => {
    const issuer = await Issuer.open(stack.dataDirectory);
    const tokens = {
      none: null,
      "a user's": await stack.userToken('alice'),
      'with the scope that back ends have elsewhere': await issuer.issue('the-chat', 'tidemark/service'),
      'with both': await issuer.issue('the-chat', 'tidemark/user tidemark/service'),
    };
    const group = freshPrefix();
    const routes = [
      ['POST', `/v1/groups/${group}/members`, { userIds: ['alice'] }],
      ['GET', '/v1/users/alice/inbox', undefined],
    ] as const;
    for (const [name, token] of Object.entries(tokens)) {
      for (const [method, path, body] of routes) {
        const answer = await stack.call(token, method, path, body && { userIds: [...body.userIds] });
        expect([name, path, answer.status]).toEqual([name, path, 403]);
      }
    }
    await expectEmpty(group);
  });

  test('the routes of users refuse signatures', async () => {
    const answer = await signed({ method: 'GET', path: '/v1/inbox' });
    expect(answer).toMatchObject({ status: 401, body: { code: 'unauthorized' } });
  });

  test('npm run token explains that back ends have no tokens', async () => {
    const run = promisify(execFile)(process.execPath, [
      'local/token.ts',
      '--service',
      '--data',
      stack.dataDirectory,
    ]);
    await expect(run).rejects.toMatchObject({
      code: 1,
      stdout: '',
      stderr:
        'Back ends have no tokens with serviceAuth=iam: they sign their calls for execute-api in us-east-1 with the credentials in dev.json.\n',
    });
  });

  async function expectEmpty(group: string): Promise<void> {
    const { body } = await signed({ method: 'GET', path: `/v1/groups/${group}/members` });
    expect(body).toEqual({ members: [], cursor: null });
  }
});

describe('if users need no scope', () => {
  const stack = withStack({
    context: { userScope: 'none', serviceScope: 'chat:write', jwtAudience: 'web,ios' },
  });
  let issuer: Issuer;
  beforeAll(async () => {
    issuer = await Issuer.open(stack.dataDirectory);
  });

  /** The status of a route of users, of the same route on a user's behalf, and of a route only for back ends. */
  async function statuses(token: string): Promise<number[]> {
    const group = freshPrefix();
    const answers = [
      await stack.call(token, 'GET', '/v1/inbox'),
      await stack.call(token, 'GET', '/v1/users/bob/inbox'),
      await stack.call(token, 'POST', `/v1/groups/${group}/members`, { userIds: ['bob'] }),
    ];
    return answers.map(({ status }) => status);
  }

  test('every token for one of the audiences is a user’s', async () => {
    expect(await statuses(await stack.userToken('alice'))).toEqual([200, 403, 403]);
    for (const audience of ['web', 'ios']) {
      for (const scope of [null, 'openid profile', 'tidemark/user', 'tidemark/service']) {
        const token = await issuer.issue('alice', scope, audience);
        expect([scope, await statuses(token)]).toEqual([scope, [200, 403, 403]]);
      }
    }
  });

  test('a token for another audience is refused', async () => {
    for (const audience of ['tidemark-local', 'web,ios', 'android']) {
      expect(await statuses(await issuer.issue('alice', null, audience))).toEqual([401, 401, 401]);
    }
  });

  test("a back end's token is accepted only on its own routes", async () => {
    expect(await statuses(await stack.serviceToken())).toEqual([403, 200, 200]);
    expect(await statuses(await issuer.issue('alice', 'openid chat:write', 'ios'))).toEqual([403, 200, 200]);
  });
});
