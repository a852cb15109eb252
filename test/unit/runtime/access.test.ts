import { afterEach, describe, expect, test } from '@jest/globals';
import { ok, serve } from '../../../functions/runtime/serve.ts';
import { parameters } from '../../../shared/contract/schemas.ts';
import { CONTEXT, proxyEvent, tokenWith } from '../../support/proxy-event.ts';

const asUser = serve(
  { name: 'asUser', who: 'user', at: 'POST /test', path: parameters },
  async ({ userId }) => ok({ userId }),
);
const asService = serve({ name: 'asService', who: 'anyone', at: 'POST /test' }, async () => ok({}));

interface Token {
  /** The payload's text. */
  readonly payload: string | Buffer;
  /** The claims that the gateway read. */
  readonly sub?: string;
  readonly scopes?: readonly string[] | null;
  readonly authorization?: (token: string) => string | undefined;
}

function eventOf({
  payload,
  sub,
  scopes = ['tidemark/user'],
  authorization = (token) => `Bearer ${token}`,
}: Token) {
  const header = authorization(tokenWith(payload));
  return proxyEvent({
    headers: header === undefined ? {} : { authorization: header },
    jwt: { claims: sub === undefined ? {} : { sub }, scopes },
  });
}

const ALICE = '{"sub":"alice","scope":"tidemark/user"}';

async function expectForbidden(handler: typeof asUser, token: Token): Promise<void> {
  const { statusCode, body = '' } = await handler(eventOf(token), CONTEXT);
  expect({ statusCode, body: JSON.parse(body) }).toMatchObject({
    statusCode: 403,
    body: { code: 'forbidden' },
  });
}

async function expectAlice(token: Token): Promise<void> {
  const { statusCode, body } = await asUser(eventOf(token), CONTEXT);
  expect({ statusCode, body }).toEqual({ statusCode: 200, body: '{"userId":"alice"}' });
}

describe('the subject of a token', () => {
  test.each([
    ['null', 'null', 'null'],
    ['true', 'true', 'true'],
    ['a number', '42', '42'],
    ['a fraction', '4.2', '4.2'],
    ['a list of one', '["alice"]', 'alice'],
    ['an object', '{"sub":"alice"}', 'alice'],
    ['empty', '""', ''],
    ['with a space behind', '"alice "', 'alice '],
    ['with a letter that looks like another', '"\\u0430lice"', 'аlice'],
    ['in full-width letters', '"ａｌｉｃｅ"', 'ａｌｉｃｅ'],
    ['with a letter in two parts', '"ali\\u0301ce"', 'ali\u0301ce'],
    ['with a zero byte', '"alice\\u0000"', 'alice\u0000'],
    ['with a lone surrogate', '"alice\\ud800"', 'alice\ufffd'],
    ['too long', `"${'a'.repeat(129)}"`, 'a'.repeat(129)],
  ])('is not a user if it is %s', async (_name, value, sub) => {
    await expectForbidden(asUser, { payload: `{"sub":${value},"scope":"tidemark/user"}`, sub });
  });

  test.each([
    ['missing', '{"scope":"tidemark/user"}'],
    ['inherited', '{"__proto__":{"sub":"alice"},"scope":"tidemark/user"}'],
    ['in another case', '{"Sub":"alice","scope":"tidemark/user"}'],
  ])('is not a user if it is %s', async (_name, payload) => {
    await expectForbidden(asUser, { payload, sub: 'alice' });
    await expectForbidden(asUser, { payload });
  });

  test('is not a user if the gateway read another one', async () => {
    const payload = '{"sub":"bob","sub":"alice","scope":"tidemark/user"}';
    await expectForbidden(asUser, { payload, sub: 'bob' });
    await expectForbidden(asUser, { payload });
    await expectAlice({ payload, sub: 'alice' });
  });

  test('can have escapes', async () => {
    await expectAlice({ payload: '{"sub":"\\u0061lice","scope":"tidemark/user"}', sub: 'alice' });
  });

  test('need not be a user id for a back end', async () => {
    const event = eventOf({ payload: '{"sub":42,"scope":"tidemark/service"}', scopes: ['tidemark/service'] });
    expect((await asService(event, CONTEXT)).statusCode).toBe(200);
  });
});

