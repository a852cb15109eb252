import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import { memberChanges } from '../../../shared/cache/group-cache.ts';
import type { GroupId, UserId } from '../../../shared/domain/ids.ts';
import { joinAt, retreat } from '../../../shared/domain/membership.ts';
import { START } from '../../../shared/domain/position.ts';
import { readInbox } from '../../../shared/operations/inbox.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { markUnread } from '../../../shared/operations/mark-unread.ts';
import { addMembers } from '../../../shared/operations/members.ts';
import { readStatuses } from '../../../shared/operations/message-statuses.ts';
import { recordMessage } from '../../../shared/operations/messages.ts';
import { lookAt } from '../../../shared/operations/own-view.ts';
import { countReceipts, listReceipts } from '../../../shared/operations/receipts.ts';
import { everyonePast } from '../../../shared/stream/fully-read.ts';
import { at } from '../../support/positions.ts';
import { countsOf } from '../../support/receipt-counts.ts';
import { aGroup, aUser, type CountedStores, openStores } from '../../support/stores.ts';

let stores: CountedStores;
beforeAll(async () => {
  stores = await openStores();
  // The scripts' first use of all is one call more: Redis does not know them yet.
  await stores.cache.probe();
});
afterAll(() => stores.close());

/** What the connection logs where a call of the cache fails, as it would before it asks no more. */
let warnings: jest.SpiedFunction<typeof console.warn>;
beforeEach(() => {
  warnings = jest.spyOn(console, 'warn').mockImplementation(() => undefined);
});
afterEach(() => {
  const { calls } = warnings.mock;
  jest.restoreAllMocks();
  expect(calls).toEqual([]);
});

interface Group {
  readonly groupId: GroupId;
  readonly key: (name: string) => string;
  readonly ann: UserId;
  readonly bob: UserId;
  readonly sender: UserId;
}

/** A group that the cache holds whole. The sender has sent 1 to 4; Ann has read up to 2, Bob up to 3. */
async function aWholeGroup(): Promise<Group> {
  const [groupId, ann, bob, sender] = [aGroup(), aUser('ann'), aUser('bob'), aUser('sender')];
  await addMembers(stores, groupId, [ann, bob, sender]);
  for (const id of [1, 2, 3, 4]) await recordMessage(stores, { groupId, position: at(id), senderId: sender });
  await markRead(stores, groupId, ann, at(2), 'strict');
  await markRead(stores, groupId, bob, at(3), 'strict');
  await countReceipts(stores, groupId, bob, [at(1)]);
  return { groupId, key: (name) => `tm:{${groupId}}:${name}`, ann, bob, sender };
}

const own = async (groupId: GroupId, userId: UserId) => {
  const view = await lookAt(stores, groupId, userId);
  const self = view?.membership.self;
  return view && [self?.revision, Number(self?.position), Number(view.head), view.unread.count];
};

