import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { createTidemark, type Tidemark, type TidemarkOptions } from '../../../client/src/tidemark.ts';
import type { DroppedMark } from '../../../client/src/tracker.ts';
import { putFakePage } from './fake-page.ts';
import { type Call, createFakeService, marked, type Outcome, problem } from './fake-service.ts';

let tidemark: Tidemark;
let dropped: DroppedMark[];
let errors: unknown[];
let marks: Call[];
/** What the next marks get; a mark gets what it asks for where nothing is left. */
let outcomes: Outcome[];
let page: ReturnType<typeof putFakePage> | undefined;

beforeEach(() => {
  jest.useFakeTimers({ now: 1_000_000 });
  // Each pause is as long as it can be.
  jest.spyOn(Math, 'random').mockReturnValue(1);
  [dropped, errors, marks, outcomes] = [[], [], [], []];
});

afterEach(() => {
  page?.remove();
  page = undefined;
  jest.restoreAllMocks();
  jest.useRealTimers();
});

const PREFERENCES = {
  ...{ parentId: null, notify: 'all', mutedUntil: null, archive: 'no', archived: false },
  preferencesRevision: 0,
};

function start(options: Partial<TidemarkOptions> = {}): Tidemark {
  /** The group as the answers have left it. */
  let groups: object[] = [];
  const service = createFakeService(async (call) => {
    if (call.path.startsWith('/inbox')) return { status: 200, body: { groups, cursor: null } };
    const { messageId } = call.body as { messageId: string };
    const isUnread = call.path === '/groups/tea/unread';
    if (!isUnread) marks.push(call);
    const usual = isUnread ? marked('4', { revision: 1, head: '10' }) : marked(messageId);
    const outcome = await (outcomes.shift() ?? usual);
    const state = outcome === 'no network' ? undefined : outcome.body;
    if (typeof state === 'object' && 'messageId' in state) {
      groups = [{ ...PREFERENCES, head: state.messageId, ...state }];
    }
    return outcome;
  });
  tidemark = createTidemark({
    ...service,
    userId: 'ann',
    token: () => 'a-token',
    onDropped: (mark) => dropped.push(mark),
    onError: (error) => errors.push(error),
    ...options,
  });
  return tidemark;
}

function withPage() {
  page = putFakePage();
  return page;
}

const tea = () => tidemark.tracker('tea');
const pass = (ms: number) => jest.advanceTimersByTimeAsync(ms);
const bodies = () => marks.map(({ body }) => body);
const sentIds = () => marks.map(({ body }) => (body as { messageId: string }).messageId);

function createStorage(stored: Record<string, string> = {}) {
  return {
    stored,
    get: (key: string) => stored[key] ?? null,
    set: (key: string, value: string | null) => {
      if (value === null) delete stored[key];
      else stored[key] = value;
    },
  };
}

describe('one mark for many', () => {
  test('goes half a second after the last message, with the largest id', async () => {
    start();
    tea().shown('9007199254740993');
    tea().shown('9007199254740992');
    await pass(499);
    expect(marks).toEqual([]);
    tea().shown('10000000000000000000');
    tea().shown('9999999999999999999');
    await pass(499);
    expect(marks).toEqual([]);
    await pass(1);
    expect(bodies()).toEqual([{ messageId: '10000000000000000000', private: false }]);
    await pass(60_000);
    expect(marks).toHaveLength(1);
  });

  test('waits two seconds at most', async () => {
    start();
    for (let id = 1; id <= 20; id += 1) {
      tea().shown(String(id));
      await pass(100);
    }
    expect(sentIds()).toEqual(['20']);
  });

  test('goes at once when the page is hidden, and outlives the page', async () => {
    const { hide } = withPage();
    start();
    tea().shown('7');
    hide();
    await pass(0);
    expect(sentIds()).toEqual(['7']);
    expect(marks[0]?.keepalive).toBe(true);
  });

  test('goes at once although an earlier one is on its way', async () => {
    const { hide } = withPage();
    start();
    outcomes.push(new Promise(() => undefined));
    tea().shown('7');
    await pass(500);
    tea().shown('8');
    hide();
    await pass(0);
    expect(sentIds()).toEqual(['7', '8']);
  });

  test('is not sent for what is read', async () => {
    start();
    tea().shown('7');
    await pass(500);
    tea().shown('7');
    tea().shown('6');
    await pass(60_000);
    expect(sentIds()).toEqual(['7']);
  });

  test('is not sent where another device was quicker', async () => {
    start();
    tea().shown('7');
    await tidemark.api.getInbox({});
    tea().shown('8');
    outcomes.push(marked('9'));
    await pass(500);
    expect(sentIds()).toEqual(['8']);
    tea().shown('9');
    await pass(60_000);
    expect(sentIds()).toEqual(['8']);
  });

  test('throws for what is no message id', () => {
    start();
    expect(() => tea().shown('pending-1')).toThrow(RangeError);
    expect(() => tea().shown('18446744073709551616')).toThrow(RangeError);
  });
});

