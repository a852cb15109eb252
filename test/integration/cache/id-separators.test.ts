import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { type RunningRedis, startRedis } from '../../../local/engines/redis.ts';
import { startUpstashRest } from '../../../local/engines/upstash-rest.ts';
import type { Listening } from '../../../local/http/loopback.ts';
import * as change from '../../../shared/cache/changes.ts';
import { type GroupId, parseGroupId, parseUserId, type UserId } from '../../../shared/domain/ids.ts';
import type { ReceiptState } from '../../../shared/domain/message.ts';
import { START } from '../../../shared/domain/position.ts';
import { readInbox } from '../../../shared/operations/inbox.ts';
import { markDelivered } from '../../../shared/operations/mark-delivered.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { markUnread } from '../../../shared/operations/mark-unread.ts';
import { addMembers, removeMember } from '../../../shared/operations/members.ts';
import { readStatuses } from '../../../shared/operations/message-statuses.ts';
import { deleteMessage, recordMessage } from '../../../shared/operations/messages.ts';
import { readOwnView } from '../../../shared/operations/own-view.ts';
import { countReceipts, listReceipts } from '../../../shared/operations/receipts.ts';
import type { Tidemark } from '../../../shared/operations/tidemark.ts';
import { everyonePast } from '../../../shared/stream/fully-read.ts';
import { engines } from '../../support/engines.ts';
import { at } from '../../support/positions.ts';
import { shown } from '../../support/receipt-counts.ts';
import { type CountedTidemark, forget, openTidemark } from '../../support/tidemark.ts';

const TOKEN = 'a-token';

/** In the order of their bytes. They include texts of the cache's entries, states and fields. */
const USERS = [
  ...['!', '!floor|', '!load|', '$', '*', '+', '-', '...', '0', '4', ':', '=', '@', '@a', '__proto__'],
  ...['a', 'a!', 'a$', 'a.', 'a|', 'a|b', 'constructor', 'd', 'j', 'p', 'q'],
  ...['x'.repeat(128), '|', '|index', '|laggard', '~', '~a'],
] as UserId[];

/** In the order of their bytes. */
const GROUPS = [
  '!',
  '$',
  '*',
  '-',
  '...',
  ':',
  '=',
  '@g',
  '__proto__',
  'g',
  'g!',
  'g$',
  'g|',
  'g|1',
  '~',
] as GroupId[];

const required = process.env.TIDEMARK_REQUIRE_REDIS_SERVER === '1';
const kinds =
  required || engines.redisEngine === 'redis-server'
    ? (['redis-server', 'embedded'] as const)
    : (['embedded'] as const);

test('these texts are ids', () => {
  expect(USERS.map(parseUserId)).toEqual(USERS);
  expect(GROUPS.map(parseGroupId)).toEqual(GROUPS);
  expect(USERS).toHaveLength(32);
});