/** What the operations answer in a group as it was prepared, one after the other. */
const OPERATIONS: Record<string, (group: Group) => Promise<void>> = {
  lookAt: async ({ groupId, ann }) => {
    expect(await own(groupId, ann)).toEqual([0, 2, 4, 2]);
  },
  readStatuses: async ({ groupId, ann, sender }) => {
    const statusesOf = async (userId: UserId) => {
      const read = await readStatuses(stores, groupId, userId, [1, 2, 3, 4].map(at));
      return read && [Number(read.watermark), ...read.statuses.map(({ isRead }) => isRead)];
    };
    expect(await statusesOf(ann)).toEqual([2, true, true, false, false]);
    expect(await statusesOf(sender)).toEqual([4, true, true, true, true]);
  },
  readInbox: async ({ groupId, ann }) => {
    for (const unreadOnly of [false, true]) {
      const page = await readInbox(stores, ann, { unreadOnly, limit: 10, after: null });
      expect(page).toMatchObject({
        groups: [{ groupId, head: at(4), unread: { count: 2, exact: true } }],
        next: null,
      });
    }
  },
  countReceipts: async ({ groupId, ann, bob }) => {
    for (const caller of [ann, bob]) {
      const counted = await countReceipts(stores, groupId, caller, [at(1), at(3), at(4), at(5)]);
      expect(countsOf(counted)).toEqual([[2, 2, 2], [2, 1, 1], [2, 0, 0], null]);
    }
  },
  listReceipts: async ({ groupId, ann, bob, sender }) => {
    const list = async (caller: UserId, id: number, state: 'read' | 'unread' | 'delivered') => {
      const listed = await listReceipts(stores, groupId, caller, at(id), { state, limit: 10, after: null });
      if (typeof listed === 'string') return listed;
      expect(listed.page.next).toBeNull();
      return [listed.receipt.senderId, ...listed.page.members.map(({ userId }) => userId)];
    };
    expect(await list(ann, 2, 'read')).toEqual([sender, ann, bob]);
    expect(await list(bob, 3, 'read')).toEqual([sender, bob]);
    expect(await list(bob, 3, 'unread')).toEqual([sender, ann]);
    expect(await list(bob, 2, 'delivered')).toEqual([sender, ann, bob]);
  },
  mergeNews: async ({ groupId, ann, bob }) => {
    const states = await stores.ledger.memberships.readMany([ann, bob], groupId);
    const news = [...states].map(([userId, state]) => ({ kind: 'known-member', userId, state }) as const);
    const head = { kind: 'known-head', position: at(4) } as const;
    const reply = await stores.cache.mergeNews(groupId, [...news, head], at(1));
    // As the projector does with those whom the cache lacks.
    const strangers = await stores.ledger.memberships.readMany(reply?.strangers ?? [], groupId);
    await stores.cache.merge(groupId, memberChanges(strangers));
    expect(await everyonePast(stores, groupId, at(1), reply)).toBe(at(2));
    expect(await own(groupId, ann)).toEqual([0, 2, 4, 2]);
  },
  recordMessage: async ({ groupId, ann, sender }) => {
    expect(await recordMessage(stores, { groupId, position: at(5), senderId: sender })).toEqual({
      outcome: 'recorded',
      head: at(5),
    });
    expect(await own(groupId, ann)).toEqual([0, 2, 5, 3]);
    expect(await own(groupId, sender)).toEqual([0, 5, 5, 0]);
  },
  markRead: async ({ groupId, ann }) => {
    const marked = await markRead(stores, groupId, ann, at(3), 'strict');
    expect(marked).toMatchObject({
      view: { membership: { self: { position: at(3) } }, head: at(5), unread: { count: 2, exact: true } },
      advanced: true,
      clamped: false,
    });
    expect(await own(groupId, ann)).toEqual([0, 3, 5, 2]);
  },
  markUnread: async ({ groupId, ann }) => {
    const view = await markUnread(stores, groupId, ann, at(2));
    expect(view).toMatchObject({
      membership: { self: { position: at(1), revision: 1 } },
      head: at(5),
      unread: { count: 4, exact: true },
    });
    expect(await own(groupId, ann)).toEqual([1, 1, 5, 4]);
  },
};

/** Before each operation the group is spoiled. It answers right all the same, and leaves a cache that is whole again. */
async function expectAllRight(spoil: (group: Group) => Promise<unknown>): Promise<void> {
  const group = await aWholeGroup();
  for (const [name, operation] of Object.entries(OPERATIONS)) {
    await spoil(group);
    try {
      await operation(group);
      await expectWhole(group);
    } catch (error) {
      throw new Error(`${name} in the spoiled group`, { cause: error });
    }
  }
}

async function expectWhole({ groupId, ann, bob, sender }: Group): Promise<void> {
  // The first may mend what is broken.
  for (const userId of [ann, bob, sender]) {
    await lookAt(stores, groupId, userId);
    stores.takeCalls();
    await lookAt(stores, groupId, userId);
    expect(stores.takeCalls()).toEqual(['cache']);
  }
  await countReceipts(stores, groupId, ann, [at(2)]);
  stores.takeCalls();
  expect(countsOf(await countReceipts(stores, groupId, bob, [at(2)]))).toEqual([[2, 2, 2]]);
  expect(stores.takeCalls()).toEqual(['cache']);
}

/** Nobody's text, or another version's. The largest generation would win over every other if it could be read. */
const MEMBERSHIPS = [
  ['nothing', ''],
  ['garbage', '!!rubbish!!'],
  ['a generation of ten digits', '10000000000000000000001'],
  ['a departure of ten digits', '1000000000-'],
  ['a departure with rubbish', 'zzzzzzzzz-rubbish'],
  ['a departure with a register', 'zzzzzzzzz-|0000000000001'],
  ['a future format', 'v2:{"self":"5"}'],
  ['one register too many', `zzzzzzzzz${Array(5).fill('0000000000001').join('|')}`],
  ['an empty register', 'zzzzzzzzz0000000000001||0000000000001'],
  ['an empty first register', 'zzzzzzzzz|0000000000001'],
  ['an empty last register', 'zzzzzzzzz0000000000001|'],
  ['a position above the largest', 'zzzzzzzzz3w5e11264sgsg'],
  ['a revision that no number holds', 'zzzzzzzzz0000000000001|99999999999999999999~0000000000001'],
  ['a first revision that no number holds', 'zzzzzzzzz0000000000001|1^99999999999999999999~0000000000001'],
  ['a time that no date holds', 'zzzzzzzzz0000000000001|0000000000001@zzzzzzzzzzzz'],
  ['a time below all dates', 'zzzzzzzzz0000000000001|0000000000001@-zzzzzzzzzzzz'],
  ['a doubt of nothing', '?'],
  ['a doubt of garbage', 'rubbish?'],
  ['several doubts', 'zzzzzzzzz0000000000001???'],
  ['several doubts of a departure', 'zzzzzzzzz-??'],
] as const;