describe('a token', () => {
  test.each([
    ['a bearer', (token: string) => `Bearer ${token}`],
    ['a bearer in small letters', (token: string) => `bearer ${token}`],
    ['a bearer in capitals', (token: string) => `BEARER ${token}`],
    ['nothing before it', (token: string) => token],
  ])('is accepted with %s', async (_name, authorization) => {
    await expectAlice({ payload: ALICE, sub: 'alice', authorization });
  });

  test.each([
    ['no header', () => undefined],
    ['an empty header', () => ''],
    ['two headers', (token: string) => `Bearer ${token},Bearer ${token}`],
    ['two headers without bearer', (token: string) => `${token},${token}`],
    ['two headers, the second of them empty', (token: string) => `Bearer ${token},`],
    ['another scheme', (token: string) => `Basic ${token}`],
    ['two parts', (token: string) => `Bearer ${token.slice(0, token.lastIndexOf('.'))}`],
    ['four parts', (token: string) => `Bearer ${token}.x`],
  ])('is refused with %s', async (_name, authorization) => {
    await expectForbidden(asUser, { payload: ALICE, sub: 'alice', authorization });
    await expectForbidden(asService, { payload: ALICE, sub: 'alice', authorization });
  });

  test.each([
    ['a list', '["sub","alice"]'],
    ['null', 'null'],
    ['text', '"alice"'],
    ['a number', '42'],
    ['empty', ''],
    ['no JSON', 'sub=alice'],
    ['after a byte order mark', `\ufeff${ALICE}`],
    ['UTF-16', Buffer.from(ALICE, 'utf16le')],
  ])('is refused if its payload is %s', async (_name, payload) => {
    await expectForbidden(asUser, { payload, sub: 'alice' });
    await expectForbidden(asService, { payload, sub: 'alice' });
  });
});

describe('the scope of a token', () => {
  const BAD = [
    '[["tidemark/user"]]',
    '["tidemark/user",["x"]]',
    '["tidemark/user",null]',
    '{"0":"tidemark/user"}',
  ];

  test.each([...BAD, 'null', 'true', '42'])(
    'is refused if it is neither text nor a list of texts: %s',
    async (value) => {
      for (const name of ['scope', 'scp']) {
        const payload = `{"sub":"alice","${name}":${value}}`;
        await expectForbidden(asUser, { payload, sub: 'alice' });
        await expectForbidden(asService, { payload, sub: 'alice' });
        await expectForbidden(asService, { payload, sub: 'alice', scopes: null });
      }
    },
  );

  test.each([
    '{"sub":"alice","scope":"tidemark/user"}',
    '{"sub":"alice","scope":"openid tidemark/user"}',
    '{"sub":"alice","scope":["openid","tidemark/user"]}',
    '{"sub":"alice","scp":"tidemark/user"}',
    '{"sub":"alice","scp":["tidemark/user"]}',
  ])('is accepted as text and as a list: %s', async (payload) => {
    await expectAlice({ payload, sub: 'alice' });
    // The gateway may pass the scopes of the token, or those that the route requires.
    await expectAlice({ payload, sub: 'alice', scopes: ['tidemark/user', 'another'] });
  });

  test('is refused if the gateway read another one', async () => {
    const payload = '{"sub":"alice","scope":"tidemark/user","scope":"openid"}';
    await expectForbidden(asUser, { payload, sub: 'alice' });
    await expectForbidden(asService, { payload, sub: 'alice' });
  });

  test('can be missing if the route requires none', async () => {
    await expectAlice({ payload: '{"sub":"alice"}', sub: 'alice', scopes: null });
    await expectAlice({ payload: '{"sub":"alice"}', sub: 'alice', scopes: [] });
  });
});

describe('a route without a token', () => {
  test('is answered', async () => {
    expect((await asService(proxyEvent({}), CONTEXT)).statusCode).toBe(200);
  });

  test('has no caller', async () => {
    expect((await asUser(proxyEvent({}), CONTEXT)).statusCode).toBe(403);
    // A token that no authorizer has verified is ignored.
    const headers = { authorization: `Bearer ${tokenWith(ALICE)}` };
    expect((await asUser(proxyEvent({ headers }), CONTEXT)).statusCode).toBe(403);
  });

  test('has no caller if another kind of authorizer accepted it', async () => {
    const event = proxyEvent({ headers: { authorization: 'AWS4-HMAC-SHA256 Credential=a' } });
    const requestContext = { ...event.requestContext, authorizer: { iam: { accessKey: 'a' } } };
    const signed = { ...event, requestContext } as unknown as typeof event;
    expect((await asService(signed, CONTEXT)).statusCode).toBe(200);
    expect((await asUser(signed, CONTEXT)).statusCode).toBe(403);
  });
});

