import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { fieldsOf } from '../../local/http/api-client.ts';
import type { Listening } from '../../local/http/loopback.ts';
import {
  describeInChromium,
  FOREIGN_HOST,
  launchChromium,
  openContext,
  startWebSite,
} from '../support/chromium.ts';
import { freshPrefix } from '../support/engines.ts';
import { THROTTLED } from '../support/fault-proxy.ts';
import { withFaultStack } from '../support/fault-stack.ts';

const LOCAL = 'http://localhost:5173';
const NAMED = 'https://chat.example.com';
const FOREIGN = 'https://evil.example';

/** The stack's log of calls. */
const logged: string[] = [];
const faults = withFaultStack({
  log: { line: (text) => logged.push(text), output: () => undefined },
  context: { corsOrigins: NAMED },
});
let groupId: string;
let token: string;
let apiUrl: string;
beforeAll(async () => {
  groupId = await faults.api.openGroup(['sender', 'ann'], 3);
  token = await faults.userToken('ann');
  apiUrl = faults.description.apiUrl;
});
afterEach(() => faults.proxies.dynamodb.clear());

const watermarkUrl = () => `${apiUrl}/v1/groups/${groupId}/watermark`;

/** The headers of an answer that browsers use. */
function corsHeaders({ headers }: Response): Record<string, string> {
  return Object.fromEntries(
    [...headers].filter(([name]) => name.startsWith('access-control-') || name === 'vary'),
  );
}

describe('a preflight', () => {
  const preflight = (path: string, headers: Record<string, string>) =>
    fetch(apiUrl + path, { method: 'OPTIONS', headers });
  const PUT = {
    'access-control-request-method': 'PUT',
    'access-control-request-headers': 'authorization,content-type',
  };

  test.each([LOCAL, 'https://127.0.0.1:8443', 'http://[::1]:1', 'http://chat.localhost', NAMED])(
    'is answered without a token, for the origin %s',
    async (origin) => {
      const answer = await preflight(`/v1/groups/${groupId}/watermark`, { origin, ...PUT });
      expect(answer.status).toBe(204);
      expect(corsHeaders(answer)).toEqual({
        'access-control-allow-origin': origin,
        'access-control-allow-methods': 'DELETE,GET,PATCH,POST,PUT',
        'access-control-allow-headers': 'authorization,content-type',
        'access-control-max-age': '86400',
        vary: 'Origin',
      });
      expect(await answer.text()).toBe('');
    },
  );

  test.each([
    ['another origin', { ...PUT, origin: FOREIGN }],
    ['no origin', PUT],
    ['no method', { origin: LOCAL }],
    ['another method', { ...PUT, origin: LOCAL, 'access-control-request-method': 'PURGE' }],
    ['another header', { ...PUT, origin: LOCAL, 'access-control-request-headers': 'x-evil' }],
  ])('gets no permission with %s', async (_name, headers) => {
    const answer = await preflight(`/v1/groups/${groupId}/watermark`, headers);
    expect(answer.status).toBe(204);
    expect(corsHeaders(answer)).toEqual({});
  });

  test('reaches no function, whatever the path', async () => {
    const before = faults.proxies.dynamodb.requests.length;
    const answer = await preflight('/v1/no/such/route', { origin: LOCAL, ...PUT });
    expect(answer.status).toBe(204);
    expect(faults.proxies.dynamodb.requests).toHaveLength(before);
  });
});

interface Call {
  readonly method?: string;
  readonly path?: string;
  readonly token?: null;
  readonly body?: unknown;
}

