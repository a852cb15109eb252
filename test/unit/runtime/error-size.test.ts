import { describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import * as v from 'valibot';
import { problemAnswer } from '../../../functions/runtime/problem.ts';
import { ok, serve } from '../../../functions/runtime/serve.ts';
import { validate } from '../../../functions/runtime/validate.ts';
import { groupId, listOf, parameters, position, time, userId } from '../../../shared/contract/schemas.ts';
import { type ErrorCode, invalidFields, TidemarkError } from '../../../shared/domain/errors.ts';
import { CONTEXT, proxyEvent } from '../../support/proxy-event.ts';

const MAX_BYTES = 16_384;
const MAX_BODY_BYTES = 65_536;

const CODES: readonly ErrorCode[] = [
  'invalid_request',
  'forbidden',
  'not_found',
  'revision_conflict',
  'too_large',
  'unavailable',
];

/** Characters of one to six bytes in JSON, also escaped ones. */
const CHARACTERS = [
  'a',
  '"',
  '\\',
  '\n',
  '\u0000',
  '\u001f',
  '\u007f',
  'ä',
  '\u2028',
  '好',
  '😀',
  '\ud800',
  '\udfff',
];

const long = fc
  .tuple(fc.constantFrom(...CHARACTERS), fc.integer({ min: 0, max: 60_000 }))
  .map(([character, count]) => character.repeat(count));
const text = fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), long);

const fields = fc.oneof(
  fc.array(fc.record({ path: text, message: text }), { maxLength: 30 }),
  fc
    .tuple(fc.record({ path: fc.string(), message: fc.string() }), fc.integer({ min: 0, max: 32_000 }))
    .map(([field, count]) => Array.from({ length: count }, () => field)),
);

const state = fc.dictionary(
  fc.oneof(fc.string(), long),
  fc.oneof(text, fc.jsonValue(), fc.bigInt(), fc.constant(undefined)),
);

function expectBounded({ body = '' }: { readonly body?: string }): void {
  expect(Buffer.byteLength(body)).toBeLessThanOrEqual(MAX_BYTES);
  const { errors = [] } = JSON.parse(body) as { errors?: unknown[] };
  expect(errors.length).toBeLessThanOrEqual(20);
}

describe('the answer to an error', () => {
  test('is never larger than 16 KiB, for any error', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...CODES),
        ...[text, fields, state, text],
        (code, detail, faults, current, requestId) => {
          const answer = problemAnswer(
            new TidemarkError(code, detail, { fields: faults, state: current }),
            requestId,
          );
          expectBounded(answer);
          expect(JSON.parse(answer.body ?? '')).toMatchObject({ code, status: answer.statusCode });
        },
      ),
    );
  });

  test('is never larger than 16 KiB, for any wrong fields', () => {
    fc.assert(
      fc.property(fields, (faults) => {
        expectBounded(problemAnswer(invalidFields(faults), 'r'));
      }),
    );
  });

  test.each([
    ['no error', undefined],
    ['text', 'x'.repeat(1_000_000)],
    ['a fault of ours', new Error('x'.repeat(1_000_000))],
  ])('shows nothing of the thrown error: %s', (_name, thrown) => {
    expect(JSON.parse(problemAnswer(thrown, 'r').body ?? '')).toEqual({
      type: 'about:blank',
      title: 'Something went wrong on our side',
      status: 500,
      code: 'internal',
      detail: 'The request failed. It is not known whether it took effect; it may be repeated.',
      requestId: 'r',
    });
  });

  test('keeps the current state of a conflict, and the members of the problem itself', () => {
    const current = {
      groupId: 'g'.repeat(128),
      messageId: '3',
      unread: { count: 1, mentions: 0, firstId: '4', exact: true },
      status: 1,
    };
    const error = new TidemarkError('revision_conflict', 'no', { state: current });
    expect(JSON.parse(problemAnswer(error, 'r').body ?? '')).toMatchObject({
      groupId: 'g'.repeat(128),
      messageId: '3',
      unread: { count: 1, mentions: 0, firstId: '4', exact: true },
      status: 409,
    });
  });

  test('lists 20 faults and counts the others', () => {
    const faults = Array.from({ length: 25 }, (_, index) => ({ path: `f${index}`, message: 'is wrong' }));
    const { errors, detail } = JSON.parse(problemAnswer(invalidFields(faults), 'r').body ?? '');
    expect(errors).toHaveLength(20);
    expect(errors[19]).toEqual({ path: 'f19', message: 'is wrong' });
    expect(detail).toMatch(/^f0: is wrong; f1: is wrong; .*; f19: is wrong; and 5 more$/);
  });

  test('counts no others if there are none', () => {
    const faults = Array.from({ length: 20 }, (_, index) => ({ path: `f${index}`, message: 'is wrong' }));
    const { detail } = JSON.parse(problemAnswer(invalidFields(faults), 'r').body ?? '');
    expect(detail).toMatch(/; f19: is wrong$/);
  });

  test('marks a shortened text', () => {
    const { errors } = JSON.parse(
      problemAnswer(invalidFields([{ path: 'é'.repeat(60_000), message: 'is wrong' }]), 'r').body ?? '',
    );
    expect(errors).toEqual([{ path: `${'é'.repeat(62)}…`, message: 'is wrong' }]);
  });
});

