import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { Context } from 'aws-lambda';
import * as v from 'valibot';
import { ok, serve } from '../../../functions/runtime/serve.ts';
import { limitUpTo, parameters, position } from '../../../shared/contract/schemas.ts';
import { unavailable } from '../../../shared/domain/errors.ts';
import { CONTEXT, type ProxyCall, proxyEvent, tokenWith } from '../../support/proxy-event.ts';

const answerTo = async (handler: ReturnType<typeof serve>, call: ProxyCall) => {
  const { statusCode, body = '' } = await handler(proxyEvent(call), CONTEXT);
  return { statusCode, body: JSON.parse(body) as unknown };
};

describe('an endpoint', () => {
  const bare = serve({ name: 'bare', who: 'anyone', at: 'POST /test' }, async () => ok({}));
  const list = serve(
    {
      name: 'list',
      who: 'anyone',
      at: 'GET /groups/{groupId}/test',
      path: parameters,
      query: { limit: limitUpTo(500) },
    },
    async ({ groupId, limit }) => ok({ groupId, limit }),
  );

  test.each(['userId=alice', 'limit=1', 'Limit=1', 'x', '=', '=1', '__proto__=1', 'constructor=1', '%00=1'])(
    'without query parameters refuses one: %s',
    async (query) => {
      const [path] = [...new URLSearchParams(query).keys()];
      expect(await answerTo(bare, { query })).toMatchObject({
        statusCode: 400,
        body: { errors: [{ path, message: 'is not a known parameter' }] },
      });
    },
  );

  test.each([
    'userId=alice',
    'limit=1&x=1',
    'Limit=1',
    '__proto__=1',
    'toString=1',
    'limit=1&'.concat('%00=1'),
  ])('refuses an unknown query parameter: %s', async (query) => {
    expect(await answerTo(list, { query, params: { groupId: 'tea' } })).toMatchObject({
      statusCode: 400,
      body: { errors: [{ message: 'is not a known parameter' }] },
    });
  });

  test('refuses an unknown path parameter', async () => {
    const params = { groupId: 'tea', userId: 'alice' };
    expect(await answerTo(list, { params })).toMatchObject({
      statusCode: 400,
      body: { errors: [{ path: 'userId', message: 'is not a known parameter' }] },
    });
    expect(await answerTo(bare, { params })).toMatchObject({ statusCode: 400 });
  });

  test('accepts known parameters', async () => {
    const params = { groupId: 'tea' };
    expect(await answerTo(list, { params })).toEqual({
      statusCode: 200,
      body: { groupId: 'tea', limit: 100 },
    });
    expect(await answerTo(list, { params, query: 'limit=500' })).toMatchObject({ body: { limit: 500 } });
    expect(await answerTo(list, { params, query: 'limit=501' })).toMatchObject({ statusCode: 400 });
  });

  test('names every repeated parameter once', async () => {
    const query = 'limit=1&limit=2&limit=3&x=1&%78=2&y=1';
    expect(await answerTo(list, { params: { groupId: 'tea' }, query })).toMatchObject({
      statusCode: 400,
      body: {
        errors: [
          { path: 'limit', message: 'is given more than once' },
          { path: 'x', message: 'is given more than once' },
        ],
      },
    });
  });
});

