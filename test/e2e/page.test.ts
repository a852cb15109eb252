import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import axe from 'axe-core';
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import WebSocket from 'ws';
import { describeInChromium, launchChromium, openContext } from '../support/chromium.ts';
import { eventually } from '../support/engines.ts';
import { freePort } from '../support/free-port.ts';
import { withStack } from '../support/running-stack.ts';

const stack = withStack();
/** The client waits up to half a minute before it connects again, and 10 s for an answer: on a busy machine more than once. */
const SEVERAL_RECONNECTIONS_MS = 180_000;

let apiUrl: string;
beforeAll(() => {
  ({ apiUrl } = stack.description);
});

let lastGroup = 0;
function freshGroup(): string {
  lastGroup += 1;
  return `picnic-${Date.now().toString(36)}${lastGroup}`;
}

describe('the files of the page', () => {
  const FILES = [
    ['/', 'text/html; charset=utf-8'],
    ['/page/page.css', 'text/css; charset=utf-8'],
    ['/page/page.js', 'text/javascript; charset=utf-8'],
  ] as const;

  test.each(FILES)('GET %s lets the page call this stack alone', async (path, type) => {
    const { status, headers } = await fetch(apiUrl + path);
    expect([status, headers.get('content-type'), headers.get('x-content-type-options')]).toEqual([
      200,
      type,
      'nosniff',
    ]);
    const { host } = new URL(apiUrl);
    expect(headers.get('content-security-policy')).toBe(
      `default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self' ws://${host}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`,
    );
  });

  test.each(FILES)('GET %s is refused to a foreign page', async (path, _type) => {
    const headers = { origin: 'https://evil.example' };
    expect((await stack.send({ method: 'GET', path, headers })).status).toBe(403);
  });

  test.each(['/page/nothing', '/page/main.ts', '/page/../package.json', '/page/constructor'])(
    'no other file is served: %s',
    async (path) => {
      expect((await stack.send({ method: 'GET', path })).status).toBe(404);
    },
  );
});

describe('the routes of the page', () => {
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    stack.send({
      method: 'POST',
      path: `/_local/chat/${path}`,
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });

  test('give tokens for the people of the page alone', async () => {
    expect(await post('token', { userId: 'alice' })).toMatchObject({
      status: 200,
      body: { token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/) },
    });
    expect((await post('token', { userId: 'mallory' })).status).toBe(400);
    expect((await post('token', { userId: 'alice' }, { origin: 'https://evil.example' })).status).toBe(403);
  });

  test('take messages of members alone, and no group of somebody else', async () => {
    const groupId = freshGroup();
    const message = { groupId, senderId: 'carol', text: 'Hello', key: 'k1' };
    expect((await post('messages', message)).status).toBe(403);
    expect((await post('members', { groupId, userId: 'carol' })).status).toBe(200);
    expect(await post('messages', message)).toMatchObject({
      status: 200,
      body: { messageId: expect.stringMatching(/^\d{19}$/) },
    });
    expect((await post('messages', { ...message, text: '  ' })).status).toBe(400);
    expect((await post('messages', { ...message, groupId: 'tea' })).status).toBe(400);
  });

  test.each([
    ['a foreign page', '?group=picnic&user=alice', 'https://evil.example', 403],
    ['a user who is not of the page', '?group=picnic&user=mallory', 'http://localhost', 400],
    ['a group that is not of the page', '?group=tea&user=alice', 'http://localhost', 400],
  ])('refuse the feed to %s', async (_name, query, origin, status) => {
    const socket = new WebSocket(`${apiUrl.replace('http:', 'ws:')}/_local/chat/feed${query}`, { origin });
    socket.on('error', () => undefined);
    const [, response] = await once(socket, 'unexpected-response');
    expect(response.statusCode).toBe(status);
    response.destroy();
  });
});