const mark = v.strictObject({ groupId, messageId: position, private: v.optional(v.boolean()) });
const FIELDS = {
  marks: v.optional(listOf(mark)),
  messageIds: v.optional(listOf(position)),
  userIds: v.optional(listOf(userId)),
  sentAt: v.optional(time),
};
const BODY = v.strictObject(FIELDS);

describe('a list', () => {
  test.each([
    ['too long', 32_000],
    ['one too long', 101],
  ])('that is %s is refused before its entries are checked', (_name, length) => {
    const check = jest.fn(() => true);
    const schema = v.strictObject({ ids: listOf(v.custom(check)) });
    expect(() => validate(schema, { ids: new Array(length).fill(0) })).toThrow(
      expect.objectContaining({ fields: [{ path: 'ids', message: 'must have at most 100 entries' }] }),
    );
    expect(check).not.toHaveBeenCalled();
  });

  test('that is empty is refused', () => {
    expect(() => validate(BODY, { messageIds: [] })).toThrow('messageIds: must have at least 1 entry');
  });

  test('with a hundred bad entries names 20 and counts the others', () => {
    expect(() => validate(BODY, { messageIds: new Array(100).fill(0) })).toThrow(/; and 80 more$/);
  });
});

describe('the answer to a request', () => {
  const handler = serve(
    {
      name: 'test',
      who: 'anyone',
      at: 'POST /groups/{groupId}/test',
      path: parameters,
      query: { limit: v.optional(v.unknown()) },
      body: FIELDS,
    },
    async () => ok({}),
  );

  /** Up to about 64 KiB of JSON with many mistakes. */
  const filled = (entry: string) => `[${new Array(Math.floor(60_000 / (entry.length + 1))).fill(entry)}]`;
  const entry = fc.oneof(
    fc.constantFrom('0', '""', '{}', 'null', '[]', '1e9', '{"groupId":0,"messageId":0,"private":0,"x":0}'),
    text.map((value) => JSON.stringify(value.slice(0, 600))),
    text.map((name) => `{${JSON.stringify(name.slice(0, 600))}:1}`),
  );
  const entries = fc.oneof(
    entry.map(filled),
    entry.map((one) => `[${new Array(100).fill(one)}]`),
  );
  const field = fc.oneof(
    fc.constantFrom('marks', 'messageIds', 'userIds', 'sentAt'),
    text.map((name) => name.slice(0, 60_000)),
  );
  const value = fc.oneof(entries, entry, fc.json());
  const body = fc.oneof(
    text,
    fc.json(),
    fc.tuple(field, value).map(([name, json]) => `{${JSON.stringify(name)}:${json}}`),
    fc
      .tuple(field, field, value, value)
      .map(([a, b, x, y]) => `{${JSON.stringify(a)}:${x},${JSON.stringify(b)}:${y}}`),
    fc.constantFrom('[', '{"a":', '[[],').map((open) => open.repeat(9_000)),
    fc
      .constantFrom('[', '{"a":')
      .map((open) => `${open.repeat(9_000)}1${(open === '[' ? ']' : '}').repeat(9_000)}`),
    fc.integer({ min: 1, max: 6_000 }).map((count) => {
      const names = Array.from({ length: count }, (_, index) => `"k${index}":0`);
      return `{${names}}`;
    }),
  );
  const query = fc.oneof(
    text.map((name) => encodeURIComponent(name.toWellFormed())),
    text
      .map((name) => `${encodeURIComponent(name.toWellFormed()).slice(0, 8_000)}=1`)
      .map((one) => `${one}&${one}`),
    fc
      .integer({ min: 2, max: 4_000 })
      .map((count) => Array.from({ length: count }, (_, i) => `k${i % (count / 2)}`).join('&')),
  );

  test('is never larger than 16 KiB and never a 500, for any request', async () => {
    const log = jest.spyOn(console, 'error').mockImplementation(() => undefined);
    await fc.assert(
      fc.asyncProperty(body, fc.option(query, { nil: '' }), text, async (sent, queryString, id) => {
        const answer = await handler(
          proxyEvent({ body: sent, query: queryString, params: { groupId: id } }),
          CONTEXT,
        );
        expectBounded(answer);
        expect([200, 400, 413]).toContain(answer.statusCode);
        if (Buffer.byteLength(sent) > MAX_BODY_BYTES) expect(answer.statusCode).not.toBe(200);
      }),
      { numRuns: 300 },
    );
    expect(log).not.toHaveBeenCalled();
    log.mockRestore();
  });
});