describe('a body', () => {
  const place = { name: 'test', who: 'anyone', at: 'POST /test' } as const;
  const fields = { joinedAfter: v.optional(position) };
  const required = serve({ ...place, body: fields }, async ({ joinedAfter }) => ok({ joinedAfter }));
  const optional = serve({ ...place, optionalBody: fields }, async ({ joinedAfter }) => ok({ joinedAfter }));
  const none = serve(place, async () => ok({}));

  test('that is absent becomes the default, if it is optional', async () => {
    expect(await answerTo(optional, {})).toEqual({ statusCode: 200, body: {} });
    expect(await answerTo(optional, { body: '' })).toEqual({ statusCode: 200, body: {} });
  });

  test('that is optional is checked if it is present', async () => {
    expect(await answerTo(optional, { body: '{}' })).toEqual({ statusCode: 200, body: {} });
    const joinedAfter = '00000000000000000007';
    expect(await answerTo(optional, { body: '{"joinedAfter":7}' })).toEqual({
      statusCode: 200,
      body: { joinedAfter },
    });
    for (const body of ['null', '[]', '[{}]', ' ', '{"joinedAfter":0}', '{"x":1}', '{"userId":"bob"}']) {
      expect(await answerTo(optional, { body })).toMatchObject({ statusCode: 400 });
    }
    const headers = { 'content-type': 'text/plain' };
    expect(await answerTo(optional, { body: '{}', headers })).toMatchObject({ statusCode: 400 });
  });

  test('that is required cannot be absent', async () => {
    expect(await answerTo(required, {})).toMatchObject({
      statusCode: 400,
      body: { errors: [{ path: '', message: 'a JSON body is required' }] },
    });
  });

  test('is refused if none is expected, unless it is empty', async () => {
    expect(await answerTo(none, { body: '{"x":1}' })).toMatchObject({ statusCode: 400 });
    expect(await answerTo(none, { body: '[]' })).toMatchObject({ statusCode: 400 });
    expect(await answerTo(none, { body: '{}' })).toMatchObject({ statusCode: 200 });
    expect(await answerTo(none, {})).toMatchObject({ statusCode: 200 });
  });
});

describe('a request that is not answered before its deadline', () => {
  /** What Lambda gives a request whose deadline is a moment away. */
  const soon = { getRemainingTimeInMillis: () => 510 } as Context;
  const replies: ((body: object) => void)[] = [];
  const slow = serve({ name: 'test', who: 'anyone', at: 'POST /test' }, async () => {
    const body = await new Promise<object>((resolve) => replies.push(resolve));
    return ok(body);
  });
  const warnings: unknown[] = [];
  beforeEach(() => {
    replies.length = 0;
    warnings.length = 0;
    jest.spyOn(console, 'warn').mockImplementation((line) => void warnings.push(line));
    jest.spyOn(console, 'error').mockImplementation(() => undefined);
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });

  test('gets a 503 with Retry-After, and a warning names the route', async () => {
    const { statusCode, headers, body = '' } = await slow(proxyEvent({ routeKey: 'GET /v1/inbox' }), soon);
    expect(statusCode).toBe(503);
    expect(headers).toEqual({ 'content-type': 'application/problem+json', 'retry-after': '1' });
    expect(JSON.parse(body)).toEqual({
      type: 'about:blank',
      title: 'Temporarily unavailable',
      status: 503,
      code: 'unavailable',
      detail: 'The service cannot take this request right now. Please retry.',
      requestId: 'the-request',
    });
    expect(warnings).toMatchObject([
      { route: 'GET /v1/inbox', error: { message: 'the request was not answered before its deadline' } },
    ]);
  });

  test('leaves its late answer to nobody: the next request gets its own', async () => {
    expect(await slow(proxyEvent({}), soon)).toMatchObject({ statusCode: 503 });
    const next = answerTo(slow, {});
    while (replies.length < 2) await new Promise(setImmediate);
    replies[0]?.({ of: 'the first' });
    await new Promise(setImmediate);
    replies[1]?.({ of: 'the second' });
    expect(await next).toEqual({ statusCode: 200, body: { of: 'the second' } });
  });
});

