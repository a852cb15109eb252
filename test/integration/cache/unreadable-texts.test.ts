import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import * as change from '../../../shared/cache/changes.ts';
import { mergeHeads } from '../../../shared/domain/head.ts';
import type { GroupId, UserId } from '../../../shared/domain/ids.ts';
import { joinAt, retreat } from '../../../shared/domain/membership.ts';
import { START } from '../../../shared/domain/position.ts';
import { readInbox } from '../../../shared/operations/inbox.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { markUnread } from '../../../shared/operations/mark-unread.ts';
import { addMembers } from '../../../shared/operations/members.ts';
import { readStatuses } from '../../../shared/operations/message-statuses.ts';
import { recordMessage } from '../../../shared/operations/messages.ts';
import { readOwnView } from '../../../shared/operations/own-view.ts';
import { countReceipts, listReceipts } from '../../../shared/operations/receipts.ts';
import { everyonePast } from '../../../shared/stream/fully-read.ts';
import { headAt } from '../../support/heads.ts';
import { at } from '../../support/positions.ts';
import { countsOf } from '../../support/receipt-counts.ts';
import { aGroup, aUser, type CountedTidemark, openTidemark } from '../../support/tidemark.ts';

let tidemark: CountedTidemark;
beforeAll(async () => {
  tidemark = await openTidemark();
  // The first use of a script costs one more call: Redis does not know it yet.
  await tidemark.cache.probe();
});
afterAll(() => tidemark.close());

/** The connection's log lines about failed calls of the cache. */
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

/** A group that is completely in the cache. The sender has sent 1 to 4; Ann has read up to 2, Bob up to 3. */
async function aWholeGroup(): Promise<Group> {
  const [groupId, ann, bob, sender] = [aGroup(), aUser('ann'), aUser('bob'), aUser('sender')];
  await addMembers(tidemark, groupId, [ann, bob, sender]);
  for (const id of [1, 2, 3, 4])
    await recordMessage(tidemark, { groupId, position: at(id), senderId: sender });
  await markRead(tidemark, { groupId, userId: ann }, at(2));
  await markRead(tidemark, { groupId, userId: bob }, at(3));
  await countReceipts(tidemark, { groupId, userId: bob }, [at(1)]);
  return { groupId, key: (name) => `tm:{${groupId}}:${name}`, ann, bob, sender };
}

const own = async (groupId: GroupId, userId: UserId) => {
  const view = await readOwnView(tidemark, { groupId, userId });
  const self = view?.membership.self;
  return view && [self?.revision, Number(self?.position), Number(view.head.position), view.unread.count];
};

