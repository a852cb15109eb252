import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import fc from 'fast-check';
import * as change from '../../../shared/cache/changes.ts';
import { CacheConnection } from '../../../shared/cache/connection.ts';
import { DEFAULT_GROUP_CACHE, GroupCache } from '../../../shared/cache/group-cache.ts';
import type { GroupId, UserId } from '../../../shared/domain/ids.ts';
import type { Mentions } from '../../../shared/domain/message.ts';
import { END, START } from '../../../shared/domain/position.ts';
import { readInbox } from '../../../shared/operations/inbox.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { markUnread } from '../../../shared/operations/mark-unread.ts';
import { addMembers } from '../../../shared/operations/members.ts';
import { deleteMessage, recordMessage } from '../../../shared/operations/messages.ts';
import { readOwnView, unreadIn } from '../../../shared/operations/own-view.ts';
import type { Tidemark } from '../../../shared/operations/tidemark.ts';
import { headAt } from '../../support/heads.ts';
import { at } from '../../support/positions.ts';
import { recordingOf } from '../../support/recordings.ts';
import { aGroup, aUser, type CountedTidemark, forget, openTidemark } from '../../support/tidemark.ts';

/** The most unread messages that are counted here. */
const LIMIT = 8;

/** Windows larger and smaller than the limit of the count. */
const CAPACITIES = [12, 5];

const opened = new Map<number, CountedTidemark>();
beforeAll(async () => {
  for (const capacity of CAPACITIES)
    opened.set(capacity, await openTidemark({ capacity, unreadLimit: LIMIT }));
});
afterAll(() => Promise.all([...opened.values()].map((tidemark) => tidemark.close())));

beforeEach(() => {
  jest.spyOn(console, 'warn').mockImplementation(() => undefined);
});
afterEach(() => {
  jest.restoreAllMocks();
});

function tidemarkOf(capacity: number): CountedTidemark {
  const tidemark = opened.get(capacity);
  if (!tidemark) throw new Error(`no cache keeps ${capacity} messages`);
  return tidemark;
}

/** The same ledger with a cache that does not answer. */
function withoutCache({ ledger, nowMs }: CountedTidemark, capacity: number): Tidemark {
  const connection = new CacheConnection({
    credentials: async () => ({ url: 'http://127.0.0.1', token: 'none' }),
    http: { handle: () => Promise.reject(new Error('no cache here')) },
  });
  return {
    ledger,
    nowMs,
    mode: 'strict',
    cache: new GroupCache(connection, { ...DEFAULT_GROUP_CACHE, capacity, unreadLimit: LIMIT }),
  };
}

const SENDERS = ['reader', 'other', 'guest'] as const;
type Sender = (typeof SENDERS)[number];
const READERS = ['reader', 'other'] as const;
type Reader = (typeof READERS)[number];

/** How a message is sent: plainly, silently, or mentioning somebody. */
const KINDS = ['plain', 'silent', 'to reader', 'to other', 'to both', 'to all'] as const;
type Kind = (typeof KINDS)[number];
const MENTIONED: Readonly<Record<Kind, readonly Reader[]>> = {
  plain: [],
  silent: [],
  'to reader': ['reader'],
  'to other': ['other'],
  'to both': ['reader', 'other'],
  'to all': ['reader', 'other'],
};

/** Numbers select among the existing messages and ids, by modulo. */
type Step =
  | { readonly do: 'send'; readonly by: Sender; readonly skipped: number; readonly as: Kind }
  | { readonly do: 'send late'; readonly by: Sender; readonly which: number; readonly as: Kind }
  | { readonly do: 'delete'; readonly which: number }
  | { readonly do: 'delete newest'; readonly count: number }
  | { readonly do: 'mark'; readonly user: Reader; readonly which: number; readonly isPrivate: boolean }
  | { readonly do: 'mark all'; readonly user: Reader }
  | { readonly do: 'unread'; readonly user: Reader; readonly which: number }
  | { readonly do: 'evict'; readonly keys: readonly string[] }
  | { readonly do: 'read view'; readonly user: Reader };

const KEYS = ['members', 'messages', 'receipts', 'head', 'joined', 'doubts', 'early'];