test('each operation’s result if everything is readable', async () => {
  await expectAllRight(async () => undefined);
});

describe('an unreadable text of a membership is a miss only for that member', () => {
  test.each(MEMBERSHIPS)('%s', async (_, text) => {
    await expectAllRight(({ key, ann }) => stores.redis.hset(key('members'), ann, text));
  });

  test('also for the sender', async () => {
    await expectAllRight(({ key, sender }) => stores.redis.hset(key('members'), sender, 'rubbish'));
  });

  test('is not replaced by an old record of the stream', async () => {
    const { groupId, key, ann, sender } = await aWholeGroup();
    const old = joinAt(START, 1_700_000_000_000);
    for (const isIndexed of [true, false]) {
      if (!isIndexed) await stores.redis.del(key('receipts'));
      await stores.redis.hset(key('members'), ann, 'rubbish');
      const news = { kind: 'known-member', userId: ann, state: old } as const;
      const reply = await stores.cache.mergeNews(groupId, [news], null);
      expect(reply?.strangers).toEqual(isIndexed ? [ann] : []);
      expect(await own(groupId, ann)).toEqual([0, 2, 4, 2]);
      await countReceipts(stores, groupId, sender, [at(1)]);
    }
  });

  test('costs no other member a call of the ledger', async () => {
    const { groupId, key, ann, bob } = await aWholeGroup();
    await stores.redis.hset(key('members'), ann, 'rubbish');
    stores.takeCalls();
    expect(await own(groupId, bob)).toEqual([0, 3, 4, 1]);
    expect(stores.takeCalls()).toEqual(['cache']);
    expect(await own(groupId, ann)).toEqual([0, 2, 4, 2]);
    expect(stores.takeCalls()).toEqual(['cache', 'ledger GetItem', 'cache']);
  });

  test('is a miss for any text, and is replaced by a merge from the ledger', async () => {
    const [groupId, ann] = [aGroup(), aUser('ann')];
    const held = retreat(joinAt(at(5), 1_700_000_000_000), at(3), 1_700_000_000_009);
    const sound = [
      'zzzzzzzzz0000000000005|2~0000000000009@14|0000000000009@-1|000000000000a@14',
      'zzzzzzzzz0000000000005|2^7~0000000000009',
      'zzzzzzzzz-',
    ];
    const character = fc.constantFrom(...'09az|@~^-?#: ');
    const text = fc.oneof(
      fc.string(),
      fc
        .tuple(fc.constantFrom(...sound), fc.nat(80), fc.nat(2), fc.string({ unit: character, maxLength: 4 }))
        .map(([whole, from, length, other]) => whole.slice(0, from) + other + whole.slice(from + length)),
    );
    let unreadable = 0;
    await fc.assert(
      fc.asyncProperty(text, async (spoiled) => {
        await stores.redis.del(`tm:{${groupId}}:members`);
        await stores.redis.hset(`tm:{${groupId}}:members`, ann, spoiled);
        const read = await stores.cache.read(groupId, ann);
        expect(read).not.toBeNull();
        if (read?.state) return;
        unreadable += 1;
        const isDoubt = spoiled.endsWith('?');
        const member = { kind: 'member', userId: ann, state: held } as const;
        const merged = await stores.cache.mergeFor(groupId, ann, [member]);
        // A doubt of what can be read is none of this test.
        if (!isDoubt) expect(merged?.state).toEqual(held);
      }),
      { numRuns: 1_000 },
    );
    expect(unreadable).toBeGreaterThan(300);
  });
});