describe.each(kinds)('ids with every character, on %s', (kind) => {
  let redis: RunningRedis;
  let rest: Listening;
  let tidemark: CountedTidemark;
  let small: CountedTidemark;
  beforeAll(async () => {
    redis = await startRedis({ preferred: kind });
    rest = await startUpstashRest({ redisUrl: redis.url, token: TOKEN });
    const engine = { redisUrl: redis.url, upstashUrl: rest.url, upstashToken: TOKEN };
    tidemark = await openTidemark({ engine });
    small = await openTidemark({ engine, tableName: tidemark.tableName, capacity: 10 });
  });
  afterAll(async () => {
    await small.close();
    await tidemark.close();
    await rest.close();
    await redis.stop();
  });

  let warnings: jest.SpiedFunction<typeof console.warn>;
  beforeEach(() => {
    warnings = jest.spyOn(console, 'warn').mockImplementation(() => undefined);
  });
  afterEach(() => {
    const { calls } = warnings.mock;
    jest.restoreAllMocks();
    // No call of the cache failed.
    expect(calls).toEqual([]);
  });

  let count = 0;
  /** A group with such an id that no other test uses. */
  const aGroup = () => {
    count += 1;
    return `g|$${count}*` as GroupId;
  };

  /** An instance whose cache does not answer. */
  const withoutCache = (): Tidemark => {
    const { capacity, unreadLimit } = tidemark.cache;
    const nothing = async () => null;
    const cache = {
      ...{ capacity, unreadLimit, read: nothing, readStatuses: nothing, readInbox: nothing },
      ...{ mergeFor: nothing, merge: async () => false },
      receipts: { count: nothing, list: nothing, claim: nothing },
    };
    return { ...tidemark, cache: cache as unknown as Tidemark['cache'] };
  };
  /** With a warm cache, with an empty one, and without. */
  const inEveryCache = async (groupId: GroupId, check: (one: Tidemark) => Promise<void>) => {
    await check(tidemark);
    await forget(tidemark.redis, groupId);
    await check(tidemark);
    await check(withoutCache());
  };

  /** All are members, and each has sent one message: the first has sent 1, the second 2, and so on. */
  const aGroupOfAll = async (): Promise<GroupId> => {
    const groupId = aGroup();
    await addMembers(tidemark, groupId, USERS);
    await readOwnView(tidemark, { groupId, userId: 'a' as UserId });
    await countReceipts(tidemark, { groupId, userId: 'a' as UserId }, [at(1)]);
    for (const [index, senderId] of USERS.entries()) {
      await recordMessage(tidemark, { groupId, position: at(index + 1), senderId });
    }
    return groupId;
  };

  test('messages are counted by their own senders', async () => {
    const groupId = await aGroupOfAll();
    // A second message of `a`, whose id is the beginning of other ids.
    await recordMessage(tidemark, { groupId, position: at(33), senderId: 'a' as UserId });
    for (const userId of USERS) {
      const view = await markUnread(tidemark, { groupId, userId }, at(1));
      expect([userId, view?.unread.count]).toEqual([userId, userId === 'a' ? 31 : 32]);
    }
    await inEveryCache(groupId, async (one) => {
      for (const [index, userId] of USERS.entries()) {
        const view = await readOwnView(one, { groupId, userId });
        const [count, first] = [userId === 'a' ? 31 : 32, at(userId === '!' ? 2 : 1)];
        expect([userId, view?.unread]).toEqual([userId, { count, mentions: 0, first, exact: true }]);
        const ids = Array.from({ length: 33 }, (_, id) => at(id + 1));
        const read = await readStatuses(one, { groupId, userId }, ids);
        const own = read?.statuses.flatMap(({ isRead }, id) => (isRead ? [id + 1] : []));
        expect([userId, own]).toEqual([userId, userId === 'a' ? [16, 33] : [index + 1]]);
      }
    });
    // The messages of one sender leave every count except its own.
    await deleteMessage(tidemark, groupId, at(16));
    await deleteMessage(tidemark, groupId, at(21));
    await inEveryCache(groupId, async (one) => {
      const countsOf = async (userId: string) =>
        (await readOwnView(one, { groupId, userId: userId as UserId }))?.unread.count;
      expect(await Promise.all(['a', 'a|b', 'a|', '@a', '!floor|'].map(countsOf))).toEqual([
        30, 31, 30, 30, 30,
      ]);
    });
  });

  test('receipts are counted and listed page by page', async () => {
    const groupId = await aGroupOfAll();
    const listed = async (one: Tidemark, id: number, state: ReceiptState) => {
      const found: UserId[] = [];
      let after: Parameters<typeof listReceipts>[3]['after'] = null;
      do {
        const caller = '|laggard' as UserId;
        const page = await listReceipts(one, { groupId, userId: caller }, at(id), { state, limit: 3, after });
        if (!page || typeof page === 'string') throw new Error(`no list: ${page}`);
        found.push(...page.page.members.map(({ userId }) => userId));
        after = page.page.next;
      } while (after);
      return found;
    };
    await inEveryCache(groupId, async (one) => {
      const counted = await countReceipts(
        one,
        { groupId, userId: 'a|b' as UserId },
        USERS.map((_, index) => at(index + 1)),
      );
      expect(
        shown(counted)?.map((receipt) => receipt && [receipt.senderId, receipt.audience, receipt.readCount]),
      ).toEqual(USERS.map((userId, index) => [userId, 31, 31 - index]));
      expect(await listed(one, 20, 'read')).toEqual(USERS.slice(20));
      expect(await listed(one, 20, 'unread')).toEqual(USERS.slice(0, 19));
    });
    // All are at one position, so they come in the order of their ids.
    for (const userId of USERS) await markRead(tidemark, { groupId, userId }, at(32));
    await inEveryCache(groupId, async (one) => {
      expect(await listed(one, 32, 'read')).toEqual(USERS.slice(0, 31));
      expect(await listed(one, 32, 'delivered')).toEqual(USERS.slice(0, 31));
    });
    await recordMessage(tidemark, { groupId, position: at(33), senderId: 'a' as UserId });
    for (const userId of ['a|', 'a|b', '|', '@a'])
      await markDelivered(tidemark, { groupId, userId: userId as UserId }, at(33));
    await removeMember(tidemark, { groupId, userId: 'a|' as UserId });
    await inEveryCache(groupId, async (one) => {
      expect(await listed(one, 33, 'delivered')).toEqual(['@a', 'a|b', '|']);
      expect((await listed(one, 33, 'unread')).length).toBe(30);
    });
  });

  test('a load of receipts continues after a user with a bar in its id', async () => {
    const groupId = await aGroupOfAll();
    await forget(tidemark.redis, groupId);
    const now = Date.now();
    const claim = await tidemark.cache.receipts.claim(groupId, 'a-token', now, now - 1);
    expect(claim).toMatchObject({ outcome: 'claimed', after: null });
    const { members, next } = await tidemark.ledger.memberships.page(groupId, 21, null);
    expect(next).toBe('a|b');
    await tidemark.cache.merge(groupId, [
      ...members.map(({ userId, membership }) => change.member(userId, membership)),
      change.index('a-token', now - 1, 'a|b' as UserId),
    ]);
    expect(await tidemark.cache.receipts.claim(groupId, 'another', now, now - 1)).toMatchObject({
      outcome: 'claimed',
      token: 'a-token',
      after: 'a|b',
    });
    const counted = await countReceipts(tidemark, { groupId, userId: '~' as UserId }, [at(1), at(32)]);
    expect(shown(counted)?.map((receipt) => receipt && [receipt.audience, receipt.readCount])).toEqual([
      [31, 31],
      [31, 0],
    ]);
  });

  test('members are listed page by page', async () => {
    const groupId = await aGroupOfAll();
    for (const limit of [1, 5, 32, 100]) {
      const found: UserId[] = [];
      let after: UserId | null = null;
      do {
        const page = await tidemark.ledger.memberships.page(groupId, limit, after);
        found.push(...page.members.map(({ userId }) => userId));
        after = page.next;
      } while (after);
      expect(found).toEqual(USERS);
    }
  });

  test('the inbox is listed page by page, each group with its own messages', async () => {
    const user = 'a|b' as UserId;
    for (const [index, groupId] of GROUPS.entries()) {
      await addMembers(tidemark, groupId, [user, 'a' as UserId], START);
      for (let id = 1; id <= index + 1; id += 1) {
        await recordMessage(tidemark, { groupId, position: at(id), senderId: 'a' as UserId });
      }
    }
    for (const one of [tidemark, tidemark, withoutCache()]) {
      for (const unreadOnly of [false, true]) {
        const found: unknown[] = [];
        let after: GroupId | null = null;
        do {
          const page = await readInbox(one, user, { unreadOnly, limit: 2, after });
          const ours = page.groups.filter(({ groupId }) => GROUPS.includes(groupId));
          found.push(...ours.map(({ groupId, unread }) => [groupId, unread.count]));
          after = page.next;
        } while (after);
        expect(found).toEqual(GROUPS.map((groupId, index) => [groupId, index + 1]));
      }
    }
  });

  test('a full window drops the oldest messages of any sender', async () => {
    const groupId = aGroup();
    await addMembers(small, groupId, USERS);
    await readOwnView(small, { groupId, userId: 'a' as UserId });
    for (const [index, senderId] of USERS.entries()) {
      await recordMessage(small, { groupId, position: at(index + 1), senderId });
    }
    const entries = await small.redis.zrange(`tm:{${groupId}}:messages`, 0, -1);
    const kept = [...USERS.slice(22)];
    expect(entries.filter((entry) => /^[0-9]/.test(entry)).map((entry) => entry.slice(14))).toEqual(kept);
    expect(entries.filter((entry) => entry.startsWith('@'))).toHaveLength(10);
    expect(entries.filter((entry) => entry.startsWith('!'))).toEqual(['!floor|000000000000m']);
    // None of the ten is its own.
    expect(await readOwnView(small, { groupId, userId: '!floor|' as UserId })).toMatchObject({
      unread: { count: 10, mentions: 0, first: at(23), exact: false },
    });
    await markUnread(small, { groupId, userId: '~' as UserId }, at(23));
    expect(await readOwnView(small, { groupId, userId: '~' as UserId })).toMatchObject({
      unread: { count: 9, mentions: 0, first: at(23), exact: true },
    });
  });

  test('a member who is behind is remembered, whatever its id', async () => {
    for (const laggard of ['|laggard', '|index', '!floor|', 'a|b', '@a', '__proto__'] as UserId[]) {
      const groupId = aGroup();
      await addMembers(tidemark, groupId, [laggard, 'a' as UserId], START);
      for (const id of [1, 2, 3]) {
        await recordMessage(tidemark, { groupId, position: at(id), senderId: 'a' as UserId });
      }
      await markRead(tidemark, { groupId, userId: laggard }, at(1));
      const asked = await tidemark.cache.mergeFromStream(groupId, [], at(2));
      expect(asked?.fullyReadPosition).toBeNull();
      expect(await everyonePast(tidemark, groupId, at(2), asked)).toBeNull();
      tidemark.takeCalls();
      const again = await tidemark.cache.mergeFromStream(groupId, [], at(2));
      expect(again?.fullyReadPosition).toBe(at(1));
      expect(await everyonePast(tidemark, groupId, at(2), again)).toBeNull();
      expect(tidemark.takeCalls()).toEqual(['cache']);
    }
  });

  test('a load of the window continues while another one begins', async () => {
    const groupId = aGroup();
    const { cache } = tidemark;
    const now = Date.now();
    await cache.merge(groupId, [change.load(`${now}-first`)]);
    await cache.merge(groupId, [change.load(`${now}-second`)]);
    await cache.merge(groupId, [change.loaded(`${now}-first`, START)]);
    const states = await tidemark.redis.zrange(`tm:{${groupId}}:messages`, 0, -1);
    expect(states).toEqual(['!floor|0000000000000', `!load|${now}-second`]);
  });

  test('marks that overtook their message are applied for their own user', async () => {
    const groupId = await aGroupOfAll();
    for (const userId of ['a|', 'a|b', '|', '__proto__'] as UserId[]) {
      expect(await markRead(tidemark, { groupId, userId }, at(33))).toMatchObject({ clamped: true });
    }
    await recordMessage(tidemark, { groupId, position: at(33), senderId: '~' as UserId });
    const positions = await Promise.all(
      ['a', 'a|', 'a|b', '|', '__proto__', '|index'].map(async (userId) => {
        const state = await tidemark.ledger.memberships.read({ groupId, userId: userId as UserId });
        return state?.kind === 'member' && Number(state.public.position);
      }),
    );
    expect(positions).toEqual([16, 33, 33, 33, 33, 29]);
  });
});
