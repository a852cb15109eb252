import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { describeInChromium, FOREIGN_HOST, launchChromium } from '../support/chromium.ts';
import { freshPrefix } from '../support/engines.ts';
import { expectedRoutes } from '../support/expected-functions.ts';
import { withStack } from '../support/running-stack.ts';

const stack = withStack();
let apiUrl: string;
beforeAll(() => {
  ({ apiUrl } = stack.description);
});

const PATHS = [
  ['/openapi.json', 'application/json'],
  ['/docs', 'text/html; charset=utf-8'],
  ['/docs/', 'text/html; charset=utf-8'],
  ['/docs/page.css', 'text/css; charset=utf-8'],
  ['/docs/page.mjs', 'text/javascript; charset=utf-8'],
  ['/docs/swagger-ui.css', 'text/css; charset=utf-8'],
  ['/docs/swagger-ui-bundle.js', 'text/javascript; charset=utf-8'],
] as const;

describe.each(PATHS)('GET %s', (path, type) => {
  test('is for the browser what it is, and lets it call no other host', async () => {
    const { status, headers } = await fetch(apiUrl + path);
    expect([status, headers.get('content-type'), headers.get('x-content-type-options')]).toEqual([
      200,
      type,
      'nosniff',
    ]);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('content-security-policy')).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
  });

  test.each([
    ['a foreign origin', { origin: 'https://evil.example' }],
    ['a rebound host', { host: 'evil.example:3000' }],
    ['a link of another site', { 'sec-fetch-site': 'cross-site' }],
  ])('is refused to %s', async (_name, headers) => {
    expect(await stack.send({ method: 'GET', path, headers })).toMatchObject({
      status: 403,
      body: { message: 'Only this machine may call: the Host or the Origin is foreign.' },
    });
  });

  test('takes HEAD, and no other method', async () => {
    const head = await stack.send({ method: 'HEAD', path });
    expect(head).toMatchObject({ status: 200, contentType: type, text: '' });
    expect((await stack.send({ method: 'POST', path })).status).toBe(404);
  });
});

test.each(['/docs/nothing', '/docs/../package.json', '/docs/%2e%2e/package.json', '/docs/constructor'])(
  'no other file is served: %s',
  async (path) => {
    expect((await stack.send({ method: 'GET', path })).status).toBe(404);
  },
);

describe('the document', () => {
  const served = async (headers: Record<string, string> = {}) =>
    JSON.parse((await stack.send({ method: 'GET', path: '/openapi.json', headers })).text) as object;

  test('is docs/openapi.json, with the address of this stack as the server', async () => {
    const committed = JSON.parse(
      readFileSync(new URL('../../docs/openapi.json', import.meta.url), 'utf8'),
    ) as object;
    const servers = [{ url: apiUrl, description: 'This local stack' }];
    expect(await served()).toEqual({ ...committed, servers });
  });

  test('names the server as the caller did', async () => {
    expect(await served({ host: 'localhost:4000' })).toMatchObject({
      servers: [{ url: 'http://localhost:4000' }],
    });
  });
});