describeInChromium('the page in Chromium', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchChromium();
  });
  afterAll(() => browser?.close());

  let context: BrowserContext;
  /** What went wrong in the pages of a test, and what they requested of other hosts. */
  let faults: string[];
  /** What the browser and the client report of calls that a test lets the service refuse. */
  let refusals: RegExp | null;
  afterEach(async () => {
    await context.close();
    expect(faults.filter((fault) => !refusals?.test(fault))).toEqual([]);
  });

  interface Tab {
    readonly page: Page;
    /** The paths of what the tab has requested, each behind its method. */
    readonly requests: string[];
    readonly panel: (person: string) => Locator;
    /** Sends these messages one after the other, and waits until the chat has delivered them. */
    say(person: string, ...texts: string[]): Promise<void>;
    /** Cuts the network of a person, once the live connection is open. */
    cutNetwork(person: string): Promise<void>;
    texts(person: string): Promise<string[]>;
    /** What stands below each own message, such as `Read by 1 of 2`. */
    receipts(person: string): Promise<string[]>;
    /** The count of unread messages of the chat; null if none is shown. */
    badge(person: string): Promise<string | null>;
    /** The whole badge, such as `2 unread, muted @1, 1 mentions you`; '' if none is shown. */
    badgeInWords(person: string): Promise<string>;
    /** What the line "new" is above. */
    belowLine(person: string): Promise<string[]>;
    /** What the service has sent over WebSockets. */
    readonly frames: string[];
    /** How many marks the tab has sent. */
    marks(): number;
  }

  async function start(options: Parameters<Browser['newContext']>[0] = {}): Promise<void> {
    context = await openContext(browser, { viewport: { width: 1280, height: 800 }, ...options });
    faults = [];
    refusals = null;
  }

  async function open(query: Readonly<Record<string, string>>, origin = apiUrl): Promise<Tab> {
    const page = await context.newPage();
    const requests: string[] = [];
    const frames: string[] = [];
    page.on('console', (message) => faults.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => faults.push(String(error.stack)));
    page.on('request', (request) => {
      const url = new URL(request.url());
      if (url.origin === origin) requests.push(`${request.method()} ${url.pathname}`);
      else if (url.protocol !== 'data:') faults.push(`requests ${url.href}`);
    });
    const isConnected = new Promise<void>((resolve) => {
      page.on('websocket', (socket) =>
        socket.on('framereceived', ({ payload }) => {
          frames.push(String(payload));
          if (String(payload).includes('"type":"synced"')) resolve();
        }),
      );
    });
    await page.goto(`${origin}/?${new URLSearchParams(query)}`);
    const panel = (person: string) => page.locator(`#panel-${person}`);
    const tab: Tab = {
      ...{ page, requests, frames, panel },
      async cutNetwork(person) {
        // Chromium warns of a socket that is closed before it is open.
        await isConnected;
        await panel(person).getByText('Network').click();
      },
      async say(person, ...texts) {
        const input = panel(person)
          .getByLabel(/^(Message|Reply) as /)
          .and(page.locator(':visible'));
        for (const text of texts) {
          await input.fill(text);
          await input.press('Enter');
        }
        const last = panel(person).locator('.own:not(.draft) .text:visible', { hasText: texts.at(-1) ?? '' });
        await last.last().waitFor();
      },
      texts: (person) => panel(person).locator('.chat .message:not(.draft) .text').allTextContents(),
      receipts: (person) => panel(person).locator('.chat .receipt').allTextContents(),
      async badge(person) {
        return (await tab.badgeInWords(person)).match(/^\d+\+?/)?.[0] ?? null;
      },
      async badgeInWords(person) {
        // In one step, because the badge may go away between two.
        const [words = ''] = await panel(person).locator('header .badges:visible').allTextContents();
        return words;
      },
      belowLine: (person) => panel(person).locator('.new-line + .message .text').allTextContents(),
      marks: () => requests.filter((request) => /^PUT .*\/watermark$/.test(request)).length,
    };
    return tab;
  }

  /** Alice and Bob in a new chat, each alone in a tab. */
  async function openAliceAndBob(): Promise<{ readonly alice: Tab; readonly bob: Tab }> {
    await start();
    const group = freshGroup();
    return { alice: await open({ as: 'alice', group }), bob: await open({ as: 'bob', group }) };
  }

  /** All people in a new chat, in a window that never has the focus: nothing is read because it is looked at. */
  async function openUnfocused(): Promise<Tab> {
    const tab = await open({ group: freshGroup() });
    await tab.page.evaluate(
      `Object.defineProperty(document, 'hasFocus', { configurable: true, value: () => false })`,
    );
    return tab;
  }

  /** From now on, the tab has the focus only while it is in front, as in a browser that somebody uses. */
  async function withRealFocus({ page }: Tab): Promise<void> {
    const session = await context.newCDPSession(page);
    await session.send('Emulation.setFocusEmulationEnabled', { enabled: false });
  }

  async function setVisibility({ page }: Tab, state: 'visible' | 'hidden'): Promise<void> {
    await page.evaluate(
      `Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => '${state}' });
      document.dispatchEvent(new Event('visibilitychange', { bubbles: true }));`,
    );
  }

  const focusOf = ({ page }: Tab) => page.evaluate('document.hasFocus()');

  test('two people chat: what one of them looks at becomes read for the other', async () => {
    const { alice, bob } = await openAliceAndBob();
    const lines = Array.from({ length: 30 }, (_, line) => `Line ${line + 1}`);
    await bob.panel('bob').getByText('No messages yet').waitFor();
    await withRealFocus(bob);
    await alice.page.bringToFront();
    await alice.say('alice', ...lines);
    await eventually(async () => expect(await bob.badge('bob')).toBe('30'));
    await eventually(async () => expect(await bob.texts('bob')).toEqual(lines));
    await eventually(async () => expect((await alice.receipts('alice')).at(-1)).toBe('Delivered to 1 of 1'));

    // The first messages are in view, and the last ones are not.
    await bob.page.bringToFront();
    await eventually(async () => expect((await alice.receipts('alice'))[0]).toBe('Read by 1 of 1'));
    expect((await alice.receipts('alice')).at(-1)).toBe('Delivered to 1 of 1');
    await bob.panel('bob').getByRole('button', { name: 'Newest messages' }).click();
    await eventually(async () =>
      expect(new Set(await alice.receipts('alice'))).toEqual(new Set(['Read by 1 of 1'])),
    );
    await eventually(async () => expect(await bob.badge('bob')).toBeNull());

    await bob.say('bob', 'I have read all of it.');
    await eventually(async () => expect((await alice.texts('alice')).at(-1)).toBe('I have read all of it.'));
  });

  test('a page without the focus reads nothing, and a hidden one neither', async () => {
    const { alice, bob } = await openAliceAndBob();
    await withRealFocus(bob);
    await bob.page.clock.install();
    await alice.page.bringToFront();
    await eventually(async () => expect(await focusOf(bob)).toBe(false));
    await alice.say('alice', 'Do you see this?');
    await eventually(async () => expect(await bob.badge('bob')).toBe('1'));
    await bob.page.clock.fastForward(5_000);
    expect(bob.marks()).toBe(0);

    // In front, but hidden: such as behind the lock of the screen.
    await setVisibility(bob, 'hidden');
    await bob.page.bringToFront();
    await eventually(async () => expect(await focusOf(bob)).toBe(true));
    await bob.page.clock.fastForward(5_000);
    expect(bob.marks()).toBe(0);
    await eventually(async () => expect(await alice.receipts('alice')).toEqual(['Delivered to 1 of 1']));
    expect(bob.marks()).toBe(0);

    await setVisibility(bob, 'visible');
    await eventually(async () => expect(await alice.receipts('alice')).toEqual(['Read by 1 of 1']));
    await eventually(() => expect(bob.marks()).toBe(1));
  });

  test('a badge clears in a second tab, and marking unread brings it back in both', async () => {
    await start();
    const group = freshGroup();
    const alice = await open({ as: 'alice', group });
    const first = await open({ as: 'bob', group });
    const second = await open({ as: 'bob', group });
    for (const tab of [first, second]) await withRealFocus(tab);
    await alice.page.bringToFront();
    await alice.say('alice', 'One', 'Two');
    const badges = () => Promise.all([first.badge('bob'), second.badge('bob')]);
    await eventually(async () => expect(await badges()).toEqual(['2', '2']));

    await first.page.bringToFront();
    await eventually(async () => expect(await badges()).toEqual([null, null]));
    await eventually(() => expect([first.marks(), second.marks()]).toEqual([1, 0]));

    await first.panel('bob').getByRole('button', { name: 'Mark unread: Two' }).click();
    await eventually(async () => expect(await badges()).toEqual(['1', '1']));
    for (const tab of [first, second]) {
      await eventually(async () => expect(await tab.belowLine('bob')).toEqual(['Two']));
    }
    // Others still see it as read.
    expect(await alice.receipts('alice')).toEqual(['Read by 1 of 1', 'Read by 1 of 1']);

    await first.panel('bob').getByRole('button', { name: 'Mark read' }).click();
    await eventually(async () => expect(await badges()).toEqual([null, null]));
  });

  test('without a network a person misses nothing: ten messages arrive later, and one mark is sent', async () => {
    const { alice, bob } = await openAliceAndBob();
    await bob.panel('bob').getByText('No messages yet').waitFor();
    await bob.cutNetwork('bob');
    const before = bob.requests.length;
    const ten = Array.from({ length: 10 }, (_, line) => `Message ${line + 1}`);
    await alice.say('alice', ...ten);
    expect(await alice.receipts('alice')).toEqual(ten.map(() => 'Sent'));
    expect(await bob.texts('bob')).toEqual([]);
    expect(bob.requests.slice(before)).toEqual([]);

    await bob.panel('bob').getByText('Network').click();
    await eventually(async () => expect(await bob.texts('bob')).toEqual(ten));
    await eventually(async () =>
      expect(await alice.receipts('alice')).toEqual(ten.map(() => 'Read by 1 of 1')),
    );
    await eventually(() => expect(bob.marks()).toBe(1));
  });

  test('what is written and read without a network is sent later', async () => {
    const { alice, bob } = await openAliceAndBob();
    await withRealFocus(bob);
    await alice.page.bringToFront();
    await alice.say('alice', 'Are you there?');
    await eventually(async () => expect(await bob.badge('bob')).toBe('1'));
    await bob.cutNetwork('bob');
    await bob.page.bringToFront();
    await bob.panel('bob').getByText('Are you there?').waitFor();
    const input = bob.panel('bob').getByLabel('Message as Bob');
    for (const text of ['Yes', 'In a tunnel']) {
      await input.fill(text);
      await input.press('Enter');
    }
    await bob.panel('bob').getByText('Waiting to be sent').last().waitFor();
    expect(await alice.texts('alice')).toEqual(['Are you there?']);

    await bob.panel('bob').getByText('Network').click();
    await eventually(async () =>
      expect(await alice.texts('alice')).toEqual(['Are you there?', 'Yes', 'In a tunnel']),
    );
    await eventually(async () => expect(await alice.receipts('alice')).toEqual(['Read by 1 of 1']));
    await eventually(async () =>
      expect(await bob.panel('bob').getByText('Waiting to be sent').count()).toBe(0),
    );
  });

  test('who reads privately clears the own badge, and nobody else can notice', async () => {
    const { alice, bob } = await openAliceAndBob();
    await withRealFocus(bob);
    await alice.page.bringToFront();
    await alice.say('alice', 'A secret');
    await eventually(async () => expect(await bob.badge('bob')).toBe('1'));
    await bob.panel('bob').getByText('Private', { exact: true }).click();
    await bob.page.bringToFront();
    await eventually(async () => expect(await bob.badge('bob')).toBeNull());
    await eventually(async () => expect(await alice.receipts('alice')).toEqual(['Delivered to 1 of 1']));
    await alice.panel('alice').getByRole('button', { name: 'Delivered to 1 of 1' }).click();
    await eventually(async () =>
      expect(await alice.panel('alice').locator('.names div').allTextContents()).toEqual(['DeliveredBob']),
    );

    await bob.panel('bob').getByText('Private', { exact: true }).click();
    await alice.say('alice', 'Not a secret');
    await eventually(async () =>
      expect(await alice.receipts('alice')).toEqual(['Read by 1 of 1', 'Read by 1 of 1']),
    );
  });

  test('side by side, only the person who is pointed at looks; and a late member starts at the newest message', async () => {
    await start();
    const { page, say, panel, receipts, badge, texts } = await open({ group: freshGroup() });
    await say('alice', 'Before');
    await panel('carol').getByRole('button', { name: 'Join the group' }).click();
    await panel('carol').getByText('You joined').waitFor();
    expect([await badge('carol'), await texts('carol')]).toEqual([null, ['Before']]);
    await panel('bob').getByText('Carol joined').waitFor();

    // Carol has clicked in her panel. With the pointer still there, she would read.
    await panel('alice').hover();
    await say('alice', 'After');
    await eventually(async () =>
      expect(await receipts('alice')).toEqual(['Delivered to 1 of 1', 'Delivered to 2 of 2']),
    );
    // Carol has just joined: her view of the group may come after the message.
    await eventually(async () => expect([await badge('bob'), await badge('carol')]).toEqual(['2', '1']));
    await panel('carol').hover();
    await eventually(async () =>
      expect(await receipts('alice')).toEqual(['Delivered to 1 of 1', 'Read by 1 of 2']),
    );
    await panel('alice').getByRole('button', { name: 'Read by 1 of 2' }).click();
    const names = () => panel('alice').locator('.names div').allTextContents();
    await eventually(async () => expect(await names()).toEqual(['ReadCarol', 'DeliveredBob']));

    // By keyboard: who has the focus looks.
    await panel('bob').getByRole('log').focus();
    const looking = () => page.locator('.panel.active h2').allTextContents();
    await eventually(async () => expect(await looking()).toEqual(['Bob']));
    await eventually(async () =>
      expect(await receipts('alice')).toEqual(['Read by 1 of 1', 'Read by 2 of 2']),
    );
    await eventually(async () => expect(await names()).toEqual(['ReadBob, Carol']));
  });

  test('a mention has a mark of its own on the badge, which is grey when the group is muted', async () => {
    await start();
    const { panel, say, badgeInWords, belowLine } = await openUnfocused();
    await say('alice', 'Who comes?', 'Can you, @Bob?', '@all: by bike');
    const shows = (words: string) => eventually(async () => expect(await badgeInWords('bob')).toBe(words));
    await shows('3 unread@2, 2 mention you');
    const ofBob = () => panel('bob').locator('.mention.me').allTextContents();
    await eventually(async () => expect(await ofBob()).toEqual(['@Bob', '@all']));
    const grey = () => panel('bob').locator('header .badge.quiet').allTextContents();
    expect(await grey()).toEqual([]);
    expect(await belowLine('bob')).toEqual(['Who comes?']);

    await panel('bob').getByRole('button', { name: 'Groups' }).press('Enter');
    const notify = panel('bob').getByLabel('Notify me');
    await notify.selectOption('of mentions only');
    await eventually(async () => expect(await grey()).toEqual(['3 unread']));
    await notify.selectOption('of all messages');
    await eventually(async () => expect(await grey()).toEqual([]));
    await panel('bob').getByRole('button', { name: 'Mute for an hour' }).press('Enter');
    await shows('3 unread, muted@2, 2 mention you');
    expect(await grey()).toHaveLength(2);
    await panel('bob').getByRole('button', { name: 'Unmute' }).press('Enter');
    await shows('3 unread@2, 2 mention you');
  });

  test('while receipts are hidden, nothing that the person reads reaches anybody else', async () => {
    const { alice, bob } = await openAliceAndBob();
    await bob.panel('bob').getByRole('button', { name: 'Groups' }).click();
    const hide = bob.panel('bob').getByRole('switch', { name: 'Hide my receipts' });
    const switchHidden = async () => {
      const isStored = bob.page.waitForResponse((response) => response.request().method() === 'PATCH');
      await bob.panel('bob').getByText('Hide my receipts').click();
      expect((await isStored).status()).toBe(200);
    };
    await switchHidden();
    // Another device of Bob shows it as well, and one that is opened later.
    await bob.page.reload();
    await bob.panel('bob').getByRole('button', { name: 'Groups' }).click();
    await eventually(async () => expect(await hide.isChecked()).toBe(true));

    await alice.say('alice', 'A secret');
    await eventually(() => expect(bob.marks()).toBe(1));
    await eventually(async () => expect(await bob.badge('bob')).toBeNull());
    await eventually(async () => expect(await alice.receipts('alice')).toEqual(['Delivered to 1 of 1']));
    expect(alice.frames.filter((frame) => /"readCount":[1-9]/.test(frame))).toEqual([]);

    await switchHidden();
    await alice.say('alice', 'Not a secret');
    await eventually(async () =>
      expect(await alice.receipts('alice')).toEqual(['Read by 1 of 1', 'Read by 1 of 1']),
    );
  });

  test('an archived chat comes back with the next message', async () => {
    await start();
    const { panel, say, badge, belowLine } = await openUnfocused();
    await say('alice', 'Before');
    await eventually(async () => expect(await badge('bob')).toBe('1'));
    await panel('bob').getByRole('button', { name: 'Groups' }).press('Enter');
    await panel('bob').getByRole('button', { name: 'Archive: Chat' }).press('Enter');
    await panel('bob').getByText('Bob has archived the chat.').waitFor();
    expect([await badge('bob'), await panel('bob').locator('.log').isVisible()]).toEqual([null, false]);
    // The focus is where the chat now is.
    const focused = () => panel('bob').locator(':focus').allTextContents();
    await eventually(async () => expect(await focused()).toEqual(['Archive (1)']));

    await say('alice', 'After');
    await eventually(async () => expect(await badge('bob')).toBe('2'));
    await panel('bob').getByRole('log').waitFor();
    expect(await belowLine('bob')).toEqual(['Before']);

    await panel('bob').getByRole('button', { name: 'Archive: Chat' }).press('Enter');
    await panel('bob').getByRole('button', { name: 'Return it now' }).press('Enter');
    await panel('bob').getByRole('log').waitFor();
    await eventually(async () => expect(await badge('bob')).toBe('2'));
  });

  test('a thread has a badge of its own, on its message and in the list of groups', async () => {
    const { alice, bob } = await openAliceAndBob();
    await alice.say('alice', 'Who brings the cake?');
    await bob.panel('bob').getByRole('button', { name: 'Reply in thread' }).press('Enter');
    await bob.say('bob', 'I do', '@alice, plums or apples?');
    const link = alice.panel('alice').locator('.thread-link');
    await eventually(async () =>
      expect(await link.textContent()).toBe('2 replies2 unread@1, 1 mentions you'),
    );
    expect(await alice.badge('alice')).toBeNull();
    await alice.panel('alice').getByRole('button', { name: 'Groups' }).click();
    const groups = () => alice.panel('alice').locator('.groups .group-name').allTextContents();
    await eventually(async () => expect(await groups()).toEqual(['Chat', 'Thread: Who brings the cake?']));

    await alice.panel('alice').getByRole('button', { name: 'Thread: Who', exact: false }).first().click();
    await eventually(async () =>
      expect(await bob.panel('bob').locator('.thread .receipt').allTextContents()).toEqual([
        'Read by 1 of 1',
        'Read by 1 of 1',
      ]),
    );
    await alice.page.keyboard.press('Escape');
    await eventually(async () => expect(await link.textContent()).toBe('2 replies'));
    expect(await alice.panel('alice').locator('.thread-link:focus').count()).toBe(1);
  });

  test('one button marks the chat and its threads read', async () => {
    await start();
    const { panel, say, badge, requests } = await openUnfocused();
    await say('alice', 'Who brings the cake?');
    await panel('alice').getByRole('button', { name: 'Reply in thread' }).click();
    await say('alice', 'And the plates?');
    const inThread = () => panel('bob').locator('.thread-link .badge').allTextContents();
    await eventually(async () => expect([await badge('bob'), await inThread()]).toEqual(['1', ['1 unread']]));
    await panel('bob').getByRole('button', { name: 'Groups' }).press('Enter');
    const markAll = () => panel('bob').getByRole('button', { name: 'Mark all read' }).press('Enter');
    const badges = () => panel('bob').locator('.badges:visible').count();
    await markAll();
    await eventually(async () => expect(await badges()).toBe(0));
    const receipts = () => panel('alice').locator('.thread .receipt').allTextContents();
    await eventually(async () => expect(await receipts()).toEqual(['Read by 1 of 1']));

    await panel('bob').getByText('Private', { exact: true }).click();
    await say('alice', 'And the forks?');
    await eventually(async () => expect(await inThread()).toEqual(['1 unread']));
    await markAll();
    await eventually(async () => expect(await badges()).toBe(0));
    const expected = ['Read by 1 of 1', 'Delivered to 1 of 1'];
    await eventually(async () => expect(await receipts()).toEqual(expected));
    // That route reads publicly.
    expect(requests.filter((request) => request === 'POST /v1/watermarks/all')).toHaveLength(1);
  });

  test('the line "New" stands above what is unread, also where an answer has just read the rest', async () => {
    await start();
    const group = freshGroup();
    const alice = await open({ as: 'alice', group });
    await alice.panel('alice').getByText('No messages yet').waitFor();
    /** While it is a list, the frames of the service wait here: the page does not know what the answer has read. */
    let held: string[] | null = null;
    let release: (frame: string) => void = () => undefined;
    await context.routeWebSocket('**/live', (page) => {
      const service = page.connectToServer();
      release = (frame) => page.send(frame);
      service.onMessage((frame) => {
        if (held) held.push(String(frame));
        else page.send(frame);
      });
    });
    const bob = await open({ as: 'bob', group });
    await bob.page.evaluate(
      `Object.defineProperty(document, 'hasFocus', { configurable: true, value: () => false })`,
    );
    await alice.say('alice', 'One', 'Two');
    await eventually(async () => expect(await bob.belowLine('bob')).toEqual(['One']));
    held = [];
    await bob.say('bob', 'An answer');
    await alice.say('alice', 'Three');
    await bob.panel('bob').getByText('Three').waitFor();
    const views = () => held?.filter((frame) => frame.includes('"type":"view"')) ?? [];
    await eventually(() => expect(views()).not.toEqual([]));
    // The frame as the service sends it if it reads the view only now: it may be later by up to a second.
    const { body } = await stack.asUser('bob', 'GET', `/v1/groups/${group}/watermark`);
    const { unread } = body as { readonly unread: { readonly count: number } };
    expect(unread.count).toBe(1);
    release(JSON.stringify({ ...JSON.parse(views().at(-1) ?? ''), asOf: Date.now(), unread }));
    await eventually(async () => expect(await bob.belowLine('bob')).toEqual(['Three']));
  });

  test('a field with spaces alone becomes empty, and a message that is too long is not cut', async () => {
    await start();
    const { panel, texts } = await open({ as: 'alice', group: freshGroup() });
    const input = panel('alice').getByLabel('Message as Alice');
    await input.fill('   ');
    await input.press('Enter');
    expect(await input.inputValue()).toBe('');
    await input.fill('x'.repeat(2_001));
    await input.press('Enter');
    await panel('alice').getByText('at most 2000 characters, and this one has 2001').waitFor();
    expect([(await input.inputValue()).length, await texts('alice')]).toEqual([2_001, []]);
    await input.fill('x'.repeat(2_000));
    await input.press('Enter');
    await eventually(async () => expect((await texts('alice')).map((text) => text.length)).toEqual([2_000]));
  });

  test('a call that is refused shows the reason of the service', async () => {
    await start();
    refusals = /status of 40[34]|TidemarkError: (receipts_off|not_found)/;
    const group = freshGroup();
    const { panel, say } = await open({ group });
    await say('alice', 'A message');
    const asService = (method: string, path: string, body?: object) =>
      stack.asService(method, `/v1/groups/${group}${path}`, body);
    expect((await asService('PUT', '', { receipts: 'off' })).status).toBe(200);
    await panel('alice').locator('.receipt').press('Enter');
    await panel('alice').getByText('The receipts of this group are not for this caller.').waitFor();

    expect((await asService('DELETE', '/members/bob')).status).toBe(204);
    await panel('bob').getByRole('button', { name: 'Groups' }).press('Enter');
    await panel('bob').getByRole('button', { name: 'Mute for an hour' }).press('Enter');
    await panel('bob')
      .getByText('Nothing has changed. There is no such group, or you are not a member of it.')
      .waitFor();
  });

  test('after the group was deleted in Tidemark, the chat begins again in it with the next device', async () => {
    const { alice, bob } = await openAliceAndBob();
    refusals = /status of 404|TidemarkError: not_found/;
    await alice.say('alice', 'Before', '@bob, before');
    await eventually(async () =>
      expect(await alice.receipts('alice')).toEqual(['Read by 1 of 1', 'Read by 1 of 1']),
    );
    const group = new URL(alice.page.url()).searchParams.get('group');
    expect((await stack.asService('DELETE', `/v1/groups/${group}`)).status).toBe(202);
    await Promise.all([alice.page.reload(), bob.page.reload()]);
    await alice.say('alice', 'After');
    await eventually(async () =>
      expect(await alice.receipts('alice')).toEqual(['Sent', 'Sent', 'Read by 1 of 1']),
    );
    expect(await bob.texts('bob')).toEqual(['Before', '@bob, before', 'After']);
    await bob.panel('bob').getByRole('button', { name: 'Groups' }).click();
    const groups = () => bob.panel('bob').locator('.groups .group-name').allTextContents();
    await eventually(async () => expect(await groups()).toEqual(['Chat']));
  });

  test('who mentions all is not mentioned', async () => {
    await start();
    const { panel, say } = await openUnfocused();
    await say('alice', '@all: by bike');
    const marked = (person: string) => panel(person).locator('.mention.me').allTextContents();
    await eventually(async () => expect(await marked('bob')).toEqual(['@all']));
    expect(await marked('alice')).toEqual([]);
  });

  test('nothing is shown for the names of a receipt before they come', async () => {
    await start();
    const { page, panel, say } = await open({ as: 'alice', group: freshGroup() });
    await say('alice', 'A message');
    let answerNow: () => void = () => undefined;
    const mayAnswer = new Promise<void>((resolve) => {
      answerNow = resolve;
    });
    await page.route('**/receipts?state=*', async (route) => {
      await mayAnswer;
      await route.continue();
    });
    await panel('alice').locator('.receipt').click();
    await panel('alice').locator('.receipt[aria-expanded="true"]').waitFor();
    const names = panel('alice').locator('.names');
    expect(await names.isVisible()).toBe(false);
    answerNow();
    await names.getByText('Bob').waitFor();
  });

  test('an own message has its time and ticks at its edge', async () => {
    await start();
    const { panel, say } = await open({ as: 'alice', group: freshGroup() });
    await say('alice', 'A message that is wider than what stands below it, with all its ticks and links');
    const rightOf = async (selector: string) => {
      const { x = 0, width = 0 } = (await panel('alice').locator(selector).boundingBox()) ?? {};
      return x + width;
    };
    const inset = (await rightOf('.own .bubble')) - (await rightOf('.own .receipt-line'));
    // The padding of the line.
    expect(inset).toBe(4);
  });

  test.each([1280, 390])(
    'the messages do not jump when the threads get a badge: %i px wide',
    async (width) => {
      await start({ viewport: { width, height: 800 } });
      const { page, panel, say } = await openUnfocused();
      const show = async (person: string) => {
        if (width < 500) await page.getByRole('button', { name: person }).first().click();
      };
      await say('alice', 'Who brings the cake?');
      await show('Bob');
      const messages = panel('bob').locator('.chat .log');
      await messages.getByText('cake').waitFor();
      const before = await messages.boundingBox();
      await show('Alice');
      await panel('alice').getByRole('button', { name: 'Reply in thread' }).click();
      await say('alice', '@bob, and the plates?');
      await show('Bob');
      await panel('bob').getByRole('button', { name: 'Groups' }).locator('.mentions').waitFor();
      expect(await messages.boundingBox()).toEqual(before);
    },
  );

  describe.each([
    ['wide, light', { width: 1280, height: 800 }, 'light'],
    ['narrow, dark', { width: 390, height: 800 }, 'dark'],
  ] as const)('%s', (_name, viewport, colorScheme) => {
    test('axe finds nothing serious, and nothing is cut off', async () => {
      await start({ viewport, colorScheme });
      const { page, say, panel } = await open({ group: freshGroup() });
      const isNarrow = viewport.width < 500;
      const show = async (person: string) => {
        if (isNarrow) await page.getByRole('button', { name: person }).first().click();
      };
      await page.locator('.panel.active, .panel:not(.active)').first().waitFor();
      const hint = await page.locator('#hint').textContent();
      if (isNarrow) expect(hint).toBe('Choose who looks. What stays in view for a second is read.');
      else expect(hint).toContain('point at a panel');
      expect(await seriousIn(page)).toEqual([]);
      await say('alice', 'A first message');
      await panel('alice').locator('.receipt').click();
      await panel('alice').locator('.names dd').first().waitFor();
      await show('Bob');
      await panel('bob').locator('.message').hover();
      await panel('bob').getByText('Network').click();
      await panel('bob').getByLabel('Message as Bob').fill('Later');
      await panel('bob').getByLabel('Message as Bob').press('Enter');
      await panel('bob').getByText('Waiting to be sent').waitFor();
      await panel('bob').getByRole('button', { name: 'Groups' }).click();
      expect(await seriousIn(page)).toEqual([]);
      await show('Alice');
      await panel('alice').getByRole('button', { name: 'Reply in thread' }).click();
      await say('alice', '@bob, a reply');
      expect(await seriousIn(page)).toEqual([]);
      await show('Carol');
      expect(await seriousIn(page)).toEqual([]);
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(viewport.width);
      if (isNarrow) expect(await page.locator('.panel:visible h2').allTextContents()).toEqual(['Carol']);
    });
  });

  describe('a stack that is killed and started again', () => {
    let dataDirectory: string;
    let child: ChildProcess | undefined;
    beforeAll(async () => {
      dataDirectory = await mkdtemp(join(tmpdir(), 'tidemark-page-'));
    });
    afterAll(async () => {
      await end('SIGTERM');
      await rm(dataDirectory, { recursive: true, force: true });
    });

    async function run(port: number): Promise<void> {
      const { REDIS_URL: _redis, DYNAMODB_ENDPOINT: _dynamodb, ...environment } = process.env;
      const started = spawn(
        process.execPath,
        ['local/dev.ts', '--port', String(port), '--data', dataDirectory],
        { env: { ...environment, NODE_OPTIONS: '' }, stdio: ['ignore', 'pipe', 'inherit'] },
      );
      child = started;
      let printed = '';
      started.stdout.setEncoding('utf8').on('data', (text: string) => {
        printed += text;
      });
      await eventually(() => expect(printed).toContain('Tidemark ready on '));
    }

    async function end(signal: NodeJS.Signals): Promise<void> {
      const ended = child && once(child, 'exit');
      child?.kill(signal);
      await ended;
      child = undefined;
    }

    test('the page recovers by itself, and nothing is lost', async () => {
      const port = await freePort();
      await run(port);
      await start();
      const group = freshGroup();
      const origin = `http://127.0.0.1:${port}`;
      const alice = await open({ as: 'alice', group }, origin);
      const bob = await open({ as: 'bob', group }, origin);
      await alice.say('alice', 'Before');
      await eventually(async () => expect(await alice.receipts('alice')).toEqual(['Read by 1 of 1']));

      await end('SIGKILL');
      await alice.panel('alice').getByText('Connecting').waitFor();
      const input = alice.panel('alice').getByLabel('Message as Alice');
      await input.fill('Meanwhile');
      await input.press('Enter');
      await alice.panel('alice').getByText('Waiting to be sent').waitFor();
      await run(port);

      await eventually(async () => expect(await bob.texts('bob')).toEqual(['Before', 'Meanwhile']));
      await eventually(
        async () => expect(await alice.receipts('alice')).toEqual(['Read by 1 of 1', 'Read by 1 of 1']),
        SEVERAL_RECONNECTIONS_MS,
      );
      await bob.page.reload();
      await eventually(async () => expect(await bob.texts('bob')).toEqual(['Before', 'Meanwhile']));
      // What the browser itself reports of connections that fail.
      faults = faults.filter(
        (fault) =>
          !/ERR_CONNECTION|ERR_EMPTY_RESPONSE|WebSocket connection|warning: |status of 503/.test(fault),
      );
    });
  });
});

/** What axe finds in the page that keeps people out, or makes it hard for them. */
async function seriousIn(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const { violations } = (await page.evaluate('axe.run()')) as axe.AxeResults;
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
}