/** The results of the operations in a prepared group, one after the other. */
const OPERATIONS: Record<string, (group: Group) => Promise<void>> = {
  readOwnView: async ({ groupId, ann }) => {
    expect(await own(groupId, ann)).toEqual([0, 2, 4, 2]);
  },
  readStatuses: async ({ groupId, ann, sender }) => {
    const statusesOf = async (userId: UserId) => {
      const read = await readStatuses(tidemark, { groupId, userId }, [1, 2, 3, 4].map(at));
      return read && [Number(read.watermark), ...read.statuses.map(({ isRead }) => isRead)];
    };
    expect(await statusesOf(ann)).toEqual([2, true, true, false, false]);
    expect(await statusesOf(sender)).toEqual([4, true, true, true, true]);
  },
  readInbox: async ({ groupId, ann }) => {
    for (const unreadOnly of [false, true]) {
      const page = await readInbox(tidemark, ann, { unreadOnly, limit: 10, after: null });
      expect(page).toMatchObject({
        groups: [{ groupId, head: headAt(4), unread: { count: 2, mentions: 0, first: at(3), exact: true } }],
        next: null,
      });
    }
  },
  countReceipts: async ({ groupId, ann, bob }) => {
    for (const caller of [ann, bob]) {
      const counted = await countReceipts(tidemark, { groupId, userId: caller }, [
        at(1),
        at(3),
        at(4),
        at(5),
      ]);
      expect(countsOf(counted)).toEqual([[2, 2, 2], [2, 1, 1], [2, 0, 0], null]);
    }
  },
  listReceipts: async ({ groupId, ann, bob, sender }) => {
    const list = async (caller: UserId, id: number, state: 'read' | 'unread' | 'delivered') => {
      const listed = await listReceipts(tidemark, { groupId, userId: caller }, at(id), {
        state,
        limit: 10,
        after: null,
      });
      if (!listed || typeof listed === 'string') return listed;
      expect(listed.page.next).toBeNull();
      return [listed.receipt.senderId, ...listed.page.members.map(({ userId }) => userId)];
    };
    expect(await list(ann, 2, 'read')).toEqual([sender, ann, bob]);
    expect(await list(bob, 3, 'read')).toEqual([sender, bob]);
    expect(await list(bob, 3, 'unread')).toEqual([sender, ann]);
    expect(await list(bob, 2, 'delivered')).toEqual([sender, ann, bob]);
  },
  mergeFromStream: async ({ groupId, ann, bob }) => {
    const states = await tidemark.ledger.memberships.readMany(groupId, [ann, bob]);
    const changes = [...states].map(([userId, state]) => change.knownMember(userId, state));
    const head = change.knownHead(headAt(4));
    const reply = await tidemark.cache.mergeFromStream(groupId, [...changes, head], at(1));
    // As the projector does for members whom the cache lacks.
    const unknown = await tidemark.ledger.memberships.readMany(groupId, reply?.unknownMembers ?? []);
    await tidemark.cache.merge(groupId, change.members(unknown));
    expect(await everyonePast(tidemark, groupId, at(1), reply)).toBe(at(2));
    expect(await own(groupId, ann)).toEqual([0, 2, 4, 2]);
  },
  recordMessage: async ({ groupId, ann, sender }) => {
    expect(await recordMessage(tidemark, { groupId, position: at(5), senderId: sender })).toEqual({
      outcome: 'recorded',
      head: at(5),
    });
    expect(await own(groupId, ann)).toEqual([0, 2, 5, 3]);
    expect(await own(groupId, sender)).toEqual([0, 5, 5, 0]);
  },
  markRead: async ({ groupId, ann }) => {
    const marked = await markRead(tidemark, { groupId, userId: ann }, at(3));
    expect(marked).toMatchObject({
      view: {
        membership: { self: { position: at(3) } },
        head: headAt(5),
        unread: { count: 2, mentions: 0, first: at(4), exact: true },
      },
      advanced: true,
      clamped: false,
    });
    expect(await own(groupId, ann)).toEqual([0, 3, 5, 2]);
  },
  markUnread: async ({ groupId, ann }) => {
    const view = await markUnread(tidemark, { groupId, userId: ann }, at(2));
    expect(view).toMatchObject({
      membership: { self: { position: at(1), revision: 1 } },
      head: headAt(5),
      unread: { count: 4, mentions: 0, first: at(2), exact: true },
    });
    expect(await own(groupId, ann)).toEqual([1, 1, 5, 4]);
  },
};

/** Spoils the group before each operation. The result must be right, and the cache complete again afterwards. */
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
  // The first call may repair the cache.
  for (const userId of [ann, bob, sender]) {
    await readOwnView(tidemark, { groupId, userId });
    tidemark.takeCalls();
    await readOwnView(tidemark, { groupId, userId });
    expect(tidemark.takeCalls()).toEqual(['cache']);
  }
  await countReceipts(tidemark, { groupId, userId: ann }, [at(2)]);
  tidemark.takeCalls();
  expect(countsOf(await countReceipts(tidemark, { groupId, userId: bob }, [at(2)]))).toEqual([[2, 2, 2]]);
  expect(tidemark.takeCalls()).toEqual(['cache']);
}

