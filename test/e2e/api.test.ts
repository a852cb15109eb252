import { createHmac, createPublicKey, type JsonWebKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { generateKeyPair, importJWK, type JWK, SignJWT } from 'jose';
import { type Api, type ApiCall, openApi } from '../support/api.ts';
import { eventually, freshPrefix } from '../support/engines.ts';

let api: Api;
let alice: string;
beforeAll(async () => {
  api = await openApi();
  alice = await api.user('alice');
}, 60_000);
afterAll(() => api.close());

const asService = (method: string, path: string, body?: unknown) =>
  api.call({ token: api.service, method, path, body });
const asAlice = (method: string, path: string, body?: unknown) =>
  api.call({ token: alice, method, path, body });

/** A group with Alice and Bob, and messages from Bob. */
async function aGroup(...messageIds: string[]): Promise<string> {
  const group = `/v1/groups/${freshPrefix()}`;
  await asService('POST', `${group}/members`, { userIds: ['alice', 'bob'] });
  for (const messageId of messageIds)
    await asService('POST', `${group}/messages`, { messageId, senderId: 'bob' });
  return group;
}

const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);

describe('the routes, to the letter', () => {
  test('members: join, list in pages, leave', async () => {
    const group = `/v1/groups/${freshPrefix()}`;
    const groupId = group.slice('/v1/groups/'.length);
    expect(await asService('PUT', `${group}/members/a`)).toMatchObject({
      status: 201,
      body: { groupId, userId: 'a', joinedAfter: null },
    });
    expect(await asService('PUT', `${group}/members/a`)).toMatchObject({ status: 200 });
    await asService('POST', `${group}/messages`, { messageId: '7', senderId: 'a' });
    const several = await asService('POST', `${group}/members`, { userIds: ['a', 'b', 'c', 'c'] });
    expect([several.status, several.body]).toEqual([200, { added: 2, existing: 1 }]);

    const first = await asService('GET', `${group}/members?limit=2`);
    expect(first.body).toEqual({
      members: [
        { userId: 'a', messageId: '7', joinedAfter: null },
        { userId: 'b', messageId: '7', joinedAfter: '7' },
      ],
      cursor: expect.any(String),
    });
    const second = await asService('GET', `${group}/members?limit=2&cursor=${first.body.cursor}`);
    expect(second.body).toEqual({
      members: [{ userId: 'c', messageId: '7', joinedAfter: '7' }],
      cursor: null,
    });

    expect(await asService('DELETE', `${group}/members/b`)).toMatchObject({ status: 204, text: '' });
    expect(await asService('DELETE', `${group}/members/b`)).toMatchObject({ status: 204 });
    const left = await asService('GET', `${group}/members`);
    expect((left.body.members as { userId: string }[]).map(({ userId }) => userId)).toEqual(['a', 'c']);
  });

  test('messages: record, record again, delete', async () => {
    const group = await aGroup('5');
    const groupId = group.slice('/v1/groups/'.length);
    const message = { messageId: 3, senderId: 'bob', sentAt: '2026-01-31T12:00:00Z' };
    const recorded = await asService('POST', `${group}/messages`, message);
    expect([recorded.status, recorded.body]).toEqual([201, { groupId, messageId: '3', head: '5' }]);
    expect((await asService('POST', `${group}/messages`, message)).status).toBe(200);
    expect((await asService('DELETE', `${group}/messages/5`)).status).toBe(204);
    expect((await asAlice('GET', `${group}/watermark`)).body).toMatchObject({
      head: '5',
      unread: { count: 1, exact: true },
    });
  });

  test('watermark: read, mark, mark again, status, on behalf', async () => {
    const group = await aGroup('100', '101');
    const groupId = group.slice('/v1/groups/'.length);
    const before = await asAlice('GET', `${group}/watermark`);
    expect([before.status, before.body]).toEqual([
      200,
      {
        groupId,
        userId: 'alice',
        messageId: null,
        readAt: null,
        revision: 0,
        head: '101',
        unread: { count: 2, exact: true },
      },
    ]);
    const marked = await asAlice('PUT', `${group}/watermark`, { messageId: '100' });
    expect([marked.status, marked.body]).toEqual([
      200,
      {
        groupId,
        userId: 'alice',
        messageId: '100',
        readAt: TIME,
        revision: 0,
        advanced: true,
        clamped: false,
        unread: { count: 1, exact: true },
      },
    ]);
    const again = await asAlice('PUT', `${group}/watermark`, { messageId: '99' });
    expect(again.body).toEqual({ ...marked.body, advanced: false });
    const status = await asAlice('POST', `${group}/messages/status`, { messageIds: ['101', 100, '101'] });
    expect([status.status, status.body]).toEqual([
      200,
      {
        groupId,
        watermark: '100',
        statuses: [
          { messageId: '101', read: false },
          { messageId: '100', read: true },
          { messageId: '101', read: false },
        ],
      },
    ]);
    const behalf = await asService('PUT', `/v1/users/alice${group.slice(3)}/watermark`, { messageId: '101' });
    expect(behalf.body).toMatchObject({ userId: 'alice', messageId: '101', advanced: true });
  });

  test('a mark beyond the head is clamped, and what is recorded later is unread', async () => {
    const group = await aGroup('101');
    expect(
      (await asAlice('PUT', `${group}/watermark`, { messageId: '18446744073709551615' })).body,
    ).toMatchObject({
      messageId: '101',
      clamped: true,
    });
    await asService('POST', `${group}/messages`, { messageId: '102', senderId: 'bob' });
    expect((await asAlice('POST', `${group}/messages/status`, { messageIds: ['102'] })).body).toMatchObject({
      statuses: [{ messageId: '102', read: false }],
    });
  });

  test.each([
    ['9007199254740992', '9007199254740993'],
    ['18446744073709551614', '18446744073709551615'],
  ])('%s and %s stay apart through every layer', async (lower, higher) => {
    const group = await aGroup(lower, higher);
    const groupId = group.slice('/v1/groups/'.length);
    await asAlice('PUT', `${group}/watermark`, { messageId: lower });
    expect((await asAlice('GET', `${group}/watermark`)).body).toMatchObject({
      messageId: lower,
      head: higher,
      unread: { count: 1, exact: true },
    });
    const told = () =>
      api.stack.bus.events
        .map(({ detail }) => detail as Record<string, unknown>)
        .filter((detail) => detail.groupId === groupId && detail.userId === 'alice')
        .map(({ from, to }) => [from, to]);
    await eventually(() => expect(told()).toEqual([[null, lower]]));
    expect((await asAlice('PUT', `${group}/watermark`, { messageId: higher })).body).toMatchObject({
      messageId: higher,
      advanced: true,
    });
    await eventually(() =>
      expect(told()).toEqual([
        [null, lower],
        [lower, higher],
      ]),
    );
  });

  test('health needs no token', async () => {
    const health = await api.call({ method: 'GET', path: '/v1/health' });
    expect([health.status, health.body]).toEqual([200, { status: 'ok', ledger: 'ok', cache: 'ok' }]);
  });
});

