import { createPublicKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { base64url, exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose';
import { freshPrefix } from '../support/engines.ts';
import {
  type Answer,
  type Json,
  pathOf,
  ROUTES,
  type Route,
  type RunningStack,
  startRunningStack,
} from '../support/running-stack.ts';

/** Alice and Bob are members; Mallory is a member of another group alone. */
const groupId = freshPrefix('g');
const othersGroupId = freshPrefix('g');
const nowhere = freshPrefix('g');
const IDS = { groupId, userId: 'bob', messageId: '1' };

const NOW = Math.floor(Date.now() / 1000);
const CLAIMS = {
  iss: 'https://issuer.tidemark.localhost',
  aud: 'tidemark-local',
  sub: 'bob',
  scope: 'tidemark/user tidemark/service',
  iat: NOW - 60,
  exp: NOW + 3600,
};

let stack: RunningStack;
let privateJwk: JWK;
let before: unknown;

beforeAll(async () => {
  stack = await startRunningStack();
  privateJwk = JSON.parse(await readFile(join(stack.dataDirectory, 'issuer.json'), 'utf8')) as JWK;
  const service = await stack.serviceToken();
  await stack.call(service, 'POST', `/v1/groups/${groupId}/members`, { userIds: ['alice', 'bob'] });
  await stack.call(service, 'PUT', `/v1/groups/${othersGroupId}/members/mallory`);
  for (const messageId of ['1', '2', '3']) {
    await stack.call(service, 'POST', `/v1/groups/${groupId}/messages`, { messageId, senderId: 'alice' });
  }
  await stack.call(await stack.userToken('bob'), 'PUT', `/v1/groups/${groupId}/watermark`, {
    messageId: '2',
  });
  before = await look();
  expect(before).toMatchObject([
    { messageId: '3', head: '3', unread: { count: 0, exact: true } },
    { messageId: '2', head: '3', unread: { count: 1, exact: true } },
    { members: [{ userId: 'alice' }, { userId: 'bob' }] },
  ]);
}, 60_000);
afterAll(() => stack?.stop());

afterEach(async () => {
  const was = before;
  // What one request has changed is that one's fault alone.
  before = await look();
  expect(before).toEqual(was);
});

/** What the members and the back end can see of the group. */
async function look(): Promise<Json[]> {
  const path = `/v1/groups/${groupId}`;
  const answers = await Promise.all([
    stack.call(await stack.userToken('alice'), 'GET', `${path}/watermark`),
    stack.call(await stack.userToken('bob'), 'GET', `${path}/watermark`),
    stack.call(await stack.serviceToken(), 'GET', `${path}/members`),
  ]);
  return answers.map(({ body }) => body);
}

function sign(claims: Record<string, unknown>, header: Record<string, unknown> = {}, key: JWK = privateJwk) {
  return importJWK(key, 'RS256').then((signer) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: privateJwk.kid ?? '', ...header })
      .sign(signer),
  );
}

/** A token of these parts, signed by nobody. */
const unsigned = (header: object, claims: object, signature = '') =>
  `${base64url.encode(JSON.stringify(header))}.${base64url.encode(JSON.stringify(claims))}.${signature}`;

async function anotherKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  return exportJWK(privateKey);
}

function publicJwk(): JWK {
  const { kty, n, e, kid, alg, use } = privateJwk;
  return { kty, n, e, kid, alg, use } as JWK;
}

const publicPem = (type: 'spki' | 'pkcs1') =>
  createPublicKey({ key: { kty: 'RSA', n: privateJwk.n ?? '', e: privateJwk.e ?? '' }, format: 'jwk' })
    .export({ type, format: 'pem' })
    .toString();

const signWithSecret = (secret: string) =>
  new SignJWT(CLAIMS)
    .setProtectedHeader({ alg: 'HS256', typ: 'JWT', kid: privateJwk.kid ?? '' })
    .sign(new TextEncoder().encode(secret));

const without = (name: string) =>
  Object.fromEntries(Object.entries(CLAIMS).filter(([claim]) => claim !== name));

const withBearer = async (token: string | Promise<string>) => `Bearer ${await token}`;