/** Texts of nobody or of another version. Their large generation would win every merge if they were readable. */
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
  ['preferences without a time', 'zzzzzzzzz0000000000001;3H'],
  ['preferences of rubbish', 'zzzzzzzzz0000000000001;3@14Hrubbish'],
  ['preferences twice', 'zzzzzzzzz0000000000001;3@14H;4@14'],
  ['preferences of a revision that no number holds', 'zzzzzzzzz0000000000001;9999999999999999@14'],
  ['preferences of a time that no date holds', 'zzzzzzzzz0000000000001;3@14Uzzzzzzzzzzz'],
  ['an archived position above the largest', 'zzzzzzzzz0000000000001;3@14A3w5e11264sgsg'],
  ['preferences of a departure', 'zzzzzzzzz-;3@14'],
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
    await expectAllRight(({ key, ann }) => tidemark.redis.hset(key('members'), ann, text));
  });

  test('also for the sender', async () => {
    await expectAllRight(({ key, sender }) => tidemark.redis.hset(key('members'), sender, 'rubbish'));
  });

  test('is not replaced by an old record of the stream', async () => {
    const { groupId, key, ann, sender } = await aWholeGroup();
    const old = joinAt(START, 1_700_000_000_000);
    for (const isIndexed of [true, false]) {
      if (!isIndexed) await tidemark.redis.del(key('receipts'));
      await tidemark.redis.hset(key('members'), ann, 'rubbish');
      const changes = change.knownMember(ann, old);
      const reply = await tidemark.cache.mergeFromStream(groupId, [changes], null);
      expect(reply?.unknownMembers).toEqual(isIndexed ? [ann] : []);
      expect(await own(groupId, ann)).toEqual([0, 2, 4, 2]);
      await countReceipts(tidemark, { groupId, userId: sender }, [at(1)]);
    }
  });

  test('costs no other member a call of the ledger', async () => {
    const { groupId, key, ann, bob } = await aWholeGroup();
    await tidemark.redis.hset(key('members'), ann, 'rubbish');
    tidemark.takeCalls();
    expect(await own(groupId, bob)).toEqual([0, 3, 4, 1]);
    expect(tidemark.takeCalls()).toEqual(['cache']);
    expect(await own(groupId, ann)).toEqual([0, 2, 4, 2]);
    expect(tidemark.takeCalls()).toEqual(['cache', 'ledger GetItem', 'cache']);
  });

  test('is a miss for any text, and is replaced by a merge from the ledger', async () => {
    const [groupId, ann] = [aGroup(), aUser('ann')];
    const held = retreat(joinAt(at(5), 1_700_000_000_000), at(3), 1_700_000_000_009);
    const sound = [
      'zzzzzzzzz0000000000005|2~0000000000009@14|0000000000009@-1|000000000000a@14',
      'zzzzzzzzz0000000000005|2^7~0000000000009',
      'zzzzzzzzz0000000000005|0000000000009;3@14MU2huwsrkaHA0000000000009',
      'zzzzzzzzz0000000000005;3@-14NHZ',
      'zzzzzzzzz-',
    ];
    const character = fc.constantFrom(...'09az|@~^-?#: ;UHAZM');
    const text = fc.oneof(
      fc.string(),
      fc
        .tuple(fc.constantFrom(...sound), fc.nat(80), fc.nat(2), fc.string({ unit: character, maxLength: 4 }))
        .map(([whole, from, length, other]) => whole.slice(0, from) + other + whole.slice(from + length)),
    );
    let unreadable = 0;
    await fc.assert(
      fc.asyncProperty(text, async (spoiled) => {
        await tidemark.redis.del(`tm:{${groupId}}:members`);
        await tidemark.redis.hset(`tm:{${groupId}}:members`, ann, spoiled);
        const read = await tidemark.cache.read({ groupId, userId: ann });
        expect(read).not.toBeNull();
        if (read?.state) return;
        unreadable += 1;
        const isDoubt = spoiled.endsWith('?');
        const member = change.member(ann, held);
        const merged = await tidemark.cache.mergeFor({ groupId, userId: ann }, [member]);
        // This test is not about doubts of readable texts.
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
    await tidemark.redis.set(key('head'), 'zzz');
    await tidemark.cache.mergeFromStream(groupId, [change.knownHead(headAt(3))], null);
    expect(await own(groupId, ann)).toEqual([0, 2, 4, 2]);
  });

  test.each([
    ...['', 'zzz', '5', '3w5e11264sgsg', '0000000000009|x', '9007199254740993'],
    ...['0000000000009^0000000000009', '0000000000009;999999999999999999o', '0000000000009;9/#'],
  ])('%j', async (text) => {
    await expectAllRight(({ key }) => tidemark.redis.set(key('head'), text, 'PX', 60_000));
  });

  test('for any text, and is replaced by a merge from the ledger', async () => {
    const [groupId, ann] = [aGroup(), aUser('ann')];
    const sound = [
      '0000000000009',
      '0000000000009^0000000000005',
      '000000000000a^0000000000000;12s/a|s',
      '0000000000009;2o',
    ];
    const character = fc.constantFrom(...'09az|^;/so#. ');
    const text = fc.oneof(
      fc.string(),
      fc
        .tuple(fc.constantFrom(...sound), fc.nat(40), fc.nat(2), fc.string({ unit: character, maxLength: 4 }))
        .map(([whole, from, length, other]) => whole.slice(0, from) + other + whole.slice(from + length)),
    );
    const held = { ...headAt(5), loud: at(3) };
    const outcomes = { readable: 0, unreadable: 0 };
    await fc.assert(
      fc.asyncProperty(text, async (spoiled) => {
        await tidemark.redis.set(`tm:{${groupId}}:head`, spoiled);
        const read = await tidemark.cache.read({ groupId, userId: ann });
        expect(read).not.toBeNull();
        const merged = await tidemark.cache.mergeFor({ groupId, userId: ann }, [change.head(held)]);
        outcomes[read?.head ? 'readable' : 'unreadable'] += 1;
        expect(merged?.head).toEqual(read?.head ? mergeHeads(read.head, held) : held);
      }),
      { numRuns: 1_000 },
    );
    expect(outcomes.unreadable).toBeGreaterThan(300);
    expect(outcomes.readable).toBeGreaterThan(50);
  });
});

describe('an unreadable state of the window is a miss', () => {
  test.each(['', 'zzz', '!!!', '5', '3w5e11264sgsg', '0000000000002|x'])('the floor %j', async (text) => {
    await expectAllRight(async ({ key }) => {
      await tidemark.redis.zremrangebylex(key('messages'), '[!floor|', '(!floor}');
      await tidemark.redis.zadd(key('messages'), 0, `!floor|${text}`);
    });
  });

  test.each(['', 'zzz', '!!!', '5'])('the cut %j of a load', async (text) => {
    await expectAllRight(async ({ key }) => {
      await tidemark.redis.zadd(key('messages'), 0, `!cut|${text}`);
      await tidemark.redis.zremrangebylex(key('messages'), '[!floor|', '(!floor}');
    });
  });

  test.each(['', 'zzz', '!!!'])('the load %j', async (text) => {
    await expectAllRight(({ key }) => tidemark.redis.zadd(key('messages'), 0, `!load|${text}`));
  });
});

describe('an unreadable entry does no harm', () => {
  const spoilWith = (name: string, entries: readonly string[]) => (group: Group) =>
    tidemark.redis.zadd(group.key(name), ...entries.flatMap((entry) => [0, entry]));

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
      return tidemark.redis.zadd(key('joined'), ...entries);
    });
  });

  test.each(['', 'zzz', '#index', '#laggard'])('as the member who is behind: %j', async (user) => {
    await expectAllRight(({ key }) => tidemark.redis.hset(key('members'), '#laggard', user));
  });

  test.each(['', 'zzz'])('as the token of the index: %j', async (token) => {
    await expectAllRight(({ key }) => tidemark.redis.hset(key('members'), '#index', token));
  });

  test.each(['', 'soon', '-1', '1e300'])('as the lease of a load of the receipts: %j', async (lease) => {
    await expectAllRight(async ({ key }) => {
      await tidemark.redis.zremrangebylex(key('receipts'), '[!', '(!}');
      await tidemark.redis.zadd(key('receipts'), 0, '!load|a-token', 0, `!lease|${lease}`, 0, '!after|a#b');
      await tidemark.redis.hset(key('members'), '#index', 'a-token');
    });
  });

  test('among the early marks', async () => {
    const end = '99999999999999';
    await expectAllRight(({ key, ann, bob, sender }) => {
      const texts = { '': '', [ann]: 'zzz', [bob]: ';;;|', [sender]: `${end}|zzz;1|2|3` };
      const taken = { 'a#b': `${end}|0000000000004|1|0|read`, ab: `${end}|0000000000004|1|0|x` };
      return tidemark.redis.hset(key('early'), { ...texts, ...taken, abc: `${end}|0004|x|y|z` });
    });
  });

  test('in a window that drops its oldest messages', async () => {
    const small = await openTidemark({ capacity: 5 });
    try {
      const [groupId, ann, sender] = [aGroup(), aUser('ann'), aUser('sender')];
      await addMembers(small, groupId, [ann, sender]);
      await readOwnView(small, { groupId, userId: ann });
      const record = (id: number) => recordMessage(small, { groupId, position: at(id), senderId: sender });
      for (const id of [1, 2, 3, 4, 5]) await record(id);
      // The lowest entries: they are dropped before any message.
      await small.redis.zadd(`tm:{${groupId}}:messages`, 0, '0', 0, '0000000000000', 0, '0000000000001');
      for (const id of [6, 7, 8]) await record(id);
      expect(await readOwnView(small, { groupId, userId: ann })).toMatchObject({
        head: headAt(8),
        unread: { count: 5, mentions: 0, first: at(4), exact: false },
      });
      small.takeCalls();
      await markRead(small, { groupId, userId: ann }, at(5));
      expect(await readOwnView(small, { groupId, userId: ann })).toMatchObject({
        unread: { count: 3, mentions: 0, first: at(6), exact: true },
      });
      expect(small.takeCalls()).toEqual(['cache', 'ledger UpdateItem', 'cache', 'cache']);
    } finally {
      await small.close();
    }
  });

  test('as the sender of a message whose receipts are read', async () => {
    for (const sender of ['', 'a#b', 'a b', 'é', 'x'.repeat(129)]) {
      const { groupId, key, ann, bob } = await aWholeGroup();
      await tidemark.redis.zremrangebylex(key('messages'), '[0000000000003|', '(0000000000003}');
      await tidemark.redis.zadd(key('messages'), 0, `0000000000003|${sender}`);
      for (const caller of [ann, bob]) {
        expect(countsOf(await countReceipts(tidemark, { groupId, userId: caller }, [at(3)]))).toEqual([
          [2, 1, 1],
        ]);
      }
      expect(await own(groupId, ann)).toEqual([0, 2, 4, 2]);
    }
  });

  test('as the last one of a page of receipts', async () => {
    const { groupId, key, ann, bob } = await aWholeGroup();
    await tidemark.redis.zadd(
      key('receipts'),
      0,
      'p0000000000003',
      0,
      'p0000000000003|a#b',
      0,
      'p0000000000002|',
    );
    const list = { state: 'unread', limit: 1, after: null } as const;
    const listed = await listReceipts(tidemark, { groupId, userId: bob }, at(4), list);
    expect(listed).toMatchObject({ page: { members: [{ userId: ann }], next: { userId: ann } } });
    // The unreadable entry is gone.
    expect(countsOf(await countReceipts(tidemark, { groupId, userId: bob }, [at(4)]))).toEqual([[2, 0, 0]]);
  });
});

