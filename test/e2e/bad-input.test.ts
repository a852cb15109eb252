import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
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

/** Bob has read up to 2 of Alice's messages 1 to 3. Carol is no member. */
const groupId = freshPrefix('g');
const IDS = { groupId, userId: 'bob', messageId: '1' };

let stack: RunningStack;
let before: unknown;

beforeAll(async () => {
  stack = await startRunningStack();
  const service = await stack.serviceToken();
  const { status } = await stack.call(service, 'POST', `/v1/groups/${groupId}/members`, {
    userIds: ['alice', 'bob'],
  });
  expect(status).toBe(200);
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
    { code: 'not_found' },
    {
      members: [
        { userId: 'alice', messageId: '3' },
        { userId: 'bob', messageId: '2' },
      ],
      cursor: null,
    },
  ]);
}, 60_000);
afterAll(() => stack?.stop());

afterEach(async () => {
  const was = before;
  // What one request has changed is that one's fault alone.
  before = await look();
  expect(before).toEqual(was);
});

/** What anyone can see of the group. */
async function look(): Promise<Json[]> {
  const watermarks = ['alice', 'bob', 'carol'].map(async (userId) =>
    stack.call(await stack.userToken(userId), 'GET', `/v1/groups/${groupId}/watermark`),
  );
  const members = stack.call(await stack.serviceToken(), 'GET', `/v1/groups/${groupId}/members`);
  return (await Promise.all([...watermarks, members])).map(({ body }) => withoutRequestId(body));
}

function withoutRequestId(body: Json): Json {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return body;
  const { requestId: _one, ...rest } = body;
  return rest;
}

const tokenFor = ({ scope }: Route) => (scope === 'user' ? stack.userToken('bob') : stack.serviceToken());

/** Sends a route's request with another body, which may be no JSON. */
async function sendBody(route: Route, body: string | Buffer, headers: Record<string, string> = JSON_TYPE) {
  return stack.send({
    method: route.method,
    path: pathOf(route, IDS),
    headers: { authorization: `Bearer ${await tokenFor(route)}`, ...headers },
    body,
  });
}

const JSON_TYPE = { 'content-type': 'application/json' };

/** The contract's answer to a malformed request, which names what is wrong where one place is. */
function expectRefused(answer: Answer, path = /^/) {
  expect(answer.status).toBe(400);
  expect(answer.contentType).toMatch(/^application\/problem\+json(;|$)/);
  expect(answer.body).toMatchObject({
    type: expect.stringMatching(/./),
    title: expect.stringMatching(/./),
    status: 400,
    code: 'invalid_request',
    detail: expect.stringMatching(/\w+ \w+/),
    requestId: expect.stringMatching(/./),
  });
  const { errors, detail } = answer.body as { errors: { path: string; message: string }[]; detail: string };
  const refused = errors.find((error) => path.test(error.path));
  expect(refused).toEqual({ path: expect.any(String), message: expect.stringMatching(/\w+ \w+/) });
  expect(detail).toMatch(path);
}

function expectTooLarge(answer: Answer) {
  expect(answer.status).toBe(413);
  expect(answer.contentType).toMatch(/^application\/problem\+json(;|$)/);
  expect(answer.body).toEqual({
    type: expect.stringMatching(/./),
    title: expect.stringMatching(/./),
    status: 413,
    code: 'too_large',
    detail: expect.stringMatching(/\w+ \w+/),
    requestId: expect.stringMatching(/./),
  });
}

const named = (route: Route) => `${route.method} ${route.path}`;
const routeOf = (name: string): Route => {
  const route = ROUTES.find((candidate) => named(candidate) === name);
  if (!route) throw new Error(`no such route: ${name}`);
  return route;
};
const routesWith = (parameter: string) => ROUTES.filter(({ path }) => path.includes(`{${parameter}}`));
const routesWithBody = ROUTES.filter(({ body }) => body !== undefined);

const MARK = routeOf('PUT /v1/groups/{groupId}/watermark');
const STATUS = routeOf('POST /v1/groups/{groupId}/messages/status');
const ADD_MEMBERS = routeOf('POST /v1/groups/{groupId}/members');
const RECORD = routeOf('POST /v1/groups/{groupId}/messages');
const MARK_FOR = routeOf('PUT /v1/users/{userId}/groups/{groupId}/watermark');