const callFrom = (origin: string | null, call: Call) =>
  fetch(call.path === undefined ? watermarkUrl() : apiUrl + call.path, {
    method: call.method ?? 'GET',
    headers: {
      ...(origin !== null && { origin }),
      ...(call.token !== null && { authorization: `Bearer ${token}` }),
      ...(call.body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(call.body !== undefined && { body: JSON.stringify(call.body) }),
  });

/** A call for each status, from the gateway and from functions. */
const ANSWERS: readonly (readonly [status: number, name: string, call: Call])[] = [
  [200, 'a watermark', {}],
  [200, 'a mark', { method: 'PUT', body: { messageId: '1' } }],
  [400, 'a malformed mark', { method: 'PUT', body: { messageId: 'x' } }],
  [401, 'a call without a token', { token: null }],
  [403, "a call of a back end's route", { path: '/v1/groups/g/members' }],
  [404, 'a route that does not exist', { path: '/v1/nothing' }],
  [404, 'a group that does not exist', { path: `/v1/groups/${freshPrefix()}/watermark` }],
  [409, 'a mark in another revision', { method: 'PUT', body: { messageId: '1', ifRevision: 7 } }],
  [413, 'a large body', { method: 'PUT', body: { messageId: '1'.repeat(65_536) } }],
];

describe('an answer', () => {
  test.each(ANSWERS)('%i can be read only by allowed pages: %s', async (status, _name, call) => {
    for (const origin of [LOCAL, NAMED]) {
      const answer = await callFrom(origin, call);
      expect(answer.status).toBe(status);
      expect(corsHeaders(answer)).toEqual({
        'access-control-allow-origin': origin,
        'access-control-expose-headers': 'retry-after',
        vary: 'Origin',
      });
    }
    for (const origin of [FOREIGN, null]) {
      const answer = await callFrom(origin, call);
      expect(answer.status).toBe(status);
      expect(corsHeaders(answer)).toEqual({});
    }
  });

  test('503 can be read too', async () => {
    faults.proxies.dynamodb.always('UpdateItem', THROTTLED);
    const answer = await callFrom(LOCAL, { method: 'PUT', body: { messageId: '2' } });
    expect(answer.status).toBe(503);
    expect(corsHeaders(answer)).toMatchObject({ 'access-control-allow-origin': LOCAL });
  });
});

describeInChromium('a page in Chromium', () => {
  let browser: Browser;
  let site: Listening;
  beforeAll(async () => {
    site = await startWebSite();
    browser = await launchChromium();
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  /** A page of a site in a new profile, which has no preflight results of other pages. */
  async function openPage(host: string): Promise<Page> {
    const page = await (await openContext(browser)).newPage();
    await page.goto(`http://${host}:${site.port}/`);
    return page;
  }

  /** The part of an answer that a page's script can read; null if the browser blocks it. */
  function callIn(page: Page, method: string, url: string, body?: unknown) {
    return page.evaluate(
      async (sent) => {
        const response = await fetch(sent.url, sent.init).catch(() => null);
        if (response === null) return null;
        const { status, headers } = response;
        return { status, retryAfter: headers.get('retry-after'), body: (await response.json()) as unknown };
      },
      {
        url,
        init: {
          method,
          headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
          ...(body !== undefined && { body: JSON.stringify(body) }),
        },
      },
    );
  }

  const ownWatermark = async () => fieldsOf(await faults.api.watermark(groupId, 'ann')).messageId;

  test('of this machine reads and marks', async () => {
    const page = await openPage('localhost');
    expect(await callIn(page, 'PUT', watermarkUrl(), { messageId: '2' })).toMatchObject({
      status: 200,
      retryAfter: null,
      body: { groupId, userId: 'ann', messageId: '2' },
    });
    expect(await callIn(page, 'GET', watermarkUrl())).toMatchObject({
      status: 200,
      body: { messageId: '2', head: '3', unread: { count: 1, mentions: 0, firstId: '3', exact: true } },
    });
  });

  test('reads errors and Retry-After', async () => {
    const page = await openPage('localhost');
    expect(await callIn(page, 'PUT', watermarkUrl(), { messageId: '1', ifRevision: 7 })).toMatchObject({
      status: 409,
      body: { code: 'revision_conflict', revision: 0 },
    });
    faults.proxies.dynamodb.always('UpdateItem', THROTTLED);
    expect(await callIn(page, 'PUT', watermarkUrl(), { messageId: '3' })).toMatchObject({
      status: 503,
      retryAfter: expect.stringMatching(/^[1-9][0-9]*$/),
      body: { code: 'unavailable' },
    });
  });

  test('sends a preflight before the first call of a URL, not before each', async () => {
    const page = await openPage('localhost');
    const url = `${apiUrl}/v1/groups/${await faults.api.openGroup(['sender', 'ann'], 2)}/watermark`;
    const { pathname } = new URL(url);
    for (const messageId of ['1', '2', '2']) {
      expect(await callIn(page, 'PUT', url, { messageId })).toMatchObject({ status: 200 });
    }
    const methods = logged.filter((line) => line.includes(` ${pathname} `)).map((line) => line.split(' ')[0]);
    expect(methods).toEqual(['OPTIONS', 'PUT', 'PUT', 'PUT']);
  });

  test('of another site reads nothing and marks nothing', async () => {
    const page = await openPage(FOREIGN_HOST);
    const before = await ownWatermark();
    expect(await callIn(page, 'GET', watermarkUrl())).toBeNull();
    expect(await callIn(page, 'PUT', watermarkUrl(), { messageId: '3' })).toBeNull();
    expect(await callIn(page, 'GET', `${apiUrl}/v1/nothing`)).toBeNull();
    expect(await ownWatermark()).toBe(before);
  });

  test('of any site reads nothing below /_local', async () => {
    for (const host of ['localhost', FOREIGN_HOST]) {
      const page = await openPage(host);
      expect(await callIn(page, 'GET', `${apiUrl}/_local/events`)).toBeNull();
    }
  });
});