const user = fc.constantFrom(...READERS);
const which = fc.nat(100);
/** The reader sends more than anybody else. */
const by = fc.constantFrom<Sender>('reader', 'reader', 'reader', 'other', 'guest', 'guest');
const as = fc.constantFrom<Kind>('plain', 'plain', 'plain', ...KINDS);
const send = fc.record({ do: fc.constant('send' as const), by, as, skipped: fc.constantFrom(0, 0, 0, 2) });

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: send },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('send late' as const), by, as, which }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('delete' as const), which }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('delete newest' as const), count: fc.nat(6) }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('mark' as const), user, which, isPrivate: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('mark all' as const), user }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('unread' as const), user, which }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('evict' as const), keys: fc.subarray(KEYS, { minLength: 1 }) }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('read view' as const), user }) },
);

/** Begins with more messages than are counted, and more than are kept. */
const steps = fc
  .tuple(fc.array(send, { maxLength: 16 }), fc.array(step, { minLength: 5, maxLength: 22 }))
  .map(([sent, others]): Step[] => [...sent, ...others]);

/** The expected count, by plain counting. */
class Reference {
  readonly messages = new Map<number, { by: Sender | null; as: Kind; isDeleted: boolean }>();
  readonly own: Record<Reader, number> = { reader: 0, other: 0 };
  head = 0;

  send(id: number, by: Sender, as: Kind): void {
    const known = this.messages.get(id);
    this.messages.set(id, { by, as, isDeleted: known?.isDeleted ?? false });
    this.head = Math.max(this.head, id);
    if (by !== 'guest') this.own[by] = Math.max(this.own[by], id);
  }

  delete(id: number): void {
    const { by = null, as = 'plain' } = this.messages.get(id) ?? {};
    this.messages.set(id, { by, as, isDeleted: true });
  }

  mark(user: Reader, id: number): void {
    this.own[user] = Math.max(this.own[user], Math.min(id, this.head));
  }

  unread(user: Reader, id: number): void {
    this.own[user] = Math.min(this.own[user], id - 1);
  }

  /** What is unread of n messages: the newest 8 are counted. */
  unreadOf(user: Reader) {
    const unread = [...this.messages]
      .filter(([id, { by }]) => id > this.own[user] && by !== null && by !== user)
      .filter(([, { as, isDeleted }]) => as !== 'silent' && !isDeleted)
      .toSorted(([one], [other]) => other - one);
    const counted = unread.slice(0, 8);
    return {
      count: counted.length,
      mentions: counted.filter(([, { as }]) => MENTIONED[as].includes(user)).length,
      first: counted.map(([id]) => at(id)).at(-1) ?? null,
      exact: unread.length <= 8,
    };
  }
}

interface Group {
  readonly groupId: GroupId;
  readonly ids: Readonly<Record<Sender, UserId>>;
}

async function prepare(tidemark: Tidemark): Promise<Group> {
  const groupId = aGroup();
  const ids = { reader: aUser('reader'), other: aUser('other'), guest: aUser('guest') };
  await addMembers(tidemark, groupId, [ids.reader, ids.other]);
  return { groupId, ids };
}