/** As they stand in a body's text. */
const BAD_MESSAGE_IDS = [
  ['zero', '0'],
  ['zero as text', '"0"'],
  ['minus zero', '-0'],
  ['many zeros', '"00"'],
  ['negative', '-1'],
  ['negative as text', '"-1"'],
  ['with a plus', '"+3"'],
  ['fractional', '3.5'],
  ['fractional as text', '"3.5"'],
  ['a fraction that a double cannot hold', '3.00000000000000000001'],
  ['a whole number with a fraction', '3.0'],
  ['100.0', '100.0'],
  ['a whole number with a fraction, as text', '"3.0"'],
  ['an exponent', '1e2'],
  ['an exponent in capitals', '1E2'],
  ['an exponent that makes it whole', '30e-1'],
  ['an exponent as text', '"1e2"'],
  ['an exponent beyond doubles', '1e400'],
  ['hex', '"0x3"'],
  ['hex in capitals', '"0X3"'],
  ['hex digits', '"ff"'],
  ['octal', '"0o3"'],
  ['binary', '"0b11"'],
  ['a bigint literal', '"3n"'],
  ['a separator', '"1_000"'],
  ['a comma', '"1,000"'],
  ['2^64', '"18446744073709551616"'],
  ['2^64 as a number', '18446744073709551616'],
  ['20 digits beyond 2^64', '"99999999999999999999"'],
  ['21 digits', '"100000000000000000000"'],
  ['21 digits, the last ones valid', '"184467440737095516150"'],
  ['400 digits', `"${'9'.repeat(400)}"`],
  ['2^53 as a number', '9007199254740992'],
  ['2^53 + 1 as a number', '9007199254740993'],
  ['2^64 - 1 as a number', '18446744073709551615'],
  ['a leading zero', '"03"'],
  ['20 digits with leading zeros', '"00000000000000000003"'],
  ['empty', '""'],
  ['blank', '" "'],
  ['a blank before', '" 3"'],
  ['a blank behind', '"3 "'],
  ['a line break behind', '"3\\n"'],
  ['a tab before', '"\\t3"'],
  ['a no-break space behind', '"3\\u00a0"'],
  ['a zero byte behind', '"3\\u0000"'],
  ['full-width digits', '"３"'],
  ['Arabic digits', '"٣"'],
  ['a superscript digit', '"³"'],
  ['a Roman numeral character', '"Ⅲ"'],
  ['words', '"three"'],
  ['NaN', '"NaN"'],
  ['Infinity', '"Infinity"'],
  ['null', 'null'],
  ['null as text', '"null"'],
  ['true', 'true'],
  ['false', 'false'],
  ['an empty array', '[]'],
  ['an array of a number', '[3]'],
  ['an array of a text', '["3"]'],
  ['an object', '{}'],
  ['an object that claims to be one', '{"valueOf":3,"toString":"3"}'],
] as const;

/** As they stand in a path. */
const BAD_MESSAGE_ID_SEGMENTS = [
  '0',
  '-0',
  '00',
  '-1',
  '+1',
  '%2B1',
  '1.5',
  '1.0',
  '1e0',
  '1E2',
  '0x1',
  '18446744073709551616',
  '99999999999999999999',
  '100000000000000000000',
  '01',
  '00000000000000000001',
  '%20',
  '%201',
  '1%20',
  '1%0A',
  '1%00',
  '1%2F',
  '1%252F',
  '%2531',
  '%EF%BC%91',
  '%D9%A1',
  'null',
  'true',
  '[1]',
  '%5B%5D',
  'NaN',
  '1,2',
  '1;2',
];

/** Of groups and users, as they stand in a path. */
const BAD_ID_SEGMENTS = [
  ['an escaped slash', 'a%2Fb'],
  ['an escaped slash in small letters', 'a%2fb'],
  ['a parent directory', '..%2F..%2Fetc'],
  ['a slash escaped twice', 'a%252Fb'],
  ['a letter escaped twice', '%2561'],
  ['an escaped percent sign', 'a%25b'],
  ['a zero byte', 'a%00'],
  ['a line feed', 'a%0Ab'],
  ['a line feed at the end', 'bob%0A'],
  ['a carriage return and line feed', 'a%0D%0Ab'],
  ['a tab', 'a%09b'],
  ['a delete character', 'a%7Fb'],
  ['a C1 control character', 'a%C2%85b'],
  ['a space', 'a%20b'],
  ['nothing but a space', '%20'],
  ['a space at the end', 'bob%20'],
  ['a no-break space', 'a%C2%A0b'],
  ['129 characters', 'x'.repeat(129)],
  ['1000 characters', 'x'.repeat(1000)],
  ['an umlaut', '%C3%A4'],
  ['a letter that looks like another', 'b%D0%BEb'],
  ['an emoji', '%F0%9F%98%80'],
  ['a direction override', 'a%E2%80%AEb'],
  ['a hash of the ledger', 'GROUP%23a'],
  ['a question mark', 'a%3Fb'],
  ['a backslash', 'a%5Cb'],
  ['a bar', 'a%7Cb'],
  ['braces', '%7Ba%7D'],
  ['an angle bracket', '%3Cb%3E'],
  ['a quote', 'a%22b'],
  ['an apostrophe', "a'b"],
  ['a comma', 'a,b'],
  ['a semicolon', 'a;b'],
  ['a star', 'a*b'],
  ['a dollar sign', 'a$b'],
  ['an ampersand', 'a&b'],
  ['parentheses', '(a)'],
] as const;