async function callRoute(route: Route, authorization: string | null, ids = IDS, query = ''): Promise<Answer> {
  return stack.send({
    method: route.method,
    path: `${pathOf(route, ids)}${query}`,
    headers: {
      ...(authorization !== null && { authorization }),
      ...(route.body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(route.body !== undefined && { body: JSON.stringify(route.body) }),
  });
}

function expectProblem(answer: Answer, status: number, code: string) {
  expect(answer.status).toBe(status);
  expect(answer.contentType).toMatch(/^application\/problem\+json(;|$)/);
  expect(answer.body).toMatchObject({
    type: expect.stringMatching(/./),
    title: expect.stringMatching(/./),
    status,
    code,
    detail: expect.stringMatching(/\w+ \w+/),
    requestId: expect.stringMatching(/./),
  });
  expect(answer.body).not.toHaveProperty('errors');
}

const EVERY_ROUTE = ROUTES.map((route) => [`${route.method} ${route.path}`, route] as const);
const USER_ROUTES = EVERY_ROUTE.filter(([, { scope }]) => scope === 'user');
const SERVICE_ROUTES = EVERY_ROUTE.filter(([, { scope }]) => scope === 'service');

test('a well-made token of both scopes opens every route', async () => {
  const token = await sign(CLAIMS);
  for (const [, route] of EVERY_ROUTE) {
    // Nothing that changes what there is: nobody is removed, and no message.
    if (route.method === 'DELETE') continue;
    expect(await callRoute(route, `Bearer ${token}`)).toMatchObject({ status: 200 });
  }
});

const STRANGERS: readonly (readonly [string, () => string | null | Promise<string>])[] = [
  ['nothing at all', () => null],
  ['an empty header', () => ''],
  ['an empty bearer', () => 'Bearer '],
  ['garbage', () => 'Bearer garbage'],
  ['garbage of three parts', () => 'Bearer a.b.c'],
  ['dots', () => 'Bearer ..'],
  ['another scheme', () => `Basic ${Buffer.from('bob:secret').toString('base64')}`],
  ['a valid token of another scheme', async () => `Basic ${await sign(CLAIMS)}`],
  ['a token cut short', async () => `Bearer ${(await sign(CLAIMS)).slice(0, -10)}`],
  ['a token without its signature', async () => `Bearer ${(await sign(CLAIMS)).replace(/[^.]+$/, '')}`],
  [
    'the signature of another token',
    async () => {
      const signature = (await sign({ ...CLAIMS, sub: 'alice' })).split('.')[2] ?? '';
      return `Bearer ${(await sign(CLAIMS)).replace(/[^.]+$/, signature)}`;
    },
  ],
  ['an expired token', () => withBearer(sign({ ...CLAIMS, iat: NOW - 7200, exp: NOW - 3600 }))],
  ['a token that never expires', () => withBearer(sign(without('exp')))],
  ['a token that is not yet valid', () => withBearer(sign({ ...CLAIMS, nbf: NOW + 3600 }))],
  ['a token issued in the future', () => withBearer(sign({ ...CLAIMS, iat: NOW + 3600, exp: NOW + 7200 }))],
  ['a token of another issuer', () => withBearer(sign({ ...CLAIMS, iss: 'https://issuer.example.com' }))],
  ['a token of almost the issuer', () => withBearer(sign({ ...CLAIMS, iss: `${CLAIMS.iss}/` }))],
  ['a token of no issuer', () => withBearer(sign(without('iss')))],
  ['a token for another audience', () => withBearer(sign({ ...CLAIMS, aud: 'another-service' }))],
  ['a token for other audiences', () => withBearer(sign({ ...CLAIMS, aud: ['one', 'two'] }))],
  ['a token for no audience', () => withBearer(sign(without('aud')))],
  [
    'a token of algorithm none',
    () => withBearer(unsigned({ alg: 'none', typ: 'JWT', kid: privateJwk.kid }, CLAIMS)),
  ],
  [
    'a token of algorithm NONE, without a key id',
    () => withBearer(unsigned({ alg: 'NONE', typ: 'JWT' }, CLAIMS)),
  ],
  [
    'a token of algorithm none with a signature',
    () => withBearer(unsigned({ alg: 'none', typ: 'JWT', kid: privateJwk.kid }, CLAIMS, 'c2lnbmVk')),
  ],
  ['an HMAC made with the public key (SPKI)', () => withBearer(signWithSecret(publicPem('spki')))],
  ['an HMAC made with the public key (PKCS #1)', () => withBearer(signWithSecret(publicPem('pkcs1')))],
  ['an HMAC made with the public JWK', () => withBearer(signWithSecret(JSON.stringify(publicJwk())))],
  ['an HMAC made with the modulus', () => withBearer(signWithSecret(publicJwk().n ?? ''))],
  ['an unknown key id', () => withBearer(sign(CLAIMS, { kid: 'unknown' }))],
  ["another key under the issuer's key id", async () => withBearer(sign(CLAIMS, {}, await anotherKey()))],
  ['another key under its own id', async () => withBearer(sign(CLAIMS, { kid: 'mine' }, await anotherKey()))],
  [
    'a key that comes with the token',
    async () => {
      const key = await anotherKey();
      const { kty, n, e } = key;
      return withBearer(sign(CLAIMS, { kid: 'mine', jwk: { kty, n, e } }, key));
    },
  ],
];

describe.each(STRANGERS)('with %s', (_name, authorization) => {
  test('nobody gets in anywhere', async () => {
    const header = await authorization();
    for (const [, route] of EVERY_ROUTE) {
      expectProblem(await callRoute(route, header), 401, 'unauthorized');
    }
  });
});

describe('a token without the scope', () => {
  const LACKING: readonly (readonly [string, Record<string, unknown>])[] = [
    ['none', without('scope')],
    ['an empty one', { ...CLAIMS, scope: '' }],
    ['a part of it', { ...CLAIMS, scope: 'tidemark' }],
    ['a longer one', { ...CLAIMS, scope: 'tidemark/users tidemark/services' }],
    ['capitals', { ...CLAIMS, scope: 'TIDEMARK/USER TIDEMARK/SERVICE' }],
    ['others', { ...CLAIMS, scope: 'openid profile' }],
    ['one word of all', { ...CLAIMS, scope: 'tidemark/user,tidemark/service' }],
  ];
  test.each(LACKING)('is forbidden everywhere: %s', async (_name, claims) => {
    const token = await sign(claims);
    for (const [, route] of EVERY_ROUTE) {
      expectProblem(await callRoute(route, `Bearer ${token}`), 403, 'forbidden');
    }
  });

  test.each(SERVICE_ROUTES)(
    'of a back end, as one of a user is, is forbidden on %s',
    async (_name, route) => {
      expectProblem(await callRoute(route, `Bearer ${await stack.userToken('bob')}`), 403, 'forbidden');
    },
  );

  test.each(USER_ROUTES)('of a user, as one of a back end is, is forbidden on %s', async (_name, route) => {
    expectProblem(await callRoute(route, `Bearer ${await stack.serviceToken()}`), 403, 'forbidden');
  });
});

describe("another user's data", () => {
  test.each(['?userId=alice', '?sub=alice', '?user=alice'])(
    'is not had by asking for it: %s',
    async (query) => {
      for (const [, route] of USER_ROUTES.filter(([, { method }]) => method === 'GET')) {
        const { body } = await callRoute(route, `Bearer ${await stack.userToken('bob')}`, IDS, query);
        // Whatever is said of the parameter, it is not Alice's.
        expect(body).not.toMatchObject({ userId: 'alice' });
        expect(body).not.toMatchObject({ messageId: '3' });
      }
    },
  );

  test('is not moved by a body that names them', async () => {
    const { status } = await stack.call(
      await stack.userToken('alice'),
      'PUT',
      `/v1/groups/${groupId}/watermark`,
      {
        messageId: '3',
        userId: 'bob',
      },
    );
    expect(status).toBe(400);
  });

  test('is not moved by the route of the back end', async () => {
    const path = `/v1/users/bob/groups/${groupId}/watermark`;
    const answer = await stack.call(await stack.userToken('alice'), 'PUT', path, { messageId: '3' });
    expectProblem(answer, 403, 'forbidden');
  });

  test('is not moved by headers that claim another caller', async () => {
    const answer = await stack.send({
      method: 'GET',
      path: `/v1/groups/${groupId}/watermark`,
      headers: {
        authorization: `Bearer ${await stack.userToken('bob')}`,
        'x-user-id': 'alice',
        'x-amzn-request-context': '{"authorizer":{"jwt":{"claims":{"sub":"alice"}}}}',
      },
    });
    expect(answer).toMatchObject({ status: 200, body: { userId: 'bob', messageId: '2' } });
  });

  test.each([
    ['missing', without('sub')],
    ['empty', { ...CLAIMS, sub: '' }],
    ['with a hash', { ...CLAIMS, sub: 'bob#' }],
    ['with a space behind', { ...CLAIMS, sub: 'bob ' }],
    ['too long', { ...CLAIMS, sub: 'b'.repeat(129) }],
  ])('is not had by a subject that is %s', async (_name, claims) => {
    const token = await sign(claims);
    for (const [, route] of USER_ROUTES) {
      const { status, contentType } = await callRoute(route, `Bearer ${token}`);
      expect([400, 401, 403, 404]).toContain(status);
      expect(contentType).toMatch(/^application\/problem\+json(;|$)/);
    }
  });
});

describe('a group that one is not in', () => {
  /** All that a caller can tell one answer from another by, but the request's own id. */
  function visible({ status, contentType, headerNames, body }: Answer) {
    const { requestId, ...rest } = body as { requestId: string };
    expect(requestId).toMatch(/./);
    return { status, contentType, headerNames, rest };
  }

  test.each(USER_ROUTES)('answers as one that does not exist: %s', async (_name, route) => {
    const authorization = `Bearer ${await stack.userToken('mallory')}`;
    const existing = await callRoute(route, authorization, { ...IDS, groupId });
    const missing = await callRoute(route, authorization, { ...IDS, groupId: nowhere });
    expectProblem(existing, 404, 'not_found');
    expect(visible(existing)).toEqual(visible(missing));
    expect(existing.text).not.toContain(groupId);
  });

  test('answers so for marks on behalf of a user, too', async () => {
    const service = await stack.serviceToken();
    const mark = (group: string, messageId: string) =>
      stack.call(service, 'PUT', `/v1/users/mallory/groups/${group}/watermark`, { messageId });
    const existing = await mark(groupId, '1');
    expectProblem(existing, 404, 'not_found');
    expect(visible(existing)).toEqual(visible(await mark(nowhere, '1')));
    expect(visible(existing)).toEqual(visible(await mark(groupId, '18446744073709551615')));
  });

  test('answers so to one who has left it', async () => {
    const service = await stack.serviceToken();
    const left = freshPrefix('g');
    await stack.call(service, 'PUT', `/v1/groups/${left}/members/mallory`);
    await stack.call(service, 'POST', `/v1/groups/${left}/messages`, { messageId: '1', senderId: 'alice' });
    await stack.call(service, 'DELETE', `/v1/groups/${left}/members/mallory`);
    const authorization = `Bearer ${await stack.userToken('mallory')}`;
    for (const [, route] of USER_ROUTES) {
      const answer = await callRoute(route, authorization, { ...IDS, groupId: left });
      expectProblem(answer, 404, 'not_found');
      expect(visible(answer)).toEqual(
        visible(await callRoute(route, authorization, { ...IDS, groupId: nowhere })),
      );
    }
  });

  test('is not joined by trying', async () => {
    const { body } = await stack.call(await stack.serviceToken(), 'GET', `/v1/groups/${nowhere}/members`);
    expect(body).toMatchObject({ members: [] });
  });
});

describe('health', () => {
  test.each([
    ['no token', null],
    ['garbage', 'Bearer garbage'],
  ])('is told with %s', async (_name, authorization) => {
    const answer = await callRoute({ scope: 'user', method: 'GET', path: '/v1/health' }, authorization);
    expect(answer).toMatchObject({ status: 200, contentType: expect.stringMatching(/^application\/json/) });
    expect(answer.body).toMatchObject({ ledger: expect.anything(), cache: expect.anything() });
  });
});