async function play(
  tidemark: CountedTidemark,
  { groupId, ids }: Group,
  reference: Reference,
  one: Step,
): Promise<void> {
  const known = [...reference.messages.keys()];
  const chosen = (index: number) => known[index % Math.max(known.length, 1)];
  const record = async (id: number, by: Sender, as: Kind) => {
    const mentions: Mentions = as === 'to all' ? 'all' : MENTIONED[as].map((name) => ids[name]);
    const sent = { groupId, position: at(id), senderId: ids[by], isSilent: as === 'silent', mentions };
    await recordMessage(tidemark, sent);
    reference.send(id, by, as);
  };
  const remove = async (id: number) => {
    await deleteMessage(tidemark, groupId, at(id));
    reference.delete(id);
  };
  switch (one.do) {
    case 'send':
      return record(reference.head + 1 + one.skipped, one.by, one.as);
    case 'send late': {
      const id = 1 + (one.which % (reference.head + 3));
      // A known message has its sender.
      if (!reference.messages.get(id)?.by) await record(id, one.by, one.as);
      return;
    }
    case 'delete': {
      // Deletes some of them before they are recorded.
      const id = one.which % 10 === 0 ? 1 + (one.which % (reference.head + 3)) : chosen(one.which);
      if (id) await remove(id);
      return;
    }
    case 'delete newest': {
      const newest = known.toSorted((a, b) => b - a).slice(0, one.count);
      for (const id of newest) await remove(id);
      return;
    }
    case 'mark': {
      if (reference.head === 0) return;
      const id = 1 + (one.which % reference.head);
      const reading = { isPrivate: one.isPrivate, ifRevision: null };
      await markRead(tidemark, { groupId, userId: ids[one.user] }, at(id), reading);
      return reference.mark(one.user, id);
    }
    case 'mark all':
      await markRead(tidemark, { groupId, userId: ids[one.user] }, END);
      return reference.mark(one.user, reference.head);
    case 'unread': {
      const id = 1 + (one.which % (reference.head + 1));
      await markUnread(tidemark, { groupId, userId: ids[one.user] }, at(id));
      return reference.unread(one.user, id);
    }
    case 'evict':
      return forget(tidemark.redis, groupId, [...one.keys]);
    case 'read view':
      expect((await readOwnView(tidemark, { groupId, userId: ids[one.user] }))?.unread).toEqual(
        reference.unreadOf(one.user),
      );
      return;
  }
}

async function expectUnread(tidemark: Tidemark, { groupId, ids }: Group, reference: Reference, user: Reader) {
  const unread = reference.unreadOf(user);
  const page = { limit: 200, after: null };
  expect((await readOwnView(tidemark, { groupId, userId: ids[user] }))?.unread).toEqual(unread);
  const { groups } = await readInbox(tidemark, ids[user], { ...page, unreadOnly: false });
  expect(groups.map((group) => [group.groupId, group.unread])).toEqual([[groupId, unread]]);
  const some = await readInbox(tidemark, ids[user], { ...page, unreadOnly: true });
  expect(some.groups.map((group) => group.unread)).toEqual(unread.count > 0 ? [unread] : []);
}

describe.each(CAPACITIES)('with a window of %i messages', (capacity) => {
  test('the unread count is the same with a warm cache, an evicted one, an empty one and without one', async () => {
    const tidemark = tidemarkOf(capacity);
    const alone = withoutCache(tidemark, capacity);
    const property = fc.asyncProperty(steps, fc.subarray(KEYS, { minLength: 1 }), async (all, evicted) => {
      const group = await prepare(tidemark);
      const reference = new Reference();
      for (const one of all) await play(tidemark, group, reference, one);
      for (const user of READERS) {
        await expectUnread(tidemark, group, reference, user);
        await forget(tidemark.redis, group.groupId, evicted);
        await expectUnread(tidemark, group, reference, user);
        await expectUnread(alone, group, reference, user);
        await forget(tidemark.redis, group.groupId);
        const page = { limit: 200, after: null, unreadOnly: true };
        const { groups } = await readInbox(tidemark, group.ids[user], page);
        expect(groups.map(({ unread }) => unread)).toEqual(
          reference.unreadOf(user).count > 0 ? [reference.unreadOf(user)] : [],
        );
        await forget(tidemark.redis, group.groupId);
        await expectUnread(tidemark, group, reference, user);
      }
    });
    await fc.assert(property, { numRuns: 10 });
  });
});

