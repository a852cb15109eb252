import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { build } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import type { Listening } from '../../local/http/loopback.ts';
import { describeInChromium, launchChromium, openContext, startWebSite } from '../support/chromium.ts';
import { eventually, freshPrefix } from '../support/engines.ts';
import { withStack } from '../support/running-stack.ts';

const running = withStack();

const MESSAGES = ['1', '2', '3', '4', '5', '6'];
/** Two messages fill the view. */
const STYLE = 'li { height: 300px } body, ol { margin: 0 } output { position: fixed }';

describeInChromium('a page with the client and React', () => {
  let browser: Browser;
  let site: Listening;
  let script: string;
  beforeAll(async () => {
    const fixture = fileURLToPath(new URL('./fixtures/client-page.mjs', import.meta.url));
    const bundle = await build({
      entryPoints: [fixture],
      bundle: true,
      format: 'esm',
      write: false,
      define: { 'process.env.NODE_ENV': '"production"' },
    });
    script = bundle.outputFiles.map(({ text }) => text).join();
    [browser, site] = await Promise.all([launchChromium(), startWebSite()]);
  });
  afterAll(async () => {
    await browser.close();
    await site.close();
  });

  async function openGroup(): Promise<string> {
    const groupId = freshPrefix();
    const service = (path: string, body: object) =>
      running.asService('POST', `/v1/groups/${groupId}${path}`, body);
    await service('/members', { userIds: ['ann', 'bob'] });
    for (const messageId of MESSAGES) await service('/messages', { messageId, senderId: 'bob' });
    return groupId;
  }

  async function showChat(userId: string, groupId: string): Promise<Page> {
    const context = await openContext(browser, { viewport: { width: 400, height: 600 } });
    const page = await context.newPage();
    await page.goto(site.url);
    await page.addStyleTag({ content: STYLE });
    await page.addScriptTag({ content: script, type: 'module' });
    const { apiUrl: url, wsUrl } = running.description;
    const token = await running.userToken(userId);
    const chat = { url, wsUrl, userId, token, groupId, messageIds: MESSAGES };
    await page.waitForFunction('globalThis.showChat');
    await page.evaluate(`showChat(${JSON.stringify(chat)})`);
    return page;
  }

  const textOf = (page: Page, selector: string) => page.locator(selector).textContent();
  const shows = (page: Page, selector: string, text: string) =>
    eventually(async () => expect(await textOf(page, selector)).toBe(text));

  test('reads what is scrolled into view, and shows it to the sender and on the second device', async () => {
    const groupId = await openGroup();
    const [ann, second, bob] = await Promise.all([
      showChat('ann', groupId),
      showChat('ann', groupId),
      showChat('bob', groupId),
    ]);
    // A browser in the background shows nothing to anybody.
    await second.evaluate("document.hasFocus = () => false; dispatchEvent(new Event('blur'))");
    await shows(bob, '#message-1', '1 read by 1');
    await shows(bob, '#message-6', '6 read by 0');
    await shows(ann, '#unread', '4');
    await shows(second, '#unread', '4');
    await ann.evaluate('scrollTo(0, document.body.scrollHeight)');
    await shows(bob, '#message-6', '6 read by 1');
    await shows(ann, '#unread', '0');
    await shows(second, '#unread', '0');

    // Marked unread on one device, it is unread on both, and stays so while it is in view.
    await ann.evaluate(`tidemark.tracker(${JSON.stringify(groupId)}).markUnread('5')`);
    await shows(ann, '#unread', '2');
    await shows(second, '#unread', '2');
    await ann.evaluate("dispatchEvent(new Event('focus'))");

    // The chat brings a message: the badge rises at once, on the device that notes it.
    const before = Number(await textOf(ann, '#badge'));
    await ann.evaluate(`tidemark.noteMessage(${JSON.stringify(groupId)}, '7', { senderId: 'bob' })`);
    await shows(ann, '#unread', '3');
    await shows(ann, '#badge', String(before + 1));
  });
});