describe('the log', () => {
  const lines: unknown[][] = [];
  beforeEach(() => {
    lines.length = 0;
    for (const level of ['debug', 'log', 'info', 'warn', 'error'] as const) {
      jest.spyOn(console, level).mockImplementation((...values) => void lines.push(values));
    }
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });

  const failing = (error: unknown) =>
    serve({ name: 'test', who: 'anyone', at: 'POST /test', optionalBody: { messageId: position } }, () =>
      Promise.reject(error),
    );
  const TOKEN = tokenWith('{"sub":"alice","scope":"tidemark/user","aud":"a-rather-long-audience"}');
  const REQUEST: ProxyCall = {
    body: '{"messageId":"7301"}',
    headers: { authorization: `Bearer ${TOKEN}` },
    jwt: { claims: { sub: 'alice' }, scopes: ['tidemark/user'] },
  };

  const chain = (length: number): Error =>
    Array.from({ length }).reduce<Error>(
      (cause) => new Error('x'.repeat(100_000), { cause }),
      new Error('the first'),
    );
  const circle = new Error('a circle');
  circle.cause = circle;
  const laden = Object.assign(new Error('laden'), {
    request: { headers: { authorization: `Bearer ${TOKEN}` } },
  });
  const throws = {
    get() {
      throw new Error('cannot be read');
    },
  };
  const throwing = Object.defineProperties(new Error(), { message: throws, name: throws, cause: throws });

  test.each<[string, unknown]>([
    ['a huge message', new Error('ä\n"'.repeat(500_000))],
    ['a huge name', Object.assign(new Error('x'), { name: 'N'.repeat(500_000) })],
    [
      'a huge stack',
      Object.assign(new Error('x'), { stack: `Error: x\n${'    at f (x.js:1:1)\n'.repeat(100_000)}` }),
    ],
    [
      'a long line of a stack',
      Object.assign(new Error('x'), { stack: `Error: x\n    at ${'f'.repeat(500_000)}` }),
    ],
    ['a long chain of causes', chain(300)],
    ['a circle of causes', circle],
    [
      'many errors in one',
      new AggregateError(
        Array.from({ length: 10_000 }, () => chain(1)),
        'many',
      ),
    ],
    ['many other fields', laden],
    ['what cannot be read', throwing],
    ['text', 'x'.repeat(1_000_000)],
    ['nothing', undefined],
    ['a token in the message', new Error(`the header was Bearer ${TOKEN}`)],
    ['a token alone', new Error(TOKEN)],
    ['a token that was cut', new Error(`${'x'.repeat(900)} ${TOKEN}`)],
    ['a token in a cause', new Error('x', { cause: new Error(`authorization=${TOKEN}`) })],
    ['the body in lines of the message of the parser', parserError('\n  at {"messageId":"7301"}\n')],
    ['the body in the message of the parser', parserError('{"messageId":"7301"},')],
    ['the ledger with a huge cause', unavailable(chain(300))],
    ['the ledger with a token', unavailable(new Error(`Bearer ${TOKEN}`))],
  ])('has one bounded line for %s, without token and body', async (_name, error) => {
    const { statusCode } = await failing(error)(proxyEvent(REQUEST), CONTEXT);
    expect([500, 503]).toContain(statusCode);
    expect(lines).toHaveLength(1);
    const line = JSON.stringify(lines[0], plain);
    expect(Buffer.byteLength(line)).toBeLessThanOrEqual(8_192);
    for (const part of TOKEN.split('.')) expect(line).not.toContain(part);
    expect(line).not.toMatch(/messageId|7301/);
  });

  test('has the failure, its place, its cause, and the request id of the caller', async () => {
    const error = new TypeError('outer', { cause: new RangeError('inner') });
    await failing(error)(proxyEvent({ ...REQUEST, routeKey: 'GET /v1/inbox' }), CONTEXT);
    expect(lines).toEqual([
      [
        {
          message: 'a request failed',
          route: 'GET /v1/inbox',
          requestId: 'the-request',
          error: {
            name: 'TypeError',
            message: 'outer',
            frames: expect.arrayContaining([expect.stringMatching(/^at .*serve\.test\.ts/)]),
            causes: ['RangeError: inner'],
          },
        },
      ],
    ]);
  });

  test('has no line for a refused request', async () => {
    const { statusCode } = await failing(new Error('x'))(proxyEvent({ ...REQUEST, body: '{' }), CONTEXT);
    expect(statusCode).toBe(400);
    expect(lines).toEqual([]);
  });
});

/** The fields of an error in a line of the log. */
function plain(_key: string, value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const { name, stack, cause } = value;
  return { ...value, name, stack, cause };
}

function parserError(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return error;
  }
}