describe('facts on the bus', () => {
  const put = (...facts: [string, object][]) =>
    asService('POST', '/_local/events', {
      entries: facts.map(([detailType, detail]) => ({ source: 'chat', detailType, detail })),
    });

  test('do what their routes do, more than once and in any order', async () => {
    const groupId = freshPrefix();
    const group = `/v1/groups/${groupId}`;
    await put(['MemberJoined', { groupId, userId: 'alice', joinedAt: '2026-01-01T00:00:00.000Z' }]);
    await eventually(async () => expect((await asAlice('GET', `${group}/watermark`)).status).toBe(200));
    await put(
      ['MemberLeft', { groupId, userId: 'bob', leftAt: '2026-01-01T00:00:00.500Z' }],
      ['MemberJoined', { groupId, userId: 'bob', joinedAt: '2026-01-01T00:00:00.400Z' }],
      ['MessageDeleted', { groupId, messageId: '11' }],
      ['MessageSent', { groupId, messageId: '11', senderId: 'carol' }],
      ['MessageSent', { groupId, messageId: '12', senderId: 'carol', text: 'not for us' }],
      ['MessageSent', { groupId, messageId: '10', senderId: 'carol' }],
      ['MessageSent', { groupId, messageId: '12', senderId: 'carol' }],
    );
    await eventually(async () =>
      expect((await asAlice('GET', `${group}/watermark`)).body).toMatchObject({
        head: '12',
        unread: { count: 2, exact: true },
      }),
    );
    const { body } = await asService('GET', `${group}/members`);
    expect((body.members as { userId: string }[]).map(({ userId }) => userId)).toEqual(['alice']);
  });

  test('that are malformed are parked, and hold up nothing', async () => {
    const groupId = freshPrefix();
    await put(
      ['MessageSent', { groupId, messageId: '0', senderId: 'carol' }],
      ['MemberJoined', { groupId, userId: 'alice' }],
    );
    await eventually(async () =>
      expect((await asAlice('GET', `/v1/groups/${groupId}/watermark`)).status).toBe(200),
    );
    await eventually(
      async () =>
        expect((await asService('GET', '/_local/dead-letters')).text).toContain(`"groupId":"${groupId}"`),
      { deadlineMs: 20_000 },
    );
  }, 30_000);
});