describeInChromium('the page in Chromium', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  interface Visit {
    readonly page: Page;
    /** What went wrong in the page, and what it requested of other hosts. */
    readonly faults: string[];
    readonly requested: Set<string>;
  }

  async function visit(host: string, colorScheme: 'light' | 'dark', width = 1280): Promise<Visit> {
    const page = await browser.newPage({ colorScheme, viewport: { width, height: 900 } });
    const origin = apiUrl.replace('127.0.0.1', host);
    const faults: string[] = [];
    const requested = new Set<string>();
    page.on('console', (message) => faults.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('request', (request) => {
      const url = new URL(request.url());
      if (url.origin === origin) requested.add(url.pathname);
      else if (url.protocol !== 'data:') faults.push(`requests ${url.href}`);
    });
    await page.goto(`${origin}/docs`);
    await page.locator('.opblock').first().waitFor();
    return { page, faults, requested };
  }

  /** The operations that the README's table has, each user's route twice: it has another for back ends. */
  function operationsInReadme(): number {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
    const rows = (who: string) =>
      [...readme.matchAll(new RegExp(`^\\| ${who} \\| \`[A-Z]+ /v1/`, 'gm'))].length;
    return 2 * rows('user') + rows('service') + rows('anyone');
  }

  test('shows each route of the README’s table with its summary', async () => {
    const { page, faults, requested } = await visit('127.0.0.1', 'light');
    const shown = await page
      .locator('.opblock-summary')
      .evaluateAll((summaries) =>
        summaries.map((summary) =>
          ['.opblock-summary-method', '[data-path]', '.opblock-summary-description']
            .map((part) => summary.querySelector(part)?.textContent?.replaceAll('​', ''))
            .join(' '),
        ),
      );
    expect(shown).toEqual(
      expect.arrayContaining([
        "PUT /v1/groups/{groupId}/watermark Moves a member's watermark forward",
        "PUT /v1/users/{userId}/groups/{groupId}/watermark Moves a member's watermark forward, on a user's behalf",
        "GET /v1/inbox Lists a user's groups with what is unread in them",
        'POST /v1/groups/{groupId}/messages Records a message that was sent',
        'DELETE /v1/groups/{groupId}/members/{userId} Lets a user leave a group',
        'GET /v1/health Reports whether ledger and cache answer',
      ]),
    );
    expect(operationsInReadme()).toBe(expectedRoutes.length);
    expect(shown).toHaveLength(expectedRoutes.length);
    expect(faults).toEqual([]);
    expect([...requested].toSorted()).toEqual([
      '/docs',
      '/docs/page.css',
      '/docs/page.mjs',
      '/docs/swagger-ui-bundle.js',
      '/docs/swagger-ui.css',
      '/openapi.json',
    ]);
    await page.close();
  });

  test('is light or dark as the system prefers, also when that changes', async () => {
    const { page, faults } = await visit('127.0.0.1', 'dark');
    const background = () =>
      page.evaluate<string>('getComputedStyle(document.documentElement).backgroundColor');
    await page.locator('html.dark-mode').waitFor();
    expect(await background()).toBe('rgb(28, 32, 34)');
    await page.emulateMedia({ colorScheme: 'light' });
    await page.locator('html:not(.dark-mode)').waitFor();
    expect(await background()).toBe('rgba(0, 0, 0, 0)');
    expect(faults).toEqual([]);
    await page.close();
  });

  test('fits a phone, an opened operation too', async () => {
    const { page, faults } = await visit('127.0.0.1', 'light', 390);
    const operation = page.locator('#operations-Users-markRead');
    await operation.locator('.opblock-summary-control').click();
    await operation.locator('.responses-table').first().waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);
    expect(faults).toEqual([]);
    await page.close();
  });

  // By either name the calls are of the same origin.
  test.each(['127.0.0.1', 'localhost'])('calls the stack with a pasted token, from %s', async (host) => {
    const groupId = freshPrefix();
    await stack.asService('POST', `/v1/groups/${groupId}/members`, { userIds: ['alice'] });
    await stack.asService('POST', `/v1/groups/${groupId}/messages`, { messageId: '7', senderId: 'bob' });
    const { page, faults } = await visit(host, 'light');

    // By keyboard, as far as it goes.
    await page.getByRole('button', { name: 'Authorize' }).first().press('Enter');
    await page
      .getByLabel('auth-bearer-value')
      .first()
      .fill(await stack.userToken('alice'));
    await page.keyboard.press('Enter');
    await page.getByRole('button', { name: 'Remove authorization' }).first().waitFor();
    await page.locator('.modal-btn.btn-done').first().press('Enter');

    const operation = page.locator('#operations-Users-getWatermark');
    await operation.locator('.opblock-summary-control').press('Enter');
    await operation.getByRole('button', { name: 'Try it out' }).press('Enter');
    await operation.getByPlaceholder('groupId').fill(groupId);
    await operation.getByRole('button', { name: 'Execute' }).press('Enter');
    const answer = operation.locator('.live-responses-table');
    await answer.waitFor();
    expect(await answer.locator('.response-col_status').last().textContent()).toContain('200');
    const body = await answer.locator('.highlight-code code').first().textContent();
    expect(JSON.parse(body ?? '')).toMatchObject({
      groupId,
      userId: 'alice',
      head: '7',
      unread: { count: 1 },
    });
    expect(faults).toEqual([]);
    await page.close();
  });

  test('is not shown under a name that another site could have', async () => {
    const page = await browser.newPage();
    const answer = await page.goto(`${apiUrl.replace('127.0.0.1', FOREIGN_HOST)}/docs`);
    expect(answer?.status()).toBe(403);
    await page.close();
  });
});
