import { createPublicKey } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { base64url, exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose';
import { freshPrefix } from '../support/engines.ts';
import { aProblem, PROBLEM_TYPE } from '../support/expected-answers.ts';
import { withPreparedGroup } from '../support/prepared-group.ts';
import { bodyOf, nameOf, pathOf, ROUTES, type Route } from '../support/prepared-group-routes.ts';
import type { Answer, Json, RunningStack } from '../support/running-stack.ts';

const prepared = withPreparedGroup();
const { groupId } = prepared;
/** Mallory is a member of only this group. */
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

let privateJwk: JWK;
beforeAll(async () => {
  privateJwk = JSON.parse(await readFile(join(prepared.stack.dataDirectory, 'issuer.json'), 'utf8')) as JWK;
  await asService('PUT', `/v1/groups/${othersGroupId}/members/mallory`);
  await asService('POST', `/v1/groups/${othersGroupId}/messages`, { messageId: '1', senderId: 'mallory' });
});

const asService: RunningStack['asService'] = (...call) => prepared.stack.asService(...call);
const asUser: RunningStack['asUser'] = (...call) => prepared.stack.asUser(...call);

function sign(claims: Record<string, unknown>, header: Record<string, unknown> = {}, key: JWK = privateJwk) {
  return importJWK(key, 'RS256').then((signer) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', typ: 'JWT', kid: privateJwk.kid ?? '', ...header })
      .sign(signer),
  );
}

/** A token of these parts, without a signature. */
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
  const body = bodyOf(route, ids);
  return prepared.stack.send({
    method: route.method,
    path: `${pathOf(route, ids)}${query}`,
    headers: {
      ...(authorization !== null && { authorization }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body }),
  });
}

const callRouteAs = async (userId: string, route: Route, ids = IDS, query = '') =>
  callRoute(route, `Bearer ${await prepared.stack.userToken(userId)}`, ids, query);

function expectProblem(answer: Answer, status: number, code: string) {
  expect(answer.status).toBe(status);
  expect(answer.contentType).toMatch(PROBLEM_TYPE);
  expect(answer.body).toMatchObject(aProblem(status, code));
  expect(answer.body).not.toHaveProperty('errors');
}

const EVERY_ROUTE = ROUTES.map((route) => [nameOf(route), route] as const);
const USER_ROUTES = EVERY_ROUTE.filter(([, { scope }]) => scope === 'user');
/** The routes of one group. */
const GROUP_ROUTES = USER_ROUTES.filter(([, { path }]) => path.includes('{groupId}'));
const SERVICE_ROUTES = EVERY_ROUTE.filter(([, { scope }]) => scope === 'service');

test('a valid token with both scopes is accepted by every route', async () => {
  const token = await sign(CLAIMS);
  for (const [, route] of EVERY_ROUTE) {
    // Without the routes that remove a member or a message.
    if (route.method === 'DELETE') continue;
    expect(await callRoute(route, `Bearer ${token}`)).toMatchObject({ status: 200 });
  }
});

test.each(['scope', 'scp'])('a list of scopes in the claim %s is accepted', async (name) => {
  const token = await sign({ ...without('scope'), [name]: ['tidemark/user', 'tidemark/service'] });
  for (const [, route] of EVERY_ROUTE.filter(([, { method }]) => method === 'GET')) {
    expect(await callRoute(route, `Bearer ${token}`)).toMatchObject({ status: 200 });
  }
});