describe('an unreadable head is a miss', () => {
  test('is not replaced by an old record of the stream', async () => {
    const { groupId, key, ann } = await aWholeGroup();
    await stores.redis.set(key('head'), 'zzz');
    await stores.cache.mergeNews(groupId, [{ kind: 'known-head', position: at(3) }], null);
    expect(await own(groupId, ann)).toEqual([0, 2, 4, 2]);
  });

  test.each(['', 'zzz', '5', '3w5e11264sgsg', '0000000000009|x', '9007199254740993'])('%j', async (text) => {
    await expectAllRight(({ key }) => stores.redis.set(key('head'), text, 'PX', 60_000));
  });
});

describe('an unreadable state of the window is a miss', () => {
  test.each(['', 'zzz', '!!!', '5', '3w5e11264sgsg', '0000000000002|x'])('the floor %j', async (text) => {
    await expectAllRight(async ({ key }) => {
      await stores.redis.zremrangebylex(key('messages'), '[!floor|', '(!floor}');
      await stores.redis.zadd(key('messages'), 0, `!floor|${text}`);
    });
  });

  test.each(['', 'zzz', '!!!', '5'])('the cut %j of a load', async (text) => {
    await expectAllRight(async ({ key }) => {
      await stores.redis.zadd(key('messages'), 0, `!cut|${text}`);
      await stores.redis.zremrangebylex(key('messages'), '[!floor|', '(!floor}');
    });
  });

  test.each(['', 'zzz', '!!!'])('the load %j', async (text) => {
    await expectAllRight(({ key }) => stores.redis.zadd(key('messages'), 0, `!load|${text}`));
  });
});

describe('an unreadable entry does no harm', () => {
  const spoilWith = (name: string, entries: readonly string[]) => (group: Group) =>
    stores.redis.zadd(group.key(name), ...entries.flatMap((entry) => [0, entry]));

  test('among the messages', async () => {
    await expectAllRight(
      spoilWith('messages', [
        ...['', '!', '!!!', '!floor', '!x|y', '9', '9zzz', '4|x', ':', '@', '@#', '~', '~~', '~zzz', 'zzz'],
        ...['|laggard', '}', 'é', '0000000000000|x'],
      ]),
    );
  });

  test('among the messages of one sender', async () => {
    await expectAllRight((group) => {
      const { ann, sender } = group;
      return spoilWith('messages', [`@${ann}#zzz`, `@${sender}#~`, `@${ann}`, `@${ann}#`])(group);
    });
  });

  test('among the receipts', async () => {
    await expectAllRight(
      spoilWith('receipts', [
        ...['', '!', '!!!', '!index', '!x|y', 'd', 'd9', 'j', 'j9zzz', 'p', 'p9', 'p4|x', 'pzzz', 'q', 'q~'],
        ...['zzz', '|laggard', '#index', '}', 'é', 'p!'],
      ]),
    );
  });

  test.each(['p0', 'q0', 'd0', 'j0'])('among the receipts, where a section begins: %j', async (entry) => {
    await expectAllRight(spoilWith('receipts', [entry]));
  });

  test('among the users who joined a moment ago', async () => {
    await expectAllRight(({ key }) => {
      const entries = ['', 'a#b', '#index', '{}', 'é'].flatMap((entry) => [Date.now(), entry]);
      return stores.redis.zadd(key('joined'), ...entries);
    });
  });

  test.each(['', 'zzz', '#index', '#laggard'])('as the member who is behind: %j', async (user) => {
    await expectAllRight(({ key }) => stores.redis.hset(key('members'), '#laggard', user));
  });

  test.each(['', 'zzz'])('as the token of the index: %j', async (token) => {
    await expectAllRight(({ key }) => stores.redis.hset(key('members'), '#index', token));
  });

  test.each(['', 'soon', '-1', '1e300'])('as the lease of a load of the receipts: %j', async (lease) => {
    await expectAllRight(async ({ key }) => {
      await stores.redis.zremrangebylex(key('receipts'), '[!', '(!}');
      await stores.redis.zadd(key('receipts'), 0, '!load|a-token', 0, `!lease|${lease}`, 0, '!after|a#b');
      await stores.redis.hset(key('members'), '#index', 'a-token');
    });
  });

  test('among the early marks', async () => {
    const end = '99999999999999';
    await expectAllRight(({ key, ann, bob, sender }) => {
      const texts = { '': '', [ann]: 'zzz', [bob]: ';;;|', [sender]: `${end}|zzz;1|2|3` };
      const taken = { 'a#b': `${end}|0000000000004|1|0|read`, ab: `${end}|0000000000004|1|0|x` };
      return stores.redis.hset(key('early'), { ...texts, ...taken, abc: `${end}|0004|x|y|z` });
    });
  });

  test('in a window that drops its oldest messages', async () => {
    const small = await openStores({ capacity: 5 });
    try {
      const [groupId, ann, sender] = [aGroup(), aUser('ann'), aUser('sender')];
      await addMembers(small, groupId, [ann, sender]);
      await lookAt(small, groupId, ann);
      const record = (id: number) => recordMessage(small, { groupId, position: at(id), senderId: sender });
      for (const id of [1, 2, 3, 4, 5]) await record(id);
      // The lowest ones: these are dropped before any message.
      await small.redis.zadd(`tm:{${groupId}}:messages`, 0, '0', 0, '0000000000000', 0, '0000000000001');
      for (const id of [6, 7, 8]) await record(id);
      expect(await lookAt(small, groupId, ann)).toMatchObject({
        head: at(8),
        unread: { count: 5, exact: false },
      });
      small.takeCalls();
      await markRead(small, groupId, ann, at(5), 'strict');
      expect(await lookAt(small, groupId, ann)).toMatchObject({ unread: { count: 3, exact: true } });
      expect(small.takeCalls()).toEqual(['cache', 'ledger UpdateItem', 'cache', 'cache']);
    } finally {
      await small.close();
    }
  });

  test('as the sender of a message whose receipts are read', async () => {
    for (const sender of ['', 'a#b', 'a b', 'é', 'x'.repeat(129)]) {
      const { groupId, key, ann, bob } = await aWholeGroup();
      await stores.redis.zremrangebylex(key('messages'), '[0000000000003|', '(0000000000003}');
      await stores.redis.zadd(key('messages'), 0, `0000000000003|${sender}`);
      for (const caller of [ann, bob]) {
        expect(countsOf(await countReceipts(stores, groupId, caller, [at(3)]))).toEqual([[2, 1, 1]]);
      }
      expect(await own(groupId, ann)).toEqual([0, 2, 4, 2]);
    }
  });

  test('as the last one of a page of receipts', async () => {
    const { groupId, key, ann, bob } = await aWholeGroup();
    await stores.redis.zadd(
      key('receipts'),
      0,
      'p0000000000003',
      0,
      'p0000000000003|a#b',
      0,
      'p0000000000002|',
    );
    const list = { state: 'unread', limit: 1, after: null } as const;
    const listed = await listReceipts(stores, groupId, bob, at(4), list);
    expect(listed).toMatchObject({ page: { members: [{ userId: ann }], next: { userId: ann } } });
    // What could not be read is gone.
    expect(countsOf(await countReceipts(stores, groupId, bob, [at(4)]))).toEqual([[2, 0, 0]]);
  });
});