const BAD_IDS: [string, string][] = [
  ['zero', '"0"'],
  ['zero as a number', '0'],
  ['negative', '"-1"'],
  ['negative as a number', '-1'],
  ['a plus sign', '"+1"'],
  ['fractional', '1.5'],
  ['fractional as text', '"1.5"'],
  ['a whole fraction', '100.0'],
  ['an exponent', '1e2'],
  ['an exponent as text', '"1e2"'],
  ['hexadecimal', '"0x10"'],
  ['2^64', '"18446744073709551616"'],
  ['21 digits', '"100000000000000000000"'],
  ['leading zeros', '"007"'],
  ['a blank before', '" 1"'],
  ['a blank after', '"1 "'],
  ['nothing', '""'],
  ['unicode digits', '"١٢"'],
  ['null', 'null'],
  ['a list', '["1"]'],
  ['an object', '{}'],
  ['true', 'true'],
  ['a number above 2^53-1', '9007199254740993'],
];

describe('bad input', () => {
  let group: string;
  let before: string[];
  const state = async () => {
    const looks = [asAlice('GET', `${group}/watermark`), asService('GET', `${group}/members`)];
    return (await Promise.all(looks)).map(({ text }) => text);
  };
  beforeAll(async () => {
    group = await aGroup('1', '2', '3');
    await asAlice('PUT', `${group}/watermark`, { messageId: '1' });
    before = await state();
  });

  async function expectRefused(call: ApiCall, path?: string): Promise<void> {
    const { status, headers, body } = await api.call(call);
    expect({ status, type: headers['content-type'], code: body.code }).toEqual({
      status: 400,
      type: 'application/problem+json',
      code: 'invalid_request',
    });
    expect(body).toMatchObject({ type: expect.any(String), title: expect.any(String), status: 400 });
    expect(body).toMatchObject({
      detail: expect.stringMatching(/.{10}/),
      requestId: expect.stringMatching(/.{8}/),
    });
    const errors = body.errors as { path: string; message: string }[];
    expect(errors.length).toBeGreaterThan(0);
    if (path !== undefined) expect(errors.map((error) => error.path)).toContain(path);
    expect(await state()).toEqual(before);
  }

  test.each(BAD_IDS)('a message id that is %s', async (_name, json) => {
    const put = { token: alice, method: 'PUT', path: `${group}/watermark`, body: `{"messageId":${json}}` };
    await expectRefused(put, 'messageId');
    await expectRefused(
      { ...put, token: api.service, path: `/v1/users/alice${group.slice(3)}/watermark` },
      'messageId',
    );
    await expectRefused(
      {
        token: alice,
        method: 'POST',
        path: `${group}/messages/status`,
        body: `{"messageIds":["1",${json}]}`,
      },
      'messageIds.1',
    );
    await expectRefused(
      {
        token: api.service,
        method: 'POST',
        path: `${group}/messages`,
        body: `{"messageId":${json},"senderId":"bob"}`,
      },
      'messageId',
    );
  });

  test.each(['0', '-1', '1.5', '1e2', '0x1', '18446744073709551616', '01', '%201', 'x'])(
    'the message id %s in a path',
    (id) =>
      expectRefused({ token: api.service, method: 'DELETE', path: `${group}/messages/${id}` }, 'messageId'),
  );

  test.each([
    ['an escaped slash', 'a%2Fb'],
    ['a double escape', 'a%2541'],
    ['a control character', 'a%00b'],
    ['a line break', 'a%0Ab'],
    ['a blank', 'a%20b'],
    ['a hash', 'a%23b'],
    ['a bar', 'a%7Cb'],
    ['a brace', 'a%7Db'],
    ['another script', '%C3%A9'],
    ['129 characters', 'a'.repeat(129)],
  ])('a group or user id with %s', async (_name, id) => {
    await expectRefused({ token: alice, method: 'GET', path: `/v1/groups/${id}/watermark` }, 'groupId');
    await expectRefused({ token: api.service, method: 'GET', path: `/v1/groups/${id}/members` }, 'groupId');
    await expectRefused({ token: api.service, method: 'PUT', path: `${group}/members/${id}` }, 'userId');
    await expectRefused({ token: api.service, method: 'DELETE', path: `${group}/members/${id}` }, 'userId');
  });

  test('a malformed escape', () =>
    expectRefused({ token: alice, method: 'GET', path: '/v1/groups/a%zz/watermark' }));

  const put = () => ({ token: alice, method: 'PUT', path: `${group}/watermark` });

  test('unknown fields, also those of later versions', async () => {
    await expectRefused({ ...put(), body: { messageId: '2', extra: 1 } }, 'extra');
    await expectRefused(
      {
        token: api.service,
        method: 'POST',
        path: `${group}/members`,
        body: { userIds: ['x'], role: 'admin' },
      },
      'role',
    );
    await expectRefused(
      {
        token: api.service,
        method: 'POST',
        path: `${group}/messages`,
        body: { messageId: '9', senderId: 'bob', text: 'x' },
      },
      'text',
    );
    await expectRefused(
      { token: api.service, method: 'PUT', path: `${group}/members/x`, body: { role: 'admin' } },
      'role',
    );
  });

  test.each([
    ['not JSON', '{'],
    ['a list', '[]'],
    ['text', '"2"'],
    ['null', 'null'],
    ['empty', ''],
    ['without the field', '{}'],
  ])('a body that is %s', (_name, body) => expectRefused({ ...put(), body }));

  test('no body at all', () => expectRefused(put()));

  test.each([['text/plain'], ['application/x-www-form-urlencoded'], ['application/jsonx'], [null]])(
    'the content type %s',
    (contentType) => expectRefused({ ...put(), body: '{"messageId":"2"}', contentType }),
  );

  test('too many or no entries, and entries that are none', async () => {
    const ids = Array.from({ length: 101 }, (_, index) => String(index + 1));
    const status = { token: alice, method: 'POST', path: `${group}/messages/status` };
    await expectRefused({ ...status, body: { messageIds: ids } }, 'messageIds');
    await expectRefused({ ...status, body: { messageIds: [] } }, 'messageIds');
    await expectRefused({ ...status, body: { messageIds: '1' } }, 'messageIds');
    const members = { token: api.service, method: 'POST', path: `${group}/members` };
    await expectRefused({ ...members, body: { userIds: ids } }, 'userIds');
    await expectRefused({ ...members, body: { userIds: ['ok', 'not ok'] } }, 'userIds.1');
    expect((await api.call({ ...status, body: { messageIds: ids.slice(1) } })).status).toBe(200);
  });

  test.each([
    'limit=0',
    'limit=101',
    'limit=1.5',
    'limit=x',
    'limit=',
    'limit=2&limit=2',
    'cursor=%2F',
    'cursor=',
    'cursor=YQ&cursor=YQ',
  ])('the query %s', (query) =>
    expectRefused({ token: api.service, method: 'GET', path: `${group}/members?${query}` }),
  );

  test('a parameter that is given twice, where none is known', () =>
    expectRefused({ token: alice, method: 'GET', path: `${group}/watermark?x=1&x=2` }, 'x'));

  test.each(['yesterday', '2026-13-01T00:00:00Z', '2026-01-31', 12])('the time %j', (sentAt) =>
    expectRefused(
      {
        token: api.service,
        method: 'POST',
        path: `${group}/messages`,
        body: { messageId: '9', senderId: 'bob', sentAt },
      },
      'sentAt',
    ),
  );

  test('a body of 64 KiB is taken, and one byte more is too large', async () => {
    const padded = (bytes: number) => `{"messageId":"1"${' '.repeat(bytes - 17)}}`;
    expect((await api.call({ ...put(), body: padded(65_536) })).status).toBe(200);
    const { status, headers, body } = await api.call({ ...put(), body: padded(65_537) });
    expect([status, headers['content-type'], body.code]).toEqual([
      413,
      'application/problem+json',
      'too_large',
    ]);
    expect(await state()).toEqual(before);
  });
});

