import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { answerFrame } from '../../../functions/runtime/frames.ts';
import type { UserId } from '../../../shared/domain/ids.ts';

type Served = Parameters<typeof answerFrame>[0];

/** A part of the service of which no call ever ends. */
const hanging: object = new Proxy(() => undefined, {
  get: (_target, name) => (name === 'then' ? undefined : hanging),
  apply: () => new Promise(() => undefined),
});

const live = {
  ...{ cache: hanging, connections: hanging, sockets: hanging, table: hanging },
  tidemark: { ledger: hanging, cache: hanging, nowMs: () => 1_000, mode: 'strict' },
} as unknown as Served;

const caller = {
  ...{ userId: 'alice' as UserId, connectionId: 'c1' },
  ...{ connectedAtMs: 0, tokenExpiresAtMs: 2_000 },
};

const answerTo = (frame: object) =>
  answerFrame(live, {
    text: JSON.stringify(frame),
    requestId: 'the-request',
    caller,
    // What Lambda gives a frame whose deadline is a moment away.
    context: { getRemainingTimeInMillis: () => 510 },
  });

const warnings: unknown[] = [];
beforeEach(() => {
  warnings.length = 0;
  jest.spyOn(console, 'warn').mockImplementation((line) => void warnings.push(line));
});
afterEach(() => {
  jest.restoreAllMocks();
});

describe('a frame that is not answered before the deadline', () => {
  test.each(['mark', 'delivered', 'unread'])('gets the 503 of the route: %s', async (action) => {
    expect(await answerTo({ action, ref: 'r1', groupId: 'tea', messageId: '7' })).toEqual({
      type: 'answer',
      ref: 'r1',
      status: 503,
      body: {
        type: 'about:blank',
        title: 'Temporarily unavailable',
        status: 503,
        code: 'unavailable',
        detail: 'The service cannot take this request right now. Please retry.',
        requestId: 'the-request',
      },
    });
    expect(warnings).toMatchObject([
      { requestId: 'the-request', error: { message: 'the request was not answered before its deadline' } },
    ]);
  });

  test('gets an error where no route does the same: sync', async () => {
    expect(await answerTo({ action: 'sync', ref: 'r1', groups: ['tea'] })).toEqual({
      type: 'error',
      ref: 'r1',
      code: 'unavailable',
      detail: 'The service cannot take this request right now. Please retry.',
    });
  });
});