describe('an unreadable doubt', () => {
  const spoiled = ['', 'rubbish', '|;', '99999999999999', '0|x;rubbish', 'x0|x;'];

  test.each(spoiled)('has no effect if the member’s text is not in doubt: %j', async (text) => {
    await expectAllRight(({ key, ann }) => stores.redis.hset(key('doubts'), ann, text));
  });

  test.each(spoiled)('does not make a text in doubt valid: %j', async (text) => {
    for (const ask of ['lookAt', 'readStatuses', 'markRead', 'settled'] as const) {
      const { groupId, key, ann } = await aWholeGroup();
      const old = await stores.redis.hget(key('members'), ann);
      const back = await stores.ledger.memberships.change(
        ann,
        groupId,
        (state) => (state?.kind === 'member' ? retreat(state, at(2), Date.now()) : state),
        await stores.ledger.memberships.read(ann, groupId),
      );
      expect(back.changed).toBe(true);
      await stores.redis.hset(key('members'), ann, `${old}?`);
      await stores.redis.hset(key('doubts'), ann, text);
      if (ask === 'settled') {
        await stores.cache.merge(groupId, [{ kind: 'settled', userId: ann, doubt: 'another' }]);
      }
      if (ask === 'readStatuses') {
        expect(await readStatuses(stores, groupId, ann, [at(2)])).toEqual({
          watermark: at(1),
          statuses: [{ position: at(2), isRead: false }],
        });
      }
      if (ask === 'markRead') {
        expect(await markRead(stores, groupId, ann, at(2), 'strict')).toMatchObject({ advanced: true });
        expect(await own(groupId, ann)).toEqual([1, 2, 4, 2]);
      } else {
        expect(await own(groupId, ann)).toEqual([1, 1, 4, 3]);
      }
      stores.takeCalls();
      await lookAt(stores, groupId, ann);
      expect(stores.takeCalls()).toEqual(['cache']);
    }
  });
});