describe('nobody gets in', () => {
  const ROUTES: [who: 'user' | 'service', method: string, path: string, body?: object][] = [
    ['user', 'PUT', '/v1/groups/g/watermark', { messageId: '1' }],
    ['user', 'GET', '/v1/groups/g/watermark'],
    ['user', 'POST', '/v1/groups/g/messages/status', { messageIds: ['1'] }],
    ['service', 'PUT', '/v1/groups/g/members/mallory'],
    ['service', 'POST', '/v1/groups/g/members', { userIds: ['mallory'] }],
    ['service', 'GET', '/v1/groups/g/members'],
    ['service', 'DELETE', '/v1/groups/g/members/mallory'],
    ['service', 'POST', '/v1/groups/g/messages', { messageId: '1', senderId: 'mallory' }],
    ['service', 'DELETE', '/v1/groups/g/messages/1'],
    ['service', 'PUT', '/v1/users/mallory/groups/g/watermark', { messageId: '1' }],
  ];

  async function badTokens(scope: string): Promise<[string, string | undefined][]> {
    const jwk = JSON.parse(readFileSync(join(api.dataDirectory, 'issuer.json'), 'utf8')) as JWK;
    const key = await importJWK(jwk, 'RS256');
    const stranger = await generateKeyPair('RS256');
    const now = Math.floor(Date.now() / 1000);
    const good = {
      iss: 'https://issuer.tidemark.localhost',
      aud: 'tidemark-local',
      sub: 'mallory',
      scope,
      iat: now - 10,
      exp: now + 600,
    };
    const signed = (claims: object, header: object = {}, by = key) =>
      new SignJWT({ ...good, ...claims })
        .setProtectedHeader({ alg: 'RS256', kid: jwk.kid ?? '', ...header })
        .sign(by);
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const hmacText = `${part({ alg: 'HS256', kid: jwk.kid })}.${part(good)}`;
    const { kty, n, e } = jwk;
    const publicKey = createPublicKey({ key: { kty, n, e } as JsonWebKey, format: 'jwk' });
    const pem = publicKey.export({ format: 'pem', type: 'spki' });
    return [
      ['none', undefined],
      ['empty', ''],
      ['garbage', 'garbage'],
      ['three parts of garbage', 'a.b.c'],
      ['expired', await signed({ exp: now - 1 })],
      ['not yet valid', await signed({ nbf: now + 300 })],
      ['of the wrong issuer', await signed({ iss: 'https://issuer.example' })],
      ['for the wrong audience', await signed({ aud: 'other' })],
      ['with alg none', `${part({ alg: 'none' })}.${part(good)}.`],
      [
        'an HMAC with the public key',
        `${hmacText}.${createHmac('sha256', pem).update(hmacText).digest('base64url')}`,
      ],
      ['of an unknown key', await signed({}, { kid: 'unknown' })],
      ['signed by a stranger', await signed({}, {}, stranger.privateKey)],
    ];
  }

  test.each(ROUTES)('as a %s by %s %s without a good token', async (who, method, path, body) => {
    for (const [name, token] of await badTokens(`tidemark/${who}`)) {
      const answer = await api.call({ token, method, path, body });
      expect([name, answer.status, answer.headers['content-type'], answer.body.code]).toEqual([
        name,
        401,
        'application/problem+json',
        'unauthorized',
      ]);
    }
  });

  test.each(ROUTES)(
    'as a %s by %s %s with the scope of the other, or none',
    async (who, method, path, body) => {
      const jwk = JSON.parse(readFileSync(join(api.dataDirectory, 'issuer.json'), 'utf8')) as JWK;
      const unscoped = await new SignJWT({ sub: 'mallory' })
        .setProtectedHeader({ alg: 'RS256', kid: jwk.kid ?? '' })
        .setIssuer('https://issuer.tidemark.localhost')
        .setAudience('tidemark-local')
        .setExpirationTime('1h')
        .sign(await importJWK(jwk, 'RS256'));
      const other = who === 'user' ? api.service : await api.user('mallory');
      for (const token of [other, unscoped]) {
        const answer = await api.call({ token, method, path, body });
        expect([answer.status, answer.headers['content-type'], answer.body.code]).toEqual([
          403,
          'application/problem+json',
          'forbidden',
        ]);
      }
    },
  );

  test('a group that one is not in answers exactly as one that does not exist', async () => {
    const group = await aGroup('1');
    const mallory = await api.user('mallory');
    const without = ({ status, body: { requestId: _, ...body } }: Awaited<ReturnType<typeof api.call>>) => ({
      status,
      body,
    });
    for (const [method, path, body] of [
      ['GET', '/watermark'],
      ['PUT', '/watermark', { messageId: '1' }],
      ['POST', '/messages/status', { messageIds: ['1'] }],
    ] as const) {
      const inside = await api.call({ token: mallory, method, path: `${group}${path}`, body });
      const nowhere = await api.call({
        token: mallory,
        method,
        path: `/v1/groups/${freshPrefix()}${path}`,
        body,
      });
      expect(inside.status).toBe(404);
      expect(without(inside)).toEqual(without(nowhere));
    }
    const members = await asService('GET', `${group}/members`);
    expect(members.text).not.toContain('mallory');
  });

  test("a user's mark moves nobody else's watermark", async () => {
    const group = await aGroup('1');
    const bob = await api.user('bob');
    await asAlice('PUT', `${group}/watermark`, { messageId: '1' });
    expect((await asAlice('GET', `${group}/watermark`)).body).toMatchObject({
      userId: 'alice',
      messageId: '1',
    });
    const carol = await asService('PUT', `${group}/members/carol`);
    expect(carol.status).toBe(201);
    expect((await api.call({ token: bob, method: 'GET', path: `${group}/watermark` })).body).toMatchObject({
      userId: 'bob',
      messageId: '1',
    });
  });
});
