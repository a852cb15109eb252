import { describe, expect, test } from '@jest/globals';
import { aProblem, PROBLEM_TYPE } from '../support/expected-answers.ts';
import { withPreparedGroup } from '../support/prepared-group.ts';
import { bodyOf, nameOf, pathOf, ROUTES, type Route, routeOf } from '../support/prepared-group-routes.ts';
import type { Answer, Json, RawRequest } from '../support/running-stack.ts';

const prepared = withPreparedGroup();
const { groupId } = prepared;
const IDS = { groupId, userId: 'bob', messageId: '1' };

const tokenFor = ({ scope }: Route) =>
  scope === 'user' ? prepared.stack.userToken('bob') : prepared.stack.serviceToken();

/** An answer with its request, which a failure then shows. */
type Answered = Answer & { readonly to: string };

async function send(route: Route, path: string, request: Omit<RawRequest, 'method' | 'path'> = {}) {
  const { method } = route;
  const headers = { authorization: `Bearer ${await tokenFor(route)}`, ...request.headers };
  const answer = await prepared.stack.send({ ...request, method, path, headers });
  return { ...answer, to: `${method} ${path} ${request.body ?? ''}`.slice(0, 300) };
}

const JSON_TYPE = { 'content-type': 'application/json' };

/** Sends a route's request with another body, which need not be JSON. */
const sendBody = (route: Route, body: string | Buffer, headers: Record<string, string> = JSON_TYPE) =>
  send(route, pathOf(route, IDS), { headers, body });

/** Sends a route's request with other, unescaped ids in its path, or with a query. */
function sendTo(route: Route, ids: Partial<typeof IDS>, query = '') {
  const body = bodyOf(route, IDS);
  const path = `${pathOf(route, { ...IDS, ...ids })}${query}`;
  return send(route, path, body === undefined ? {} : { headers: JSON_TYPE, body });
}

/** The contract's answer to a malformed request, in its own words. It names the wrong field, if it is a single one. */
function expectRefused(answer: Answered, path = /^/) {
  expectProblem(answer, 400, 'invalid_request');
  const { errors, detail } = answer.body as { errors: { path: string; message: string }[]; detail: string };
  const { to } = answer;
  expect({ to, refused: errors.find((error) => path.test(error.path)), detail }).toEqual({
    to,
    refused: { path: expect.any(String), message: expect.stringMatching(/^(?!Invalid ).*\w+ \w+/) },
    detail: expect.stringMatching(path),
  });
}

function expectTooLarge(answer: Answered) {
  expectProblem(answer, 413, 'too_large');
  expect(answer.body).not.toHaveProperty('errors');
}

function expectProblem({ to, status, contentType, body }: Answered, expected: number, code: string) {
  expect({ to, status, contentType, body }).toMatchObject({
    to,
    status: expected,
    contentType: expect.stringMatching(PROBLEM_TYPE),
    body: aProblem(expected, code),
  });
}