const MALFORMED_ESCAPES = [
  'a%',
  'a%2',
  'a%zz',
  '%%',
  'a%u0061',
  '%FF',
  '%C3',
  '%E0%A4%A',
  '%ED%A0%80',
  '%C0%AF',
];

/** Of users, as they stand in a body's text. */
const BAD_USER_IDS = [
  ['empty', '""'],
  ['a space', '" "'],
  ['a space at the end', '"bob "'],
  ['a line feed at the end', '"bob\\n"'],
  ['a slash', '"a/b"'],
  ['an escape', '"a%2Fb"'],
  ['a zero byte', '"a\\u0000"'],
  ['a hash', '"USER#a"'],
  ['a bar', '"a|b"'],
  ['braces', '"{a}"'],
  ['an umlaut', '"ä"'],
  ['a lone surrogate', '"\\ud800"'],
  ['129 characters', `"${'x'.repeat(129)}"`],
  ['a number', '1'],
  ['null', 'null'],
  ['true', 'true'],
  ['an array', '["bob"]'],
  ['an object', '{"userId":"bob"}'],
] as const;

describe.each(BAD_MESSAGE_IDS)('a message id that is %s', (_name, id) => {
  test('is no mark', async () => {
    expectRefused(await sendBody(MARK, `{"messageId":${id}}`), /messageId/);
  });
  test('is no mark on behalf of a user', async () => {
    expectRefused(await sendBody(MARK_FOR, `{"messageId":${id}}`), /messageId/);
  });
  test('is no message to record', async () => {
    expectRefused(await sendBody(RECORD, `{"messageId":${id},"senderId":"alice"}`), /messageId/);
  });
  test('has no status, wherever it stands in the list', async () => {
    expectRefused(await sendBody(STATUS, `{"messageIds":[${id}]}`), /messageIds\W?0/);
    expectRefused(await sendBody(STATUS, `{"messageIds":["1","2",${id},"3"]}`), /messageIds\W?2/);
  });
});

describe('a message id in a path', () => {
  test.each(BAD_MESSAGE_ID_SEGMENTS)('is refused as %s', async (messageId) => {
    const path = `/v1/groups/${groupId}/messages/${messageId}`;
    expectRefused(await stack.call(await stack.serviceToken(), 'DELETE', path), /messageId/);
  });
});

describe.each(['groupId', 'userId'])('%s in a path', (parameter) => {
  describe.each(routesWith(parameter).map((route) => [named(route), route] as const))('of %s', (_, route) => {
    const call = async (segment: string) =>
      stack.call(
        await tokenFor(route),
        route.method,
        pathOf(route, { ...IDS, [parameter]: segment }),
        route.body,
      );

    test.each(BAD_ID_SEGMENTS)('is refused with %s', async (_name, segment) => {
      expectRefused(await call(segment), new RegExp(parameter));
    });

    test.each(MALFORMED_ESCAPES)('is refused as %s, which cannot be decoded', async (segment) => {
      expectRefused(await call(segment));
    });

    test('reaches no other route with a slash in it, escaped or not', async () => {
      const { status, contentType } = await call('a/b');
      expect(status).toBe(404);
      expect(contentType).toMatch(/^application\/problem\+json(;|$)/);
    });
  });
});

describe.each(BAD_USER_IDS)('a user id that is %s', (_name, id) => {
  test('is nobody to add, nor is anybody beside it added', async () => {
    expectRefused(await sendBody(ADD_MEMBERS, `{"userIds":[${id}]}`), /userIds\W?0/);
    expectRefused(await sendBody(ADD_MEMBERS, `{"userIds":["carol",${id}]}`), /userIds\W?1/);
  });
  test('sends nothing', async () => {
    expectRefused(await sendBody(RECORD, `{"messageId":"4","senderId":${id}}`), /senderId/);
  });
});

