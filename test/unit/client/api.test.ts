import { describe, expect, test } from '@jest/globals';
import { createUserApi } from '../../../client/src/api.ts';
import { TidemarkError } from '../../../client/src/error.ts';
import { createServiceApi } from '../../../client/src/service.ts';
import { createFakeService, marked, type Outcome, problem } from './fake-service.ts';

const MARK = { groupId: 'tea', messageId: '7' };

function apiOf(outcomes: readonly Outcome[], token?: (refused?: string) => string) {
  const left = [...outcomes];
  const service = createFakeService(() => left.shift() ?? { status: 500 });
  return { api: createUserApi({ ...service, ...(token && { token }) }), calls: service.calls };
}

async function errorOf(call: Promise<unknown>): Promise<TidemarkError> {
  const error = await call.then(
    () => new Error('the call succeeded'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof TidemarkError)) throw error;
  return error;
}

describe('a call', () => {
  test('sends the token, and returns the body', async () => {
    const { api, calls } = apiOf([marked('7')], () => 'a-token');
    expect(await api.markRead({ ...MARK, private: true })).toEqual(marked('7').body);
    expect(calls).toEqual([
      {
        method: 'PUT',
        path: '/groups/tea/watermark',
        body: { messageId: '7', private: true },
        bearer: 'a-token',
        keepalive: false,
      },
    ]);
  });

  test('begins at the start with the cursor null that the last answer has, and keeps every other null', async () => {
    const service = createFakeService(() => ({ status: 200, body: {} }));
    const api = createUserApi(service);
    await api.getInbox({ unreadOnly: true, cursor: null });
    await api.markAll({ parentId: 'tea', cursor: null });
    await api.markAll({ cursor: 'next' });
    await api.setPreferences({ groupId: 'tea', mutedUntil: null });
    await createServiceApi(service).exportUser({ userId: 'ann', cursor: null });
    expect(service.calls.map(({ path, body }) => [path, body])).toEqual([
      ['/inbox?unreadOnly=true', null],
      ['/watermarks/all', { parentId: 'tea' }],
      ['/watermarks/all', { cursor: 'next' }],
      ['/groups/tea/preferences', { mutedUntil: null }],
      ['/users/ann/export', null],
    ]);
  });

  test('needs no fields where none is required', async () => {
    const service = createFakeService(() => ({ status: 200, body: {} }));
    const api = createUserApi(service);
    await api.getBadge();
    await api.getInbox();
    await api.markAll(undefined, { keepalive: true });
    expect(service.calls.map(({ path, body, keepalive }) => [path, body, keepalive])).toEqual([
      ['/badge', null, false],
      ['/inbox', null, false],
      ['/watermarks/all', {}, true],
    ]);
  });

  test('asks for another token once where the service refuses one', async () => {
    const asked: (string | undefined)[] = [];
    const { api, calls } = apiOf(
      [{ status: 401, body: { message: 'Unauthorized' } }, marked('7')],
      (refused) => {
        asked.push(refused);
        return refused === undefined ? 'old' : 'new';
      },
    );
    await api.markRead(MARK);
    expect(asked).toEqual([undefined, 'old']);
    expect(calls.map(({ bearer }) => bearer)).toEqual(['old', 'new']);
  });

  test('is not sent again with the same token, nor with a second new one', async () => {
    const same = apiOf([problem(401, 'unauthorized'), marked('7')], () => 'same');
    expect(await errorOf(same.api.markRead(MARK))).toMatchObject({ status: 401, code: 'unauthorized' });
    expect(same.calls).toHaveLength(1);
    let count = 0;
    const twice = apiOf([problem(401, 'unauthorized'), problem(401, 'unauthorized'), marked('7')], () => {
      count += 1;
      return `token ${count}`;
    });
    expect(await errorOf(twice.api.markRead(MARK))).toMatchObject({ status: 401 });
    expect(twice.calls).toHaveLength(2);
  });

  test.each([
    ['a problem', problem(404, 'not_found'), { status: 404, code: 'not_found', retryAfter: null }],
    [
      'a problem with Retry-After',
      { ...problem(503, 'unavailable'), retryAfter: '7' },
      { status: 503, code: 'unavailable', retryAfter: 7 },
    ],
    [
      "the gateway's own answer",
      { status: 429, body: { message: 'Too Many Requests' }, retryAfter: '1' },
      { status: 429, code: 'throttled', problem: null, retryAfter: 1 },
    ],
    [
      'a date in Retry-After',
      { ...problem(503, 'unavailable'), retryAfter: 'Wed, 25 Nov 2026 18:55:26 GMT' },
      { retryAfter: null },
    ],
    [
      'a page of a proxy in place of a refusal',
      { status: 404, body: '<html>' },
      { status: 404, code: 'network', problem: null },
    ],
    [
      'a page of a proxy in place of an answer',
      { status: 200, body: '<html>log in first' },
      { status: 200, code: 'network', problem: null },
    ],
    ['an answer that was cut off', { status: 200 }, { status: 200, code: 'network', problem: null }],
    ['no network', 'no network' as const, { status: 0, code: 'network', problem: null, retryAfter: null }],
  ])('throws %s', async (_name, outcome: Outcome, expected) => {
    const { api } = apiOf([outcome]);
    expect(await errorOf(api.markRead(MARK))).toMatchObject(expected);
  });

  test('gives the state in a conflict', async () => {
    const { api } = apiOf([problem(409, 'revision_conflict', { messageId: '5', revision: 3 })]);
    const error = await errorOf(api.markRead({ ...MARK, ifRevision: 2 }));
    expect(error.problem).toMatchObject({ code: 'revision_conflict', messageId: '5', revision: 3 });
  });

  test('ends after its time, and when it is aborted', async () => {
    const never: Outcome = new Promise(() => undefined);
    const hanging = createFakeService(() => never);
    const fetch: typeof hanging.fetch = (url, init) =>
      Promise.race([
        hanging.fetch(url, init),
        new Promise<never>((_resolve, reject) => {
          init.signal.throwIfAborted();
          init.signal.addEventListener('abort', () => reject(init.signal.reason));
        }),
      ]);
    const api = createUserApi({ url: hanging.url, fetch, timeoutMs: 10 });
    expect(await errorOf(api.markRead(MARK))).toMatchObject({ status: 0, code: 'network' });
    const controller = new AbortController();
    const call = api.markRead(MARK, { signal: controller.signal });
    controller.abort(new Error('no longer needed'));
    await expect(call).rejects.toThrow('no longer needed');
  });

  test('returns the health, also where that is not well', async () => {
    const ill = { status: 'unavailable', ledger: 'unavailable', cache: 'ok' };
    const api = createServiceApi(createFakeService(() => ({ status: 503, body: ill })));
    expect(await api.checkHealth()).toEqual(ill);
  });

  test.each(['', '.', '..'])('refuses the id "%s", which a URL would lose', async (id) => {
    const service = createFakeService(() => ({ status: 204 }));
    const api = createServiceApi(service);
    await expect(api.removeMember({ groupId: 'tea', userId: id })).rejects.toThrow(RangeError);
    expect(() => api.onBehalfOf(id)).toThrow(RangeError);
    expect(service.calls).toEqual([]);
  });

  test.each([202, 204])('returns undefined for the status %i, which has no body', async (status) => {
    const api = createServiceApi(createFakeService(() => ({ status })));
    expect(await api.removeMember({ groupId: 'tea', userId: 'ann' })).toBeUndefined();
  });
});