describe('if 50 messages are counted and 55 are kept', () => {
  let tidemark: CountedTidemark;
  beforeAll(async () => {
    tidemark = await openTidemark({ capacity: 55, unreadLimit: 50 });
  });
  afterAll(() => tidemark.close());

  const inboxOf = async (userId: UserId) => {
    const { groups } = await readInbox(tidemark, userId, { unreadOnly: true, limit: 200, after: null });
    return groups.map(({ unread }) => unread);
  };

  /** Records several messages of one sender, one after the other. */
  async function record(groupId: GroupId, senderId: UserId, first: number, last: number): Promise<void> {
    for (let id = first; id <= last; id += 1) {
      await recordMessage(tidemark, { groupId, position: at(id), senderId });
    }
  }

  test('messages deleted after the load of the window do not distort the count', async () => {
    const {
      groupId,
      ids: { reader, guest },
    } = await prepare(tidemark);
    await record(groupId, guest, 1, 52);
    expect((await readOwnView(tidemark, { groupId, userId: reader }))?.unread).toEqual({
      count: 50,
      mentions: 0,
      first: at(3),
      exact: false,
    });
    for (const id of [50, 51, 52]) await deleteMessage(tidemark, groupId, at(id));
    expect((await readOwnView(tidemark, { groupId, userId: reader }))?.unread).toEqual({
      count: 49,
      mentions: 0,
      first: at(1),
      exact: true,
    });
    expect(await inboxOf(reader)).toEqual([{ count: 49, mentions: 0, first: at(1), exact: true }]);
    await forget(tidemark.redis, groupId);
    expect((await readOwnView(tidemark, { groupId, userId: reader }))?.unread).toEqual({
      count: 49,
      mentions: 0,
      first: at(1),
      exact: true,
    });
  });

  test('messages below a window full of own messages are counted', async () => {
    const {
      groupId,
      ids: { reader, guest },
    } = await prepare(tidemark);
    await record(groupId, guest, 1, 3);
    await record(groupId, reader, 4, 60);
    expect((await markUnread(tidemark, { groupId, userId: reader }, at(1)))?.unread).toEqual({
      count: 3,
      mentions: 0,
      first: at(1),
      exact: true,
    });
    expect((await readOwnView(tidemark, { groupId, userId: reader }))?.unread).toEqual({
      count: 3,
      mentions: 0,
      first: at(1),
      exact: true,
    });
    expect(await inboxOf(reader)).toEqual([{ count: 3, mentions: 0, first: at(1), exact: true }]);
  });
});

describe('a message that is stored, and to which the head is not raised yet,', () => {
  const [capacity = 0] = CAPACITIES;

  /** A group whose second message is stored in the ledger, and merged into the cache from its stream. */
  async function prepareStored(tidemark: CountedTidemark) {
    const { groupId, ids } = await prepare(tidemark);
    const member = { groupId, userId: ids.reader };
    await recordMessage(tidemark, { groupId, position: at(1), senderId: ids.guest });
    await readOwnView(tidemark, member);
    const now = tidemark.nowMs();
    const { message } = await tidemark.ledger.messages.record(groupId, recordingOf(ids.guest, 2), now);
    await tidemark.cache.merge(groupId, [change.message(message)]);
    return { groupId, member, guest: ids.guest };
  }

  const ONE = { head: headAt(1), unread: { count: 1, mentions: 0, first: at(1), exact: true } };
  const TWO = { head: headAt(2), unread: { count: 2, mentions: 0, first: at(1), exact: true } };
  const page = { limit: 200, after: null, unreadOnly: true };

  test.each([
    ['the cache holds', []],
    ['the cache holds without the head', ['head']],
    ['is loaded into the cache', ['messages']],
    ['the cache has lost with all else', KEYS],
  ])('and that %s, does not count', async (_name, evicted) => {
    const tidemark = tidemarkOf(capacity);
    const { groupId, member, guest } = await prepareStored(tidemark);
    const evict = () => (evicted.length > 0 ? forget(tidemark.redis, groupId, evicted) : undefined);
    const inbox = async () => (await readInbox(tidemark, member.userId, page)).groups;
    await evict();
    expect(await readOwnView(tidemark, member)).toMatchObject(ONE);
    await evict();
    expect(await inbox()).toMatchObject([ONE]);
    await recordMessage(tidemark, { groupId, position: at(2), senderId: guest });
    expect(await readOwnView(tidemark, member)).toMatchObject(TWO);
    expect(await inbox()).toMatchObject([TWO]);
  });

  test('does not count without a cache', async () => {
    const tidemark = tidemarkOf(capacity);
    const { member } = await prepareStored(tidemark);
    expect(await readOwnView(withoutCache(tidemark, capacity), member)).toMatchObject(ONE);
  });

  test('does not count below the floor of the window', async () => {
    const tidemark = tidemarkOf(capacity);
    const { member } = await prepareStored(tidemark);
    const window = { floor: at(3), unread: { count: 0, mentions: 0, first: null }, kept: capacity };
    expect(await unreadIn(tidemark, member, START, { head: headAt(1), window })).toEqual(ONE.unread);
    expect(await unreadIn(tidemark, member, START, { head: headAt(2), window })).toEqual(TWO.unread);
  });
});