describe.each(routesWithBody.map((route) => [named(route), route] as const))('the body of %s', (_, route) => {
  const valid = JSON.stringify(route.body);
  const fields = Object.keys(route.body ?? {});

  test.each([
    ['nothing', ''],
    ['blank', '  \n'],
    ['cut off', valid.slice(0, -1)],
    ['one brace', '{'],
    ['followed by something', `${valid}x`],
    ['twice', `${valid}${valid}`],
    ['with a trailing comma', `${valid.slice(0, -1)},}`],
    ['with a comment', `${valid}//`],
    ['in single quotes', valid.replaceAll('"', "'")],
    ['without quotes', valid.replace(/"(\w+)":/g, '$1:')],
    ['a form', 'messageId=3'],
    ['XML', '<messageId>3</messageId>'],
    ['NaN', 'NaN'],
    ['undefined', 'undefined'],
    ['after a zero byte', `\u0000${valid}`],
    ['null', 'null'],
    ['an array', `[${valid}]`],
    ['an empty array', '[]'],
    ['text', '"3"'],
    ['JSON in text', JSON.stringify(valid)],
    ['a number', '3'],
    ['true', 'true'],
  ])('is refused when it is %s', async (_name, body) => {
    expectRefused(await sendBody(route, body));
  });

  test('is refused when it is not UTF-8', async () => {
    // One byte 0xff in an id, in a body that is well formed but for it.
    const body = Buffer.from(valid.replace(/"(\w+)"(?=[\]},])/, '"\u00ff$1"'), 'latin1');
    expect(body).toContain(0xff);
    expectRefused(await sendBody(route, body));
  });

  test('is refused when it is missing', async () => {
    const answer = await stack.send({
      method: route.method,
      path: pathOf(route, IDS),
      headers: { authorization: `Bearer ${await tokenFor(route)}`, ...JSON_TYPE },
    });
    expectRefused(answer);
  });

  test.each([
    'extra',
    'userId',
    'MessageId',
    'messageid',
    'groupId',
    '',
    'constructor',
    '__proto__',
    'toString',
  ])('is refused with the unknown field "%s"', async (field) => {
    const body = `${valid.slice(0, -1)},${JSON.stringify(field)}:"3"}`;
    expectRefused(await sendBody(route, body), new RegExp(field));
  });

  test.each(fields)('is refused without %s', async (field) => {
    const { [field]: _missing, ...rest } = route.body ?? {};
    expectRefused(await sendBody(route, JSON.stringify(rest)), new RegExp(field));
  });

  test.each([
    'text/plain',
    'text/json',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/xml',
    'application/octet-stream',
    'application/jsonp',
    'application/javascript',
    'json',
    '*/*',
    'text/plain; a=application/json',
  ])('is refused as %s', async (contentType) => {
    const answer = await sendBody(route, valid, { 'content-type': contentType });
    expectRefused(answer);
    expect((answer.body as { detail: string }).detail).toMatch(/content.type/i);
  });

  test('is refused without a content type', async () => {
    const answer = await sendBody(route, valid, {});
    expectRefused(answer);
    expect((answer.body as { detail: string }).detail).toMatch(/content.type/i);
  });

  test.each(['application/json; charset=utf-8', 'Application/JSON', 'application/json ; charset="UTF-8"'])(
    'is taken as %s',
    async (contentType) => {
      const { status } = await sendBody(route, valid, { 'content-type': contentType });
      expect(status).toBe(200);
    },
  );

  test('may have 65536 bytes', async () => {
    const { status } = await sendBody(route, valid.padEnd(65_536, ' '));
    expect(status).toBe(200);
  });

  test('may not have 65537 bytes', async () => {
    expectTooLarge(await sendBody(route, valid.padEnd(65_537, ' ')));
  });

  test('may not have 65537 bytes without saying so first', async () => {
    const answer = await stack.send({
      method: route.method,
      path: pathOf(route, IDS),
      headers: { authorization: `Bearer ${await tokenFor(route)}`, ...JSON_TYPE },
      body: valid.padEnd(65_537, ' '),
      chunked: true,
    });
    expectTooLarge(answer);
  });

  test('is measured in bytes, not in characters', async () => {
    expectTooLarge(await sendBody(route, JSON.stringify({ ...route.body, extra: 'ä'.repeat(32_760) })));
  });

  test('may not be large and malformed either', async () => {
    expectTooLarge(await sendBody(route, '{'.repeat(65_537)));
  });

  test('is refused when it is deeply nested', async () => {
    expectRefused(await sendBody(route, `${'['.repeat(30_000)}${']'.repeat(30_000)}`));
  });
});