describe('an unreadable doubt', () => {
  const spoiled = ['', 'rubbish', '|;', '99999999999999', '0|x;rubbish', 'x0|x;'];

  test.each(spoiled)('has no effect if the member’s text is not in doubt: %j', async (text) => {
    await expectAllRight(({ key, ann }) => tidemark.redis.hset(key('doubts'), ann, text));
  });

  test.each(spoiled)('does not make a text in doubt valid: %j', async (text) => {
    for (const ask of ['readOwnView', 'readStatuses', 'markRead', 'settled'] as const) {
      const { groupId, key, ann } = await aWholeGroup();
      const old = await tidemark.redis.hget(key('members'), ann);
      const back = await tidemark.ledger.memberships.change(
        { groupId, userId: ann },
        (state) => (state?.kind === 'member' ? retreat(state, at(2), Date.now()) : state),
        await tidemark.ledger.memberships.read({ groupId, userId: ann }),
      );
      expect(back.changed).toBe(true);
      await tidemark.redis.hset(key('members'), ann, `${old}?`);
      await tidemark.redis.hset(key('doubts'), ann, text);
      if (ask === 'settled') {
        await tidemark.cache.merge(groupId, [change.settled(ann, 'another')]);
      }
      if (ask === 'readStatuses') {
        expect(await readStatuses(tidemark, { groupId, userId: ann }, [at(2)])).toEqual({
          watermark: at(1),
          statuses: [{ position: at(2), isRead: false }],
        });
      }
      if (ask === 'markRead') {
        expect(await markRead(tidemark, { groupId, userId: ann }, at(2))).toMatchObject({ advanced: true });
        expect(await own(groupId, ann)).toEqual([1, 2, 4, 2]);
      } else {
        expect(await own(groupId, ann)).toEqual([1, 1, 4, 3]);
      }
      tidemark.takeCalls();
      await readOwnView(tidemark, { groupId, userId: ann });
      expect(tidemark.takeCalls()).toEqual(['cache']);
    }
  });
});