describe('a mark that fails', () => {
  test('is sent again, with growing pauses', async () => {
    start();
    outcomes.push('no network', { status: 500, body: {} }, problem(401, 'unauthorized'));
    tea().shown('7');
    await pass(500);
    expect(marks).toHaveLength(1);
    await pass(999);
    expect(marks).toHaveLength(1);
    await pass(1);
    expect(marks).toHaveLength(2);
    await pass(1_999);
    expect(marks).toHaveLength(2);
    await pass(1);
    expect(marks).toHaveLength(3);
    await pass(4_000);
    expect(sentIds()).toEqual(['7', '7', '7', '7']);
    await pass(600_000);
    expect(marks).toHaveLength(4);
    expect(dropped).toEqual([]);
  });

  test('has a random pause, so that clients do not come back together', async () => {
    start();
    jest.spyOn(Math, 'random').mockReturnValue(0.25);
    outcomes.push('no network');
    tea().shown('7');
    await pass(500);
    await pass(249);
    expect(marks).toHaveLength(1);
    await pass(1);
    expect(marks).toHaveLength(2);
  });

  test('waits as long as the service asks, even where the page is hidden', async () => {
    const { hide } = withPage();
    start();
    outcomes.push({ ...problem(503, 'unavailable'), retryAfter: '20' });
    tea().shown('7');
    await pass(500);
    await pass(19_999);
    hide();
    await pass(0);
    expect(marks).toHaveLength(1);
    await pass(1);
    expect(marks).toHaveLength(2);
  });

  test('is sent at once when the network is back', async () => {
    const { fire } = withPage();
    start();
    for (let id = 1; id <= 10; id += 1) outcomes.push('no network');
    for (let id = 1; id <= 10; id += 1) {
      tea().shown(String(id));
      await pass(3_000);
    }
    const before = marks.length;
    outcomes = [];
    fire('online');
    await pass(0);
    expect(sentIds().slice(before)).toEqual(['10']);
    await pass(600_000);
    expect(marks).toHaveLength(before + 1);
  });

  test.each([400, 403, 404, 413])('with %i is dropped and reported', async (status) => {
    start();
    outcomes.push(problem(status, 'a_code'));
    tea().shown('7');
    await pass(600_000);
    expect(marks).toHaveLength(1);
    expect(dropped).toMatchObject([{ groupId: 'tea', messageId: '7', error: { status } }]);
    // A later one is tried.
    tea().shown('8');
    await pass(500);
    expect(sentIds()).toEqual(['7', '8']);
  });

  test('with a token that the service refuses asks for another one', async () => {
    start({ token: (refused) => (refused === undefined ? 'old' : 'new') });
    outcomes.push(problem(401, 'unauthorized'));
    tea().shown('7');
    await pass(500);
    expect(marks.map(({ bearer }) => bearer)).toEqual(['old', 'new']);
  });

  test('for want of a token is sent later', async () => {
    const ended = new Error('the session has ended');
    start({
      token: () => {
        if (Date.now() < 1_000_600) throw ended;
        return 'a-token';
      },
    });
    tea().shown('7');
    await pass(500);
    expect(marks).toEqual([]);
    await pass(1_000);
    expect(sentIds()).toEqual(['7']);
    expect(dropped).toEqual([]);
  });
});