describe('a route for one kind of caller', () => {
  const forUsers = asUser;
  const ofBackEnds = {
    name: 'forBackEnds',
    who: 'service',
    at: 'POST /users/{userId}',
    path: parameters,
  } as const;
  const forBackEnds = serve(ofBackEnds, async () => ok({ userId: 'bob' }));
  function deployedWith(scopes: { USER_SCOPE?: string; SERVICE_SCOPE?: string }): void {
    delete process.env.USER_SCOPE;
    delete process.env.SERVICE_SCOPE;
    Object.assign(process.env, scopes);
  }
  afterEach(() => deployedWith({}));

  const onBehalf = <E extends object>(event: E): E => ({ ...event, pathParameters: { userId: 'bob' } });
  const withScopes = (claims: string, scopes: readonly string[] | null) =>
    eventOf({ sub: 'alice', payload: `{"sub":"alice"${claims}}`, scopes });
  const USER = withScopes(',"scope":"tidemark/user"', ['tidemark/user']);
  const SERVICE = withScopes(',"scope":"tidemark/service"', ['tidemark/service']);
  const UNSCOPED = withScopes('', null);
  const NOBODY = proxyEvent({});
  const signed = proxyEvent({ headers: { authorization: 'AWS4-HMAC-SHA256 Credential=a' } });
  const SIGNED = {
    ...signed,
    requestContext: { ...signed.requestContext, authorizer: { iam: { accessKey: 'a' } } },
  } as unknown as typeof signed;

  async function answered(handler: typeof forUsers, event: typeof NOBODY): Promise<unknown> {
    const { statusCode, body = '' } = await handler(event, CONTEXT);
    return statusCode === 200 ? JSON.parse(body).userId : statusCode;
  }

  /** A route of users, the same on a user's behalf, and a route only for back ends. */
  async function answers(event: typeof NOBODY): Promise<unknown> {
    return [
      await answered(forUsers, event),
      await answered(forUsers, onBehalf(event)),
      await answered(forBackEnds, onBehalf(event)),
    ];
  }

  test('accepts tokens with its scope, and no signatures', async () => {
    deployedWith({ USER_SCOPE: 'tidemark/user', SERVICE_SCOPE: 'tidemark/service' });
    expect(await answers(USER)).toEqual(['alice', 403, 403]);
    expect(await answers(SERVICE)).toEqual([403, 'bob', 'bob']);
    expect(await answers(withScopes(',"scope":"tidemark/service tidemark/user"', ['tidemark/user']))).toEqual(
      ['alice', 'bob', 'bob'],
    );
    expect(await answers(UNSCOPED)).toEqual([403, 403, 403]);
    expect(await answers(SIGNED)).toEqual([403, 403, 403]);
    expect(await answers(NOBODY)).toEqual([403, 403, 403]);
  });

  test("accepts every token but a back end's for a user, if users need no scope", async () => {
    deployedWith({ SERVICE_SCOPE: 'tidemark/service' });
    expect(await answers(UNSCOPED)).toEqual(['alice', 403, 403]);
    expect(await answers(withScopes(',"scope":"openid"', null))).toEqual(['alice', 403, 403]);
    expect(await answers(SIGNED)).toEqual([403, 403, 403]);
    expect(await answers(NOBODY)).toEqual([403, 403, 403]);
    for (const claims of [
      ',"scope":"tidemark/service"',
      ',"scope":"openid tidemark/service"',
      ',"scp":["tidemark/service"]',
      ',"scope":"openid","scp":["tidemark/service"]',
    ]) {
      expect(await answers(withScopes(claims, null))).toEqual([403, 'bob', 'bob']);
    }
  });

  test('accepts no token from back ends, if they sign their calls', async () => {
    deployedWith({ USER_SCOPE: 'tidemark/user' });
    expect(await answers(SIGNED)).toEqual([403, 'bob', 'bob']);
    expect(await answers(USER)).toEqual(['alice', 403, 403]);
    expect(await answers(SERVICE)).toEqual([403, 403, 403]);
    expect(await answers(NOBODY)).toEqual([403, 403, 403]);
    deployedWith({});
    expect(await answers(SIGNED)).toEqual([403, 'bob', 'bob']);
    expect(await answers(UNSCOPED)).toEqual(['alice', 403, 403]);
    expect(await answers(SERVICE)).toEqual(['alice', 403, 403]);
  });
});

describe('a caller without the permission', () => {
  test('gets the refusal before the body is checked', async () => {
    const event = { ...eventOf({ payload: '[]', sub: 'alice' }), body: '{' };
    expect((await asService(event, CONTEXT)).statusCode).toBe(403);
  });
});