const INVALID_CREDENTIALS: readonly (readonly [string, () => string | null | Promise<string>])[] = [
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

describe.each(INVALID_CREDENTIALS)('with %s', (_name, authorization) => {
  test('every route answers 401', async () => {
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
    ['nested lists', { ...CLAIMS, scope: [['tidemark/user'], ['tidemark/service']] }],
    ['a nested list as scp', { ...without('scope'), scp: [['tidemark/user'], ['tidemark/service']] }],
    ['a list that is not of texts alone', { ...CLAIMS, scope: ['tidemark/user', 'tidemark/service', 1] }],
    ['an object', { ...CLAIMS, scope: { 'tidemark/user': true, 'tidemark/service': true } }],
    ['texts that are almost a list', { ...CLAIMS, scope: '["tidemark/user","tidemark/service"]' }],
  ];
  test.each(LACKING)('is forbidden on every route: %s', async (_name, claims) => {
    const token = await sign(claims);
    for (const [, route] of EVERY_ROUTE) {
      expectProblem(await callRoute(route, `Bearer ${token}`), 403, 'forbidden');
    }
  });

  test.each(SERVICE_ROUTES)(
    'of a back end, as one of a user is, is forbidden on %s',
    async (_name, route) => {
      expectProblem(await callRouteAs('bob', route), 403, 'forbidden');
    },
  );

  test.each(USER_ROUTES)('is forbidden on %s, also if it is that of a back end', async (_name, route) => {
    expectProblem(await callRoute(route, `Bearer ${await prepared.stack.serviceToken()}`), 403, 'forbidden');
  });
});

test('a back end that calls a route of users learns of its own route', async () => {
  const { stack, groupId } = prepared;
  const token = await stack.serviceToken();
  const detailOf = async (method: string, path: string) =>
    ((await stack.call(token, method, path)).body as { detail: string }).detail;
  expect(await detailOf('GET', `/v1/groups/${groupId}/watermark`)).toBe(
    `The token lacks the scope tidemark/user. A back end calls /v1/users/{userId}/groups/${groupId}/watermark.`,
  );
  expect(await detailOf('GET', '/v1/inbox')).toBe(
    'The token lacks the scope tidemark/user. A back end calls /v1/users/{userId}/inbox.',
  );
  // A user has no other route for what only back ends may do.
  const { body } = await stack.asUser('bob', 'GET', `/v1/groups/${groupId}/members`);
  expect(body).toMatchObject({ detail: 'The token lacks the scope tidemark/service.' });
});

describe("another user's data", () => {
  test.each(['?userId=alice', '?sub=alice', '?user=alice'])(
    'is not had by asking for it: %s',
    async (query) => {
      for (const [, route] of USER_ROUTES.filter(([, { method }]) => method === 'GET')) {
        const own = await callRouteAs('bob', route);
        const { status, body } = await callRouteAs('bob', route, IDS, query);
        // The parameter may be refused or ignored, but it gives no access.
        if (status !== 400) expect(body).toEqual(own.body);
      }
    },
  );

  test.each(USER_ROUTES.filter(([, { body }]) => body !== undefined))(
    'is not moved by a body that names them: %s',
    async (_name, route) => {
      const body = { ...(JSON.parse(bodyOf(route, IDS) ?? '') as { [name: string]: Json }), userId: 'bob' };
      const answer = await asUser('alice', route.method, pathOf(route, IDS), body);
      expect(answer).toMatchObject({ status: 400, body: { errors: [{ path: 'userId' }] } });
    },
  );

  test('is not moved by a batch of marks with a user id', async () => {
    const marks = [{ groupId, messageId: '3', userId: 'bob' }];
    const answer = await asUser('alice', 'POST', '/v1/watermarks', { marks });
    expect(answer).toMatchObject({ status: 400, body: { errors: [{ path: 'marks.0.userId' }] } });
  });

  test.each([{}, { private: true }, { ifRevision: 1 }])(
    'is not moved by the route of the back end: %j',
    async (optional) => {
      const body = { messageId: '3', ...optional };
      const answer = await asUser('alice', 'PUT', `/v1/users/bob/groups/${groupId}/watermark`, body);
      expectProblem(answer, 403, 'forbidden');
    },
  );

  test('is not shown by the cursor of their inbox', async () => {
    const { body } = await asUser('bob', 'GET', '/v1/inbox?limit=1');
    const { cursor } = body as { cursor: Json };
    expect(cursor).toEqual(expect.any(String));
    for (const userId of ['alice', 'carol', 'mallory', 'bo', 'bobby']) {
      const answer = await asUser(userId, 'GET', `/v1/inbox?cursor=${cursor}`);
      expect(answer).toMatchObject({ status: 400, body: { errors: [{ path: 'cursor' }] } });
    }
  });

  test('does not show a private read or marking unread', async () => {
    // Erin has read up to 3, publicly up to 1. Bob has marked unread down to 1.
    for (const userId of ['alice', 'dave']) {
      const { body } = await asUser(userId, 'GET', `/v1/groups/${groupId}/messages/2/receipts`);
      expect(body).toMatchObject({ readCount: 1, deliveredCount: 1, members: [{ userId: 'bob' }] });
    }
    const { body } = await asService('GET', `/v1/groups/${groupId}/members`);
    expect(body).toMatchObject({
      members: expect.arrayContaining([expect.objectContaining({ userId: 'erin', messageId: '1' })]),
    });
  });

  test('is not moved by headers that claim another caller', async () => {
    const answer = await prepared.stack.send({
      method: 'GET',
      path: `/v1/groups/${groupId}/watermark`,
      headers: {
        authorization: `Bearer ${await prepared.stack.userToken('bob')}`,
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
    ['with a letter that looks like another', { ...CLAIMS, sub: 'b\u043eb' }],
    ['with a zero byte', { ...CLAIMS, sub: 'bob\u0000' }],
    ['too long', { ...CLAIMS, sub: 'b'.repeat(129) }],
    ['null', { ...CLAIMS, sub: null }],
    ['true', { ...CLAIMS, sub: true }],
    ['a number', { ...CLAIMS, sub: 42 }],
    ['a list of one', { ...CLAIMS, sub: ['bob'] }],
    ['an object', { ...CLAIMS, sub: { sub: 'bob' } }],
  ])('is not shown to a token whose subject is %s', async (_name, claims) => {
    const token = await sign(claims);
    for (const [, route] of USER_ROUTES) {
      expectProblem(await callRoute(route, `Bearer ${token}`), 403, 'forbidden');
    }
  });

  test('is not shown to a user whose id is the text of another claim', async () => {
    for (const [name, claim] of Object.entries({ null: null, true: true, 42: 42 })) {
      const path = `/v1/groups/${freshPrefix('g')}`;
      expect(await asService('PUT', `${path}/members/${name}`)).toMatchObject({ status: 201 });
      expect(await asUser(name, 'GET', `${path}/watermark`)).toMatchObject({
        status: 200,
        body: { userId: name },
      });
      const authorization = await withBearer(sign({ ...CLAIMS, sub: claim }));
      const answer = await prepared.stack.send({
        method: 'GET',
        path: `${path}/watermark`,
        headers: { authorization },
      });
      expectProblem(answer, 403, 'forbidden');
    }
  });
});

/** Everything that a caller can distinguish answers by, without the ids of the request and of the group. */
function visible({ status, contentType, headerNames, text }: Answer, id: string) {
  const shown = text.replace(/"requestId":"[^"]+"/, '').replaceAll(id, 'the group');
  return { status, contentType, headerNames, shown };
}

describe('a group of which the caller is not a member', () => {
  const LARGEST = '18446744073709551615';
  /** Bodies and queries that could show something of a group, by route. */
  const CALLS: readonly (readonly [method: string, path: string, body: Json | undefined])[] = [
    ['PUT', '/watermark', { messageId: LARGEST }],
    ['PUT', '/watermark', { messageId: '2', private: true }],
    ['PUT', '/watermark', { messageId: '2', private: false }],
    ['PUT', '/watermark', { messageId: '2', ifRevision: 0 }],
    ['PUT', '/watermark', { messageId: '2', ifRevision: 7 }],
    ['PUT', '/watermark', { messageId: LARGEST, private: true, ifRevision: 1 }],
    ['POST', '/unread', { messageId: '1' }],
    ['POST', '/unread', { messageId: LARGEST }],
    ['PUT', '/delivered', { messageId: '4' }],
    ['PUT', '/delivered', { messageId: LARGEST }],
    ['POST', '/messages/status', { messageIds: ['1', '3', '4', LARGEST] }],
    ['POST', '/receipts', { messageIds: ['1', '3', '4', LARGEST] }],
    ['POST', '/receipts', { messageIds: ['4'] }],
    ['GET', '/messages/3/receipts', undefined],
    ['GET', '/messages/4/receipts', undefined],
    ['GET', `/messages/${LARGEST}/receipts`, undefined],
    ['GET', '/messages/1/receipts?state=read&limit=1', undefined],
    ['GET', '/messages/3/receipts?state=unread', undefined],
    ['GET', '/messages/1/receipts?state=delivered', undefined],
  ];

  describe.each([
    ['never was in it', 'mallory'],
    ['is in no group', 'carol'],
    ['has left it', 'frank'],
  ])('for a user who %s', (_name, userId) => {
    test.each(GROUP_ROUTES)(
      'gets the same answer as a group that does not exist: %s',
      async (_route, route) => {
        const existing = await callRouteAs(userId, route);
        const missing = await callRouteAs(userId, route, { ...IDS, groupId: nowhere });
        expectProblem(existing, 404, 'not_found');
        expect(visible(existing, groupId)).toEqual(visible(missing, nowhere));
        expect(existing.text).not.toContain(groupId);
      },
    );

    test.each(CALLS)(
      'gets the same answer for every body and query: %s %s %j',
      async (method, path, body) => {
        const existing = await asUser(userId, method, `/v1/groups/${groupId}${path}`, body);
        const missing = await asUser(userId, method, `/v1/groups/${nowhere}${path}`, body);
        expectProblem(existing, 404, 'not_found');
        expect(visible(existing, groupId)).toEqual(visible(missing, nowhere));
        expect(existing.text).not.toContain(groupId);
      },
    );

    test('gets the same answer for marks on behalf of a user', async () => {
      const mark = (group: string, body: Json) =>
        asService('PUT', `/v1/users/${userId}/groups/${group}/watermark`, body);
      const missing = visible(await mark(nowhere, { messageId: '1' }), nowhere);
      for (const [, , body = null] of CALLS.filter(([, path]) => path === '/watermark')) {
        const existing = await mark(groupId, body);
        expectProblem(existing, 404, 'not_found');
        expect(visible(existing, groupId)).toEqual(missing);
      }
    });

    test.each([{}, { private: true }, { private: false }])(
      'is not found in a batch either: %j',
      async (optional) => {
        const mark = (group: string, messageId: string) =>
          asUser(userId, 'POST', '/v1/watermarks', { marks: [{ groupId: group, messageId, ...optional }] });
        const missing = visible(await mark(nowhere, '1'), nowhere);
        for (const messageId of ['1', '3', '4', LARGEST]) {
          const existing = await mark(groupId, messageId);
          expect(existing).toMatchObject({ status: 200 });
          expect(existing.body).toEqual({ results: [{ groupId, outcome: 'not_found' }] });
          expect(visible(existing, groupId)).toEqual(missing);
        }
      },
    );

    test('is not shown in the inbox, whatever the cursor', async () => {
      const before = Buffer.from(`inbox ${userId} false false  ${groupId.slice(0, -1)}`).toString(
        'base64url',
      );
      for (const query of ['', '?unreadOnly=true', '?limit=1', `?cursor=${before}`]) {
        const { status, text } = await asUser(userId, 'GET', `/v1/inbox${query}`);
        expect(status).toBe(200);
        expect(text).not.toContain(groupId);
      }
    });
  });

  test('does not prevent a batch from marking the caller’s own groups', async () => {
    const marks = [groupId, othersGroupId, nowhere].map((id) => ({ groupId: id, messageId: '1' }));
    const { body } = await asUser('mallory', 'POST', '/v1/watermarks', { marks });
    expect(body).toEqual({
      results: [
        { groupId, outcome: 'not_found' },
        { groupId: othersGroupId, outcome: 'unchanged', messageId: '1', revision: 0, clamped: false },
        { groupId: nowhere, outcome: 'not_found' },
      ],
    });
  });

  test('is not joined by a refused call', async () => {
    const { body } = await asService('GET', `/v1/groups/${nowhere}/members`);
    expect(body).toMatchObject({ members: [] });
  });
});

describe('an inbox', () => {
  test.each(['carol', 'frank'])('of %s, who has no groups, is empty', async (userId) => {
    const { status, text } = await asUser(userId, 'GET', '/v1/inbox');
    expect({ status, text }).toEqual({ status: 200, text: '{"groups":[],"cursor":null}' });
  });

  test("shows only the caller's own groups", async () => {
    const { body } = await asUser('mallory', 'GET', '/v1/inbox');
    expect(body).toEqual({
      groups: [
        {
          groupId: othersGroupId,
          messageId: '1',
          head: '1',
          revision: 0,
          unread: { count: 0, mentions: 0, firstId: null, exact: true },
          parentId: null,
          notify: 'all',
          mutedUntil: null,
          archive: 'no',
          archived: false,
          preferencesRevision: 0,
        },
      ],
      cursor: null,
    });
  });

  test.each(['alic', 'alice1', 'ALICE', 'bo', 'b', 'USER', 'GROUP'])(
    'of %s, whose name is almost that of another, is empty',
    async (userId) => {
      const { body } = await asUser(userId, 'GET', '/v1/inbox');
      expect(body).toEqual({ groups: [], cursor: null });
    },
  );
});

describe('a badge and marking all groups', () => {
  test.each(['carol', 'frank'])('of %s, who has no groups, find nothing', async (userId) => {
    const { body } = await asUser(userId, 'GET', '/v1/badge');
    expect(body).toEqual({ groups: 0, messages: 0, mentions: 0, exact: true });
    const marked = await asUser(userId, 'POST', '/v1/watermarks/all');
    expect(marked.body).toEqual({ results: [], cursor: null });
  });

  test("are of the caller's own groups alone", async () => {
    const { body } = await asUser('bob', 'GET', '/v1/badge');
    expect(body).toEqual({ groups: 1, messages: 1, mentions: 0, exact: true });
    const marked = await asUser('mallory', 'POST', '/v1/watermarks/all');
    expect(marked.body).toEqual({
      results: [
        { groupId: othersGroupId, outcome: 'unchanged', messageId: '1', revision: 0, clamped: false },
      ],
      cursor: null,
    });
  });

  test('are not shown to a user who names others', async () => {
    const answer = await asUser('mallory', 'POST', '/v1/badges', { userIds: ['bob'] });
    expectProblem(answer, 403, 'forbidden');
  });
});

describe('a message of the caller’s group', () => {
  test.each(['4', '18446744073709551615'])('is not found if it was never sent: %s', async (messageId) => {
    for (const state of ['read', 'unread', 'delivered']) {
      const path = `/v1/groups/${groupId}/messages/${messageId}/receipts?state=${state}`;
      expectProblem(await asUser('bob', 'GET', path), 404, 'not_found');
    }
  });

  test('is not found if it was deleted, also by its sender', async () => {
    const group = `/v1/groups/${freshPrefix('g')}`;
    await asService('POST', `${group}/members`, { userIds: ['heidi', 'ivan'] });
    await asService('POST', `${group}/messages`, { messageId: '1', senderId: 'heidi' });
    expect(await asUser('ivan', 'GET', `${group}/messages/1/receipts`)).toMatchObject({ status: 200 });
    await asService('DELETE', `${group}/messages/1`);
    for (const userId of ['heidi', 'ivan']) {
      expectProblem(await asUser(userId, 'GET', `${group}/messages/1/receipts`), 404, 'not_found');
      const { body } = await asUser(userId, 'POST', `${group}/receipts`, { messageIds: ['1'] });
      expect(body).toMatchObject({ receipts: [{ messageId: '1', known: false }] });
    }
  });
});

describe('health', () => {
  test.each([
    ['no token', null],
    ['garbage', 'Bearer garbage'],
  ])('is readable with %s', async (_name, authorization) => {
    const answer = await callRoute({ scope: 'user', method: 'GET', path: '/v1/health' }, authorization);
    expect(answer).toMatchObject({ status: 200, contentType: expect.stringMatching(/^application\/json/) });
    expect(answer.body).toMatchObject({ ledger: expect.anything(), cache: expect.anything() });
  });
});