describe('the revision', () => {
  test('that the user saw goes with the mark, and a conflict is not repeated', async () => {
    start();
    outcomes.push(marked('5', { revision: 2 }));
    tea().shown('5');
    await pass(500);
    // Marked unread on another device.
    outcomes.push(problem(409, 'revision_conflict', marked('3', { revision: 3 }).body as object));
    tea().shown('8');
    await pass(600_000);
    expect(bodies()).toEqual([
      { messageId: '5', private: false },
      { messageId: '8', private: false, ifRevision: 2 },
    ]);
    expect(tidemark.getSnapshot().views.get('tea')).toMatchObject({ messageId: '3', revision: 3 });
    expect(dropped).toEqual([]);
    // The state was taken over: what is read from now on is read in it.
    tea().shown('8');
    await pass(500);
    expect(bodies().at(-1)).toEqual({ messageId: '8', private: false, ifRevision: 3 });
  });

  test('of a mark is the one of its moment, although the view has moved since', async () => {
    start();
    tea().shown('5');
    await pass(500);
    outcomes.push('no network');
    tea().shown('8');
    await pass(500);
    await tea().markUnread('5');
    await pass(600_000);
    expect(
      new Set(
        bodies()
          .slice(1)
          .map((body) => JSON.stringify(body)),
      ),
    ).toEqual(new Set(['{"messageId":"8","private":false,"ifRevision":0}']));
  });

  test('rises with marking unread, after what was read before has been sent', async () => {
    start();
    tea().shown('7');
    await tea().markUnread('5');
    expect(sentIds()).toEqual(['7']);
    expect(tidemark.getSnapshot().views.get('tea')).toMatchObject({ messageId: '4', revision: 1 });
  });

  test('does not rise where marking unread fails', async () => {
    start();
    outcomes.push(problem(404, 'not_found'));
    await expect(tea().markUnread('5')).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('a clamped mark', () => {
  test('is sent again until its message is recorded', async () => {
    start();
    outcomes.push(marked('6', { clamped: true }), marked('6', { clamped: true }));
    tea().shown('7');
    await pass(500);
    expect(marks).toHaveLength(1);
    await pass(1_000);
    expect(marks).toHaveLength(2);
    await pass(2_000);
    expect(sentIds()).toEqual(['7', '7', '7']);
    await pass(600_000);
    expect(marks).toHaveLength(3);
    expect(dropped).toEqual([]);
  });

  test('is given up after a while, and reported', async () => {
    start();
    for (let time = 0; time < 50; time += 1) outcomes.push(marked('6', { clamped: true }));
    tea().shown('7');
    await pass(3_600_000);
    expect(marks).toHaveLength(11);
    expect(dropped).toEqual([{ groupId: 'tea', messageId: '7', error: null }]);
  });

  test('of the largest id is what it is: everything', async () => {
    start();
    outcomes.push(marked('6', { clamped: true }));
    tea().shown('18446744073709551615');
    await pass(600_000);
    expect(marks).toHaveLength(1);
    expect(dropped).toEqual([]);
  });
});

describe('private reading', () => {
  test('sends private marks, and a public one before it stays public', async () => {
    let isPrivate = false;
    start({ isPrivate: () => isPrivate });
    outcomes.push('no network');
    tea().shown('5');
    await pass(500);
    isPrivate = true;
    tea().shown('8');
    tea().shown('4');
    await pass(1_000);
    expect(bodies().slice(1)).toEqual([
      { messageId: '5', private: false },
      { messageId: '8', private: true },
    ]);
    await pass(600_000);
    expect(marks).toHaveLength(3);
  });

  test('is implied by a public mark of a later message', async () => {
    let isPrivate = true;
    start({ isPrivate: () => isPrivate });
    tea().shown('5');
    isPrivate = false;
    tea().shown('8');
    await pass(600_000);
    expect(bodies()).toEqual([{ messageId: '8', private: false }]);
  });
});

describe('a storage', () => {
  test('keeps a mark over a reload, with its revision, until it is acknowledged', async () => {
    const storage = createStorage();
    start({ storage });
    tea().shown('5');
    await pass(500);
    expect(storage.stored).toEqual({});
    outcomes.push(...Array.from({ length: 9 }, () => 'no network' as const));
    tea().shown('7');
    await pass(500);
    expect(storage.stored).toEqual({
      'tidemark:ann': '{"tea":[{"messageId":"7","private":false,"ifRevision":0}]}',
    });
    // The page ends, and begins again, in no group.
    await tidemark.close();
    marks = [];
    outcomes = [];
    start({ storage });
    await pass(500);
    expect(bodies()).toEqual([{ messageId: '7', private: false, ifRevision: 0 }]);
    expect(storage.stored).toEqual({});
  });

  test('is of one user', async () => {
    const storage = createStorage({ 'tidemark:bob': '{"tea":[{"messageId":"7","private":false}]}' });
    start({ storage });
    await pass(600_000);
    expect(marks).toEqual([]);
  });

  test('keeps what another tab has stored', async () => {
    const storage = createStorage();
    start({ storage });
    tea().shown('5');
    await pass(0);
    storage.stored['tidemark:ann'] = JSON.stringify({
      tea: [{ messageId: '9', private: false }],
      attic: [{ messageId: '3', private: false }],
    });
    await pass(500);
    expect(JSON.parse(storage.stored['tidemark:ann'] ?? '')).toEqual({
      tea: [{ messageId: '9', private: false }],
      attic: [{ messageId: '3', private: false }],
    });
  });

  test.each(['', 'no json', '[]', '7', '{"tea":7}', '{"tea":[{"messageId":"x"}]}', '{"tea":[null]}'])(
    'that holds %j holds nothing',
    async (text) => {
      start({ storage: createStorage({ 'tidemark:ann': text }) });
      tea().shown('7');
      await pass(500);
      expect(sentIds()).toEqual(['7']);
      expect(errors).toEqual([]);
    },
  );

  test('that fails is reported, and the mark is sent all the same', async () => {
    const full = new Error('the storage is full');
    start({
      storage: {
        get: async () => null,
        set: () => {
          throw full;
        },
      },
    });
    tea().shown('7');
    await pass(500);
    expect(sentIds()).toEqual(['7']);
    expect(errors).toContain(full);
  });
});

test('closing sends what is pending, and leaves no timer', async () => {
  start();
  tea().shown('7');
  await tidemark.close();
  expect(sentIds()).toEqual(['7']);
  expect(jest.getTimerCount()).toBe(0);
});