function expectAccepted({ to, status, text }: Answered) {
  expect({ to, status, text }).toEqual({ to, status: 200, text: expect.stringMatching(/^\{/) });
}

const named = (routes: readonly Route[]) => routes.map((route) => [nameOf(route), route] as const);
const routesWith = (parameter: string) => ROUTES.filter(({ path }) => path.includes(`{${parameter}}`));
const routesWithBody = ROUTES.filter(({ body }) => body !== undefined);

const MARK = routeOf('PUT /v1/groups/{groupId}/watermark');
const MARK_FOR = routeOf('PUT /v1/users/{userId}/groups/{groupId}/watermark');
const MARK_UNREAD = routeOf('POST /v1/groups/{groupId}/unread');
const MARK_DELIVERED = routeOf('PUT /v1/groups/{groupId}/delivered');
const MARK_GROUPS = routeOf('POST /v1/watermarks');
const STATUS = routeOf('POST /v1/groups/{groupId}/messages/status');
const COUNT_RECEIPTS = routeOf('POST /v1/groups/{groupId}/receipts');
const LIST_RECEIPTS = routeOf('GET /v1/groups/{groupId}/messages/{messageId}/receipts');
const INBOX = routeOf('GET /v1/inbox');
const ADD_MEMBERS = routeOf('POST /v1/groups/{groupId}/members');
const LIST_MEMBERS = routeOf('GET /v1/groups/{groupId}/members');
const RECORD = routeOf('POST /v1/groups/{groupId}/messages');
const RECORD_SEVERAL = routeOf('POST /v1/messages');
const MARK_ALL = routeOf('POST /v1/watermarks/all');
const COUNT_BADGES = routeOf('POST /v1/badges');

/** A valid mark, which would move Bob's watermark. */
const A_MARK = `{"groupId":"${groupId}","messageId":"3"}`;
const marks = (...entries: string[]) => `{"marks":[${entries}]}`;
/** A valid message, which would raise the head. */
const A_MESSAGE = `{"groupId":"${groupId}","messageId":"4","senderId":"alice"}`;
const messages = (...entries: string[]) => `{"messages":[${entries}]}`;

/** A place of an id in a body, with the rest of the body. */
type Place = readonly [route: Route, bodyWith: (id: string) => string, path: RegExp];

const PLACES_OF_MESSAGE_IDS: readonly Place[] = [
  [MARK, (id) => `{"messageId":${id}}`, /messageId/],
  [MARK, (id) => `{"messageId":${id},"private":true}`, /messageId/],
  [MARK_FOR, (id) => `{"messageId":${id}}`, /messageId/],
  [MARK_UNREAD, (id) => `{"messageId":${id}}`, /messageId/],
  [MARK_DELIVERED, (id) => `{"messageId":${id}}`, /messageId/],
  [MARK_GROUPS, (id) => marks(markOf(id)), /marks\.0\.messageId/],
  [MARK_GROUPS, (id) => marks(A_MARK, markOf(id), A_MARK), /marks\.1\.messageId/],
  [RECORD, (id) => `{"messageId":${id},"senderId":"alice"}`, /messageId/],
  [RECORD_SEVERAL, (id) => messages(A_MESSAGE, sentAs({ messageId: id })), /messages\.1\.messageId/],
  [STATUS, (id) => `{"messageIds":[${id}]}`, /messageIds\W?0/],
  [STATUS, (id) => `{"messageIds":["1","2",${id},"3"]}`, /messageIds\W?2/],
  [COUNT_RECEIPTS, (id) => `{"messageIds":[${id}]}`, /messageIds\W?0/],
  [COUNT_RECEIPTS, (id) => `{"messageIds":["1","2",${id},"3"]}`, /messageIds\W?2/],
];

const PLACES_OF_OTHER_IDS: readonly Place[] = [
  [ADD_MEMBERS, (id) => `{"userIds":[${id}]}`, /userIds\W?0/],
  [ADD_MEMBERS, (id) => `{"userIds":["carol",${id}]}`, /userIds\W?1/],
  [RECORD, (id) => `{"messageId":"4","senderId":${id}}`, /senderId/],
  [RECORD, (id) => `{"messageId":"4","senderId":"alice","mentions":["bob",${id}]}`, /mentions\W?1/],
  [RECORD_SEVERAL, (id) => messages(A_MESSAGE, sentAs({ senderId: id })), /messages\.1\.senderId/],
  [RECORD_SEVERAL, (id) => messages(A_MESSAGE, sentAs({ groupId: id })), /messages\.1\.groupId/],
  [RECORD_SEVERAL, (id) => messages(sentAs({ mentions: `[${id}]` })), /messages\.0\.mentions\.0/],
  [MARK_ALL, (id) => `{"parentId":${id}}`, /parentId/],
  [COUNT_BADGES, (id) => `{"userIds":[${id}]}`, /userIds\W?0/],
  [COUNT_BADGES, (id) => `{"userIds":["bob",${id}]}`, /userIds\W?1/],
  [MARK_GROUPS, (id) => marks(inGroup(id)), /marks\.0\.groupId/],
  [MARK_GROUPS, (id) => marks(A_MARK, A_MARK, inGroup(id), A_MARK), /marks\.2\.groupId/],
];

/** A message of a batch, with fields in the form of a body's text. */
function sentAs(fields: Readonly<Record<string, string>>): string {
  const all = { groupId: `"${groupId}"`, messageId: '"4"', senderId: '"alice"', ...fields };
  return `{${Object.entries(all).map(([name, value]) => `"${name}":${value}`)}}`;
}

function markOf(messageId: string) {
  return `{"groupId":"${groupId}","messageId":${messageId}}`;
}

function inGroup(id: string) {
  return `{"groupId":${id},"messageId":"3"}`;
}

/** In the form of a body's text. */
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

/** In the form of a path. */
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

/** Of groups and users, in the form of a path. */
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
  ['braces', '%7Ba%7D'],
  ['an angle bracket', '%3Cb%3E'],
  ['a quote', 'a%22b'],
  ['an apostrophe', "a'b"],
  ['a comma', 'a,b'],
  ['a semicolon', 'a;b'],
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

/** Of groups and users, in the form of a body's text. */
const BAD_IDS = [
  ['empty', '""'],
  ['a space', '" "'],
  ['a space at the end', '"bob "'],
  ['a line feed at the end', '"bob\\n"'],
  ['a slash', '"a/b"'],
  ['a parent directory', '"../etc"'],
  ['an escape', '"a%2Fb"'],
  ['a percent sign', '"a%"'],
  ['a zero byte', '"a\\u0000"'],
  ['a tab', '"a\\tb"'],
  ['a delete character', '"a\\u007fb"'],
  ['a C1 control character', '"a\\u0085b"'],
  ['a hash', '"USER#a"'],
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

// One test for all places of an id: after each test the state is compared, which takes longer than the test.
describe('an id in a body', () => {
  test.each(BAD_MESSAGE_IDS)('of a message is refused if it is %s', async (_name, id) => {
    for (const [route, bodyWith, path] of PLACES_OF_MESSAGE_IDS) {
      expectRefused(await sendBody(route, bodyWith(id)), path);
    }
  });

  test.each(BAD_IDS)('of a user or group is refused if it is %s', async (_name, id) => {
    for (const [route, bodyWith, path] of PLACES_OF_OTHER_IDS) {
      expectRefused(await sendBody(route, bodyWith(id)), path);
    }
  });
});

describe('an id in a path', () => {
  test.each(BAD_MESSAGE_ID_SEGMENTS)('of a message is refused as %s', async (messageId) => {
    for (const route of routesWith('messageId')) {
      expectRefused(await sendTo(route, { messageId }), /messageId/);
    }
  });

  describe.each(['groupId', 'userId'] as const)('%s', (parameter) => {
    test.each(BAD_ID_SEGMENTS)('is refused with %s', async (_name, segment) => {
      for (const route of routesWith(parameter)) {
        expectRefused(await sendTo(route, { [parameter]: segment }), new RegExp(parameter));
      }
    });
  });

  describe.each(['groupId', 'userId', 'messageId'] as const)('%s', (parameter) => {
    test.each(MALFORMED_ESCAPES)('is refused as %s, which cannot be decoded', async (segment) => {
      for (const route of routesWith(parameter)) expectRefused(await sendTo(route, { [parameter]: segment }));
    });

    test('with a slash matches no other route', async () => {
      for (const route of routesWith(parameter)) {
        const { to, status, contentType } = await sendTo(route, { [parameter]: 'a/b' });
        expect({ to, status }).toEqual({ to, status: 404 });
        expect(contentType).toMatch(PROBLEM_TYPE);
      }
    });
  });
});

describe.each(named(routesWithBody))('the body of %s', (_name, route) => {
  const valid = bodyOf(route, IDS) ?? '';
  const fields = Object.keys(route.body ?? {});

  test.each([
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
  ])('is refused if it is %s', async (_name, body) => {
    expectRefused(await sendBody(route, body));
  });

  test('is refused if it is not UTF-8', async () => {
    // One byte 0xff in an id, in a body that is otherwise well formed.
    const body = Buffer.from(valid.replace(/"(\w+)"(?=[\]},])/, '"\u00ff$1"'), 'latin1');
    expect(body).toContain(0xff);
    expectRefused(await sendBody(route, body));
  });

  const testNeeded = route.isBodyOptional ? test.skip : test;

  testNeeded('is refused if it is missing', async () => {
    expectRefused(await send(route, pathOf(route, IDS), { headers: JSON_TYPE }));
    expectRefused(await sendBody(route, ''));
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

  testNeeded.each(fields)('is refused without %s', async (field) => {
    const { [field]: _missing, ...rest } = route.body ?? {};
    // Some need any one of their fields: that fault is the body's.
    const needsAny =
      route.method === 'PATCH' || `${route.method} ${route.path}` === 'PUT /v1/groups/{groupId}';
    const path = needsAny ? /^/ : new RegExp(field);
    expectRefused(await sendBody(route, JSON.stringify(rest)), path);
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
    'is accepted as %s',
    async (contentType) => {
      expectAccepted(await sendBody(route, valid, { 'content-type': contentType }));
    },
  );

  test('can have 65536 bytes', async () => {
    expectAccepted(await sendBody(route, valid.padEnd(65_536, ' ')));
  });

  test('cannot have 65537 bytes', async () => {
    expectTooLarge(await sendBody(route, valid.padEnd(65_537, ' ')));
  });

  test('cannot have 65537 bytes without a content length', async () => {
    const body = valid.padEnd(65_537, ' ');
    expectTooLarge(await send(route, pathOf(route, IDS), { headers: JSON_TYPE, body, chunked: true }));
  });

  test('is measured in bytes, not in characters', async () => {
    expectTooLarge(await sendBody(route, JSON.stringify({ ...route.body, extra: 'ä'.repeat(32_760) })));
  });

  test('is also too large if it is malformed', async () => {
    expectTooLarge(await sendBody(route, '{'.repeat(65_537)));
  });

  test('is refused if it is deeply nested', async () => {
    expectRefused(await sendBody(route, `${'['.repeat(30_000)}${']'.repeat(30_000)}`));
  });
});

describe('a route without a body', () => {
  test.each(named(ROUTES.filter(({ method, body }) => method !== 'GET' && body === undefined)))(
    'also refuses a body of 65537 bytes: %s',
    async (_name, route) => {
      expectTooLarge(await sendBody(route, ' '.repeat(65_537)));
    },
  );
});

describe('an array', () => {
  const ids = (count: number) => Array.from({ length: count }, (_, index) => String(index + 1));
  const ARRAYS: readonly (readonly [string, Route, (count: number) => Json[]])[] = [
    ['messageIds of statuses', STATUS, ids],
    ['messageIds of receipts', COUNT_RECEIPTS, ids],
    ['userIds', ADD_MEMBERS, ids],
    ['userIds of badges', COUNT_BADGES, ids],
    ['marks', MARK_GROUPS, (count) => ids(count).map((messageId) => ({ groupId, messageId }))],
    [
      'messages',
      RECORD_SEVERAL,
      (count) => ids(count).map((messageId) => ({ groupId, messageId, senderId: 'alice' })),
    ],
  ];

  test.each(ARRAYS)('of %s has 1 to 100 entries and is an array', async (name, route, entries) => {
    const [field = ''] = name.split(' ');
    const one = entries(1);
    const values: Json[] = [entries(101), [], null, '1', 1, { 0: one }, { length: 1, 0: one }, [one]];
    for (const value of values) {
      expectRefused(await sendBody(route, JSON.stringify({ [field]: value })), new RegExp(field));
    }
  });

  test.each([
    ['statuses', STATUS, { messageIds: ids(100) }],
    ['receipts', COUNT_RECEIPTS, { messageIds: ids(100) }],
    ['badges', COUNT_BADGES, { userIds: ids(100) }],
    ['results', MARK_GROUPS, { marks: ids(100).map(() => ({ groupId, messageId: '1' })) }],
    [
      'results',
      RECORD_SEVERAL,
      { messages: ids(100).map(() => ({ groupId, messageId: '1', senderId: 'alice' })) },
    ],
  ] as const)('of 100 entries has as many %s', async (field, route, body) => {
    const answer = await sendBody(route, JSON.stringify(body));
    expectAccepted(answer);
    expect((answer.body as Record<string, Json[]>)[field]).toHaveLength(100);
  });
});

describe('the answer to a wrong request', () => {
  const LISTS_OF_BODIES: readonly (readonly [string, Route])[] = [
    ['messageIds', STATUS],
    ['messageIds', COUNT_RECEIPTS],
    ['userIds', ADD_MEMBERS],
    ['userIds', COUNT_BADGES],
    ['marks', MARK_GROUPS],
    ['messages', RECORD_SEVERAL],
  ];
  const MAX_BYTES = 16_384;

  /** A refusal that lists at most 20 faults. */
  function expectBounded(answer: Answered) {
    const { to, text, body } = answer;
    expectProblem(answer, 400, 'invalid_request');
    expect({ to, bytes: Buffer.byteLength(text) <= MAX_BYTES || text.length }).toEqual({ to, bytes: true });
    expect((body as { errors: Json[] }).errors.length).toBeLessThanOrEqual(20);
  }

  describe.each(LISTS_OF_BODIES)('in %s of a body', (field, route) => {
    const many = (entry: string, count: number) => `{"${field}":[${new Array(count).fill(entry)}]}`;

    test.each([
      ['zeros', '0', 32_000],
      ['empty texts', '""', 21_000],
      ['empty objects', '{}', 21_000],
      ['objects of an unknown field', '{"x":0}', 8_000],
      ['objects of faulty fields', '{"groupId":0,"messageId":0,"private":0,"x":0}', 1_400],
      ['lists', '[0]', 16_000],
    ])('names only the length if there are too many: %s', async (_name, entry, count) => {
      const answer = await sendBody(route, many(entry, count));
      expectBounded(answer);
      expect((answer.body as { errors: Json[] }).errors).toEqual([
        { path: field, message: 'must have at most 100 entries' },
      ]);
    });

    test.each([
      ['zeros', '0'],
      ['long texts', `"${'x'.repeat(600)}"`],
      ['objects of a long unknown field', `{"${'x'.repeat(600)}":0}`],
      ['objects of an unknown field of two bytes a character', `{"${'ä'.repeat(300)}":0}`],
      ['objects of an unknown field of six bytes a character', `{"${'\\u0000'.repeat(100)}":0}`],
      ['objects of faulty fields', '{"groupId":0,"messageId":0,"private":0,"x":0}'],
    ])('lists 20 faults of a hundred and counts the others: %s', async (_name, entry) => {
      const answer = await sendBody(route, many(entry, 100));
      expectBounded(answer);
      const { errors, detail } = answer.body as { errors: Json[]; detail: string };
      expect(errors).toHaveLength(20);
      expect(detail).toMatch(/; and \d+ more$/);
    });
  });

  test.each(named(routesWithBody))('stays small for every body: %s', async (_name, route) => {
    const long = ['x', 'ä', '😀', '"', '\\', '\n', '\u0000', '\u2028'].map((one) =>
      one.repeat(Math.floor(60_000 / (Buffer.byteLength(JSON.stringify(one)) - 2))),
    );
    const names = Array.from({ length: 5_000 }, (_, index) => `"k${index}":0`);
    for (const body of [
      ...long.map((name) => `{${JSON.stringify(name)}:1}`),
      ...long.map((name) => JSON.stringify(name)),
      ...long,
      `{${names}}`,
      `${'{"a":'.repeat(10_000)}1`,
      '"a":1,'.repeat(10_000),
    ]) {
      expectBounded(await sendBody(route, body));
    }
  });

  test.each(named(ROUTES))('stays small for every path and query: %s', async (_name, route) => {
    const long = ['x', '%C3%A4', '%F0%9F%98%80', '%00', '%22', '%5C'].map((one) =>
      one.repeat(Math.floor(6_000 / one.length)),
    );
    const names = Array.from({ length: 1_000 }, (_, index) => `k${index}`).join('&');
    for (const query of [...long, ...long.map((name) => `${name}=1&${name}=2`), names, `${names}&${names}`]) {
      expectBounded(await sendTo(route, {}, `?${query}`));
    }
    for (const parameter of ['groupId', 'userId', 'messageId']) {
      if (!route.path.includes(`{${parameter}}`)) continue;
      for (const segment of long) expectBounded(await sendTo(route, { [parameter]: segment }));
    }
  });

  test('stays small if the body is too large or has another type', async () => {
    const type = `text/${'x'.repeat(8_000)}`;
    expectBounded(await sendBody(MARK, '{}', { 'content-type': type }));
    expectTooLarge(await sendBody(MARK, '\u0000'.repeat(1_000_000)));
  });
});

describe('an unknown query parameter', () => {
  test.each(named(ROUTES))('is refused: %s', async (_name, route) => {
    for (const name of ['x', 'userId', 'Limit', 'messageId', 'constructor', '__proto__', '']) {
      expectRefused(await sendTo(route, {}, `?${name}=1`), new RegExp(`^${name}`));
    }
  });

  test('is also refused without a token', async () => {
    const answer = await prepared.stack.send({ method: 'GET', path: '/v1/health?x=1' });
    expectRefused({ ...answer, to: 'GET /v1/health?x=1' }, /^x/);
  });
});

describe('a mark of a batch', () => {
  test.each(['null', 'true', '3', '"3"', '[]', `[${A_MARK}]`, '{}'])('is refused as %s', async (entry) => {
    expectRefused(await sendBody(MARK_GROUPS, marks(entry)), /marks\.0/);
    expectRefused(await sendBody(MARK_GROUPS, marks(A_MARK, entry, A_MARK)), /marks\.1/);
  });

  test.each([
    ['groupId', '{"messageId":"3"}'],
    ['messageId', `{"groupId":"${groupId}"}`],
  ])('is refused without %s', async (field, entry) => {
    expectRefused(await sendBody(MARK_GROUPS, marks(A_MARK, entry)), new RegExp(`marks\\.1\\.${field}`));
  });

  test.each(['extra', 'userId', 'MessageId', '', '__proto__'])(
    'is refused with the unknown field "%s"',
    async (field) => {
      const entry = `${A_MARK.slice(0, -1)},${JSON.stringify(field)}:1}`;
      expectRefused(await sendBody(MARK_GROUPS, marks(A_MARK, entry)), new RegExp(`marks\\.1\\.${field}`));
    },
  );

  test('is reported with every other mistake', async () => {
    const answer = await sendBody(MARK_GROUPS, marks(markOf('0'), A_MARK, inGroup('""'), markOf('null')));
    expectRefused(answer, /marks\.0\.messageId/);
    expectRefused(answer, /marks\.2\.groupId/);
    expectRefused(answer, /marks\.3\.messageId/);
  });
});

describe('private', () => {
  test.each(['"true"', '"false"', '""', '1', '0', 'null', '[]', '[true]', '{}'])(
    'is refused as %s',
    async (value) => {
      const optional = `"private":${value}`;
      for (const route of [MARK, MARK_FOR]) {
        expectRefused(await sendBody(route, `{"messageId":"3",${optional}}`), /private/);
      }
      const entry = `${A_MARK.slice(0, -1)},${optional}}`;
      expectRefused(await sendBody(MARK_GROUPS, marks(A_MARK, entry)), /marks\.1\.private/);
    },
  );

  test.each(['true', 'false'])('is accepted as %s', async (value) => {
    for (const route of [MARK, MARK_FOR]) {
      expectAccepted(await sendBody(route, `{"messageId":"1","private":${value}}`));
    }
    const entry = `{"groupId":"${groupId}","messageId":"1","private":${value}}`;
    expectAccepted(await sendBody(MARK_GROUPS, marks(entry)));
  });
});

describe('ifRevision', () => {
  test.each([
    ['zero as text', '"0"'],
    ['the current one as text', '"1"'],
    ['empty', '""'],
    ['negative', '-1'],
    ['fractional', '0.5'],
    ['1.5', '1.5'],
    ['a whole number with a fraction', '1.0'],
    ['an exponent', '1e2'],
    ['an exponent that makes it the current one', '10e-1'],
    ['2^53', '9007199254740992'],
    ['2^53 + 1', '9007199254740993'],
    ['beyond doubles', '1e400'],
    ['null', 'null'],
    ['true', 'true'],
    ['false', 'false'],
    ['an array', '[]'],
    ['an array of the current one', '[1]'],
    ['an object', '{}'],
  ])('is refused when it is %s: %s', async (_name, value) => {
    for (const route of [MARK, MARK_FOR]) {
      expectRefused(await sendBody(route, `{"messageId":"3","ifRevision":${value}}`), /ifRevision/);
    }
  });

  test('is accepted if it is the current revision', async () => {
    for (const route of [MARK, MARK_FOR]) {
      expectAccepted(await sendBody(route, '{"messageId":"1","ifRevision":1}'));
      expectAccepted(await sendBody(route, '{"messageId":"1","private":true,"ifRevision":1}'));
    }
  });

  test.each(['0', '2', '9007199254740991'])(
    'is a conflict, not a malformed value, as %s',
    async (revision) => {
      for (const route of [MARK, MARK_FOR]) {
        const answer = await sendBody(route, `{"messageId":"1","ifRevision":${revision}}`);
        expectProblem(answer, 409, 'revision_conflict');
        const current = {
          messageId: '2',
          revision: 1,
          unread: { count: 1, mentions: 0, firstId: '3', exact: true },
        };
        expect(answer.body).toMatchObject({ groupId, userId: 'bob', ...current });
      }
    },
  );
});

describe('a field of another route', () => {
  test.each([
    ['private', MARK_UNREAD, '{"messageId":"1","private":true}'],
    ['ifRevision', MARK_UNREAD, '{"messageId":"1","ifRevision":1}'],
    ['private', MARK_DELIVERED, '{"messageId":"3","private":true}'],
    ['ifRevision', MARK_DELIVERED, '{"messageId":"3","ifRevision":1}'],
    ['private', MARK_GROUPS, `{"marks":[${A_MARK}],"private":true}`],
    ['ifRevision', MARK_GROUPS, `{"marks":[${A_MARK}],"ifRevision":1}`],
    ['messageIds', MARK, '{"messageId":"3","messageIds":["3"]}'],
    ['state', COUNT_RECEIPTS, '{"messageIds":["3"],"state":"read"}'],
  ])('%s is unknown', async (field, route, body) => {
    expectRefused(await sendBody(route, body), new RegExp(field));
  });
});

describe('what a recording says of a message', () => {
  test.each([
    ...['silent', 'advanceSender'].flatMap((name) =>
      ['"true"', '1', 'null', '[]', '{}'].map((value) => [name, value] as const),
    ),
    ...['""', '"some"', '"ALL"', '[]', 'null', 'true', '{}', '{"0":"bob"}', '[["bob"]]'].map(
      (value) => ['mentions', value] as const,
    ),
    ['mentions', JSON.stringify(Array.from({ length: 101 }, (_, index) => `user-${index}`))],
  ])('is refused if %s is %s', async (name, value) => {
    const body = `{"messageId":"4","senderId":"alice","${name}":${value}}`;
    expectRefused(await sendBody(RECORD, body), new RegExp(name));
    expectRefused(
      await sendBody(RECORD_SEVERAL, messages(A_MESSAGE, sentAs({ [name]: value }))),
      new RegExp(`messages\\.1\\.${name}`),
    );
  });
});

describe('sentAt', () => {
  test.each([
    ...['""', '"yesterday"', '"2026-13-01T00:00:00Z"', '"2026-02-30T00:00:00Z"', 'true', '[]', '{}'],
    ...['"2026-01-31T24:00:00Z"', '"2026-01-31T12:00:60Z"', '"2026-01-31T12:00:00+24:00"', '1769860800'],
    ...['"2026-01-31T12:00:00"', '"0000-01-01T00:00:00Z"', '"9999-12-31T23:59:59Z"'],
  ])('is refused as %s', async (value) => {
    const body = `{"messageId":"4","senderId":"alice","sentAt":${value}}`;
    expectRefused(await sendBody(RECORD, body), /sentAt/);
  });

  test('is refused if it is more than a day ahead', async () => {
    const sentAt = new Date(Date.now() + 86_400_000 + 60_000).toISOString();
    const body = JSON.stringify({ messageId: '4', senderId: 'alice', sentAt });
    expectRefused(await sendBody(RECORD, body), /sentAt/);
  });
});

describe.each([
  ['members', LIST_MEMBERS, 500],
  ['groups', INBOX, 200],
  ['receipts', LIST_RECEIPTS, 500],
] as const)('a query parameter of the list of %s', (_name, route, most) => {
  const list = (query: string) => sendTo(route, {}, `?${query}`);

  test.each([
    'limit=0',
    `limit=${most + 1}`,
    'limit=-1',
    'limit=1.5',
    'limit=1.0',
    'limit=1e1',
    'limit=0x1',
    'limit=01',
    'limit=',
    'limit',
    'limit=%201',
    'limit=1%20',
    'limit=+1',
    'limit=abc',
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

  test('accepts the smallest and the largest limit', async () => {
    expectAccepted(await list('limit=1'));
    expectAccepted(await list(`limit=${most}`));
  });

  test.each([
    ['empty', ''],
    ['a space', '%20'],
    ['a zero byte', '%00'],
    ['not of its alphabet', '!!!'],
    ['an emoji', '%F0%9F%98%80'],
    ['an empty object in base64', 'e30'],
    ['an id with a slash in base64', 'YS9i'],
    ['an id with a hash in base64', 'VVNFUiNh'],
    ['a message id and a user in base64', 'MnxhbGljZQ'],
    ['bars in base64', 'fHx8'],
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
    ['limit=1&%6Cimit=2', /limit/],
    ['cursor=YQ&cursor=Yg', /cursor/],
    ['cursor=YQ&cursor=YQ', /cursor/],
  ])('is refused twice: %s', async (query, path) => {
    expectRefused(await list(query), path);
  });
});

describe.each(['unreadOnly', 'archived'])('%s', (name) => {
  test.each([
    ...['=1', '=0', '=yes', '=on', '=', ''],
    ...['=TRUE', '=False', '=%20true', '=true%20'],
    ...['=null', '=[true]', '=true,false', '=true%00'],
  ])('is refused as %s', async (value) => {
    expectRefused(await sendTo(INBOX, {}, `?${name}${value}`), new RegExp(name));
  });

  test.each(['true', 'false'])('is refused twice, first as %s', async (first) => {
    expectRefused(await sendTo(INBOX, {}, `?${name}=${first}&${name}=true`), new RegExp(name));
  });

  test.each(['true', 'false'])('is accepted as %s', async (value) => {
    expectAccepted(await sendTo(INBOX, {}, `?${name}=${value}`));
  });
});

// In a query, an ampersand ends the value.
const BAD_PARENTS = BAD_ID_SEGMENTS.filter(([, segment]) => !segment.includes('&'));
test.each(BAD_PARENTS)('an inbox of a parent with %s is refused', async (_name, segment) => {
  expectRefused(await sendTo(INBOX, {}, `?parentId=${segment}`), /parentId/);
});

describe('a body that marks all groups', () => {
  test.each(['"true"', '""', '1', '0', 'null', '[]', '[true]', '{}'])(
    'is refused with unmutedOnly as %s',
    async (value) => {
      expectRefused(await sendBody(MARK_ALL, `{"unmutedOnly":${value}}`), /unmutedOnly/);
    },
  );

  test.each(['""', '"e30"', '"!!!"', '1', 'null', '[]', '{"toString":1}'])(
    'is refused with the cursor %s',
    async (cursor) => {
      const answer = await sendBody(MARK_ALL, `{"cursor":${cursor}}`);
      expectRefused(answer, /cursor/);
      const detail = 'cursor: must be a cursor that an earlier page of the same list returned';
      expect(answer.body).toMatchObject({ detail });
    },
  );
});

describe('state', () => {
  test.each([
    ...['state=', 'state', 'state=all', 'state=sent', 'state=Read', 'state=UNREAD', 'state=read,unread'],
    ...['state=%20read', 'state=read%20', 'state=read%00', 'state=1', 'state=null', 'state=[read]'],
    ...['state=constructor', 'state=__proto__', 'state=read&state=read', 'state=read&state=unread'],
  ])('is refused as %s', async (query) => {
    expectRefused(await sendTo(LIST_RECEIPTS, {}, `?${query}`), /state/);
  });

  test.each(['read', 'unread', 'delivered'])('is accepted as %s', async (value) => {
    expectAccepted(await sendTo(LIST_RECEIPTS, {}, `?state=${value}`));
  });
});

const receiptsOf = (messageId: string, state: string) => (query: string) =>
  sendTo(LIST_RECEIPTS, { messageId }, `?state=${state}&${query}`);

/** Lists by their content. Those that give a cursor have more than one entry. */
const LISTS = {
  members: (query: string) => sendTo(LIST_MEMBERS, {}, `?${query}`),
  'members of another group': (query: string) =>
    sendTo(LIST_MEMBERS, { groupId: `${groupId}-quiet` }, `?${query}`),
  inbox: (query: string) => sendTo(INBOX, {}, `?${query}`),
  'unread inbox': (query: string) => sendTo(INBOX, {}, `?unreadOnly=true&${query}`),
  'archived inbox': (query: string) => sendTo(INBOX, {}, `?archived=true&${query}`),
  'inbox of a parent': (query: string) => sendTo(INBOX, {}, `?parentId=tea&${query}`),
  'read 1 of another group': (query: string) =>
    sendTo(LIST_RECEIPTS, { groupId: `${groupId}-quiet` }, `?${query}`),
  'read 1': receiptsOf('1', 'read'),
  'unread 1': receiptsOf('1', 'unread'),
  'delivered 1': receiptsOf('1', 'delivered'),
  'read 3': receiptsOf('3', 'read'),
  'unread 3': receiptsOf('3', 'unread'),
  'delivered 3': receiptsOf('3', 'delivered'),
} as const;

describe('a cursor of another list', () => {
  test.each([
    ['unread 3', 'read 3'],
    ['unread 3', 'delivered 3'],
    ['read 1', 'unread 1'],
    ['delivered 1', 'unread 1'],
    ['read 1', 'delivered 1'],
    ['delivered 1', 'read 1'],
    ['read 1', 'members'],
    ['read 1', 'inbox'],
    ['unread 3', 'members'],
    ['unread 3', 'inbox'],
    ['members', 'read 1'],
    ['members', 'unread 3'],
    ['members', 'inbox'],
    ['inbox', 'read 1'],
    ['inbox', 'unread 3'],
    ['inbox', 'members'],
    ['inbox', 'unread inbox'],
    ['inbox', 'archived inbox'],
    ['inbox', 'inbox of a parent'],
    ['members', 'members of another group'],
    ['read 1', 'read 1 of another group'],
  ] as const)('is refused: one of "%s" for "%s"', async (from, to) => {
    const { body } = await LISTS[from]('limit=1');
    const { cursor } = body as { cursor: Json };
    expect(cursor).toEqual(expect.any(String));
    expectAccepted(await LISTS[from](`cursor=${cursor}`));
    expectRefused(await LISTS[to](`cursor=${cursor}`), /cursor/);
  });
});