describe('a route that takes no body', () => {
  test.each(
    ROUTES.filter(({ method, body }) => method !== 'GET' && body === undefined).map(
      (route) => [named(route), route] as const,
    ),
  )('takes none of 65537 bytes either: %s', async (_name, route) => {
    expectTooLarge(await sendBody(route, ' '.repeat(65_537)));
  });
});

describe('a list', () => {
  test.each([
    ['messageIds', STATUS],
    ['userIds', ADD_MEMBERS],
  ] as const)('%s has 1 to 100 entries and is an array', async (field, route) => {
    const many = Array.from({ length: 101 }, (_, index) => String(index + 1));
    const refused = async (value: Json) =>
      expectRefused(await sendBody(route, JSON.stringify({ [field]: value })), new RegExp(field));
    await refused(many);
    await refused([]);
    await refused(null);
    await refused('1');
    await refused(1);
    await refused({ 0: '1' });
    await refused({ length: 1, 0: '1' });
    await refused([['1']]);
  });

  test('of 100 message ids is taken', async () => {
    const messageIds = Array.from({ length: 100 }, (_, index) => String(index + 1));
    const { status, body } = await sendBody(STATUS, JSON.stringify({ messageIds }));
    expect(status).toBe(200);
    expect((body as { statuses: Json[] }).statuses).toHaveLength(100);
  });
});

describe('an optional field', () => {
  test.each([
    ['private', '"true"'],
    ['private', '1'],
    ['private', 'null'],
    ['private', '[]'],
    ['ifRevision', '"0"'],
    ['ifRevision', '-1'],
    ['ifRevision', '0.5'],
    ['ifRevision', 'true'],
    ['ifRevision', '[]'],
    ['ifRevision', '9007199254740993'],
  ])('%s is refused as %s', async (field, value) => {
    for (const route of [MARK, MARK_FOR]) {
      expectRefused(await sendBody(route, `{"messageId":"3","${field}":${value}}`), new RegExp(field));
    }
  });

  test.each(['""', '"yesterday"', '"2026-13-01T00:00:00Z"', '"2026-02-30T00:00:00Z"', 'true', '[]', '{}'])(
    'sentAt is refused as %s',
    async (value) => {
      const body = `{"messageId":"4","senderId":"alice","sentAt":${value}}`;
      expectRefused(await sendBody(RECORD, body), /sentAt/);
    },
  );
});

describe('a query parameter of the list of members', () => {
  const list = async (query: string) =>
    stack.call(await stack.serviceToken(), 'GET', `/v1/groups/${groupId}/members?${query}`);

  test.each([
    'limit=0',
    'limit=-1',
    'limit=1.5',
    'limit=1.0',
    'limit=1e1',
    'limit=0x1',
    'limit=01',
    'limit=',
    'limit=%201',
    'limit=1%20',
    'limit=+1',
    'limit=ten',
    'limit=null',
    'limit=NaN',
    'limit=Infinity',
    'limit=18446744073709551615',
    'limit=%EF%BC%91',
    'limit=[1]',
    'limit=1,2',
  ])('is refused as %s', async (query) => {
    expectRefused(await list(query), /limit/);
  });

  test.each([
    ['a space', '%20'],
    ['a zero byte', '%00'],
    ['not of its alphabet', '!!!'],
    ['an emoji', '%F0%9F%98%80'],
    ['an empty object in base64', 'e30'],
    ['an id with a slash in base64', 'YS9i'],
    ['an id with a hash in base64', 'VVNFUiNh'],
    ['an array', '[]'],
    ['2000 characters', 'A'.repeat(2000)],
    ['a path', '../..'],
  ])('is refused as a cursor that is %s', async (_name, cursor) => {
    expectRefused(await list(`cursor=${cursor}`), /cursor/);
  });

  test.each([
    ['limit=1&limit=2', /limit/],
    ['limit=1&limit=1', /limit/],
    ['limit=1&limit=', /limit/],
    ['cursor=YQ&cursor=Yg', /cursor/],
    ['cursor=YQ&cursor=YQ', /cursor/],
  ])('is refused twice: %s', async (query, path) => {
    expectRefused(await list(query), path);
  });
});
