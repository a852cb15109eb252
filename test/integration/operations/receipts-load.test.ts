import { describe, expect, test } from '@jest/globals';
import * as change from '../../../shared/cache/changes.ts';
import type { GroupId, UserId } from '../../../shared/domain/ids.ts';
import { markDelivered } from '../../../shared/operations/mark-delivered.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { addMembers, removeMember } from '../../../shared/operations/members.ts';
import { recordMessage } from '../../../shared/operations/messages.ts';
import { countReceipts, listReceipts } from '../../../shared/operations/receipts.ts';
import { eventually } from '../../support/engines.ts';
import { at } from '../../support/positions.ts';
import { countsOf } from '../../support/receipt-counts.ts';
import { replacing } from '../../support/replacing.ts';
import {
  aGroup,
  aUser,
  type CountedTidemark,
  forget,
  openTidemark,
  withTidemark,
} from '../../support/tidemark.ts';

const tidemark = withTidemark();

const keyOf = (groupId: GroupId, name: string) => `tm:{${groupId}}:${name}`;

interface Prepared {
  readonly groupId: GroupId;
  readonly sender: UserId;
  readonly readers: readonly UserId[];
}

/** A sender who sent 1 to 10, and readers who joined before that. The cache is empty. */
async function prepare(readers: number): Promise<Prepared> {
  const [groupId, sender] = [aGroup(), aUser('sender')];
  const users = Array.from({ length: readers }, () => aUser());
  await addMembers(tidemark, groupId, [sender, ...users]);
  for (let id = 1; id <= 10; id += 1) {
    await recordMessage(tidemark, { groupId, position: at(id), senderId: sender });
  }
  await forget(tidemark.redis, groupId);
  return { groupId, sender, readers: users.toSorted() };
}

const countOf = async ({ groupId, sender }: Prepared, ids: readonly number[]) =>
  countsOf(await countReceipts(tidemark, { groupId, userId: sender }, ids.map(at)));

describe('the receipts of a group', () => {
  test('are loaded when they are first read, and then cost one call', async () => {
    const group = await prepare(3);
    await markRead(tidemark, { groupId: group.groupId, userId: group.readers[0] as UserId }, at(7));
    expect(await countOf(group, [7, 8])).toEqual([
      [3, 1, 1],
      [3, 0, 0],
    ]);
    tidemark.takeCalls();
    expect(await countOf(group, [7, 8])).toEqual([
      [3, 1, 1],
      [3, 0, 0],
    ]);
    expect(tidemark.takeCalls()).toEqual(['cache']);
  });

  test('cost a group nothing before anybody reads them', async () => {
    const group = await prepare(3);
    for (const reader of group.readers)
      await markRead(tidemark, { groupId: group.groupId, userId: reader }, at(5));
    expect(await tidemark.redis.exists(keyOf(group.groupId, 'receipts'))).toBe(0);
  });

  test('expire when nobody reads them, sooner than the marks, which expire when nothing changes', async () => {
    const group = await prepare(1);
    await countOf(group, [1]);
    const [receipts, members, messages, head] = await Promise.all(
      ['receipts', 'members', 'messages', 'head'].map((name) =>
        tidemark.redis.pttl(keyOf(group.groupId, name)),
      ),
    );
    const day = 86_400_000;
    expect(receipts).toBeGreaterThan(0.9 * day);
    expect(receipts).toBeLessThanOrEqual(day);
    for (const lifetime of [members, messages, head]) {
      expect(lifetime).toBeGreaterThan(6.9 * day);
      expect(lifetime).toBeLessThanOrEqual(7 * day);
    }
    await tidemark.redis.pexpire(keyOf(group.groupId, 'receipts'), 60_000);
    await markRead(tidemark, { groupId: group.groupId, userId: group.readers[0] as UserId }, at(5));
    expect(await tidemark.redis.pttl(keyOf(group.groupId, 'receipts'))).toBeLessThanOrEqual(60_000);
    await countOf(group, [1]);
    expect(await tidemark.redis.pttl(keyOf(group.groupId, 'receipts'))).toBeGreaterThan(60_000);
  });

  test.each([
    ['receipts'],
    ['members'],
    ['messages'],
    ['head'],
    ['members', 'head'],
    ['receipts', 'messages'],
  ])('are built again if %p was evicted, before or after a change', async (...names) => {
    const group = await prepare(3);
    const [first, second, third] = group.readers as [UserId, UserId, UserId];
    await markRead(tidemark, { groupId: group.groupId, userId: first }, at(7));
    expect(await countOf(group, [7])).toEqual([[3, 1, 1]]);
    await forget(tidemark.redis, group.groupId, names);
    expect(await countOf(group, [7])).toEqual([[3, 1, 1]]);
    await forget(tidemark.redis, group.groupId, names);
    await markRead(tidemark, { groupId: group.groupId, userId: second }, at(9));
    await markDelivered(tidemark, { groupId: group.groupId, userId: third }, at(8));
    expect(await countOf(group, [7, 8, 9, 10])).toEqual([
      [3, 2, 3],
      [3, 1, 2],
      [3, 1, 1],
      [3, 0, 0],
    ]);
  });

  test('follow members who join, leave, join again and receive, once they are loaded', async () => {
    const group = await prepare(3);
    const [first, second, third] = group.readers as [UserId, UserId, UserId];
    await countOf(group, [1]);
    await markRead(tidemark, { groupId: group.groupId, userId: first }, at(10));
    await markDelivered(tidemark, { groupId: group.groupId, userId: second }, at(10));
    expect(await countOf(group, [10])).toEqual([[3, 1, 2]]);
    await markRead(tidemark, { groupId: group.groupId, userId: second }, at(10));
    expect(await countOf(group, [10])).toEqual([[3, 2, 2]]);
    await removeMember(tidemark, { groupId: group.groupId, userId: first });
    expect(await countOf(group, [10])).toEqual([[2, 1, 1]]);
    await addMembers(tidemark, group.groupId, [first, aUser('late')]);
    expect(await countOf(group, [10])).toEqual([[2, 1, 1]]);
    await recordMessage(tidemark, { groupId: group.groupId, position: at(11), senderId: third });
    expect(await countOf(group, [10, 11])).toEqual([
      [2, 2, 2],
      [4, 0, 0],
    ]);
  });

  test('are loaded once for a hundred first reads at once on several instances, while marks go on', async () => {
    const group = await prepare(1_200);
    const instances = await Promise.all(
      Array.from({ length: 5 }, () => openTidemark({ tableName: tidemark.tableName })),
    );
    try {
      for (const instance of instances) instance.takeCalls();
      const marking = group.readers.slice(0, 50);
      const [answers] = await Promise.all([
        Promise.all(
          Array.from({ length: 100 }, (_, index) =>
            countReceipts(
              instances[index % 5] as CountedTidemark,
              { groupId: group.groupId, userId: group.sender },
              [at(1)],
            ),
          ),
        ),
        ...marking.map((reader) => markRead(tidemark, { groupId: group.groupId, userId: reader }, at(5))),
      ]);
      for (const answer of answers) expect(answer?.[0]).toMatchObject({ audience: 1_200 });
      const calls = instances.flatMap((instance) => instance.takeCalls());
      // 1,201 members by pages of 500, and the window of messages: four queries by one of the instances.
      expect(calls.filter((call) => call === 'ledger Query')).toHaveLength(4);
      expect(calls.filter((call) => call === 'ledger BatchGetItem')).toHaveLength(13);
      expect(await countOf(group, [5, 6])).toEqual([
        [1_200, 50, 50],
        [1_200, 0, 0],
      ]);
    } finally {
      await Promise.all(instances.map((instance) => instance.close()));
    }
  });

  test('count members who joined a moment ago, while the list of members in the ledger is behind', async () => {
    const { groupId, sender } = await prepare(2);
    const late = aUser('late');
    await addMembers(tidemark, groupId, [late]);
    await recordMessage(tidemark, { groupId, position: at(11), senderId: sender });
    const { ledger } = tidemark;
    const page: typeof ledger.memberships.page = async (...args) => {
      const listed = await ledger.memberships.page(...args);
      return { ...listed, members: listed.members.filter(({ userId }) => userId !== late) };
    };
    const behind = {
      ...tidemark,
      ledger: { ...ledger, memberships: replacing(ledger.memberships, { page }) },
    };
    const counted = await countReceipts(behind, { groupId, userId: sender }, [at(10), at(11)]);
    expect(countsOf(counted)).toEqual([
      [2, 0, 0],
      [3, 0, 0],
    ]);
    await removeMember(tidemark, { groupId, userId: late });
    expect(await countOf({ groupId, sender, readers: [] }, [11])).toEqual([[2, 0, 0]]);
  });

  test('continue to load from where a dead loader stopped', async () => {
    const group = await prepare(1_200);
    const claim = await tidemark.cache.receipts.claim(group.groupId, 'a-token', Date.now(), Date.now() - 1);
    expect(claim).toEqual({ outcome: 'claimed', token: 'a-token', after: null, recent: [] });
    const { members, next } = await tidemark.ledger.memberships.page(group.groupId, 500, null);
    await tidemark.cache.merge(group.groupId, [
      ...members.map(({ userId, membership }) => change.member(userId, membership)),
      change.index('a-token', Date.now() - 1, next as UserId),
    ]);
    tidemark.takeCalls();
    expect(await countOf(group, [1])).toEqual([[1_200, 0, 0]]);
    // The window of messages, and the two missing pages.
    expect(tidemark.takeCalls().filter((call) => call === 'ledger Query')).toHaveLength(3);
  });

  test('make a caller wait while another one loads them', async () => {
    const group = await prepare(1);
    const held = await tidemark.cache.receipts.claim(
      group.groupId,
      'a-token',
      Date.now(),
      Date.now() + 60_000,
    );
    expect(held?.outcome).toBe('claimed');
    const counted = countOf(group, [1]);
    await eventually(() =>
      expect(tidemark.takeCalls().filter((call) => call === 'cache').length).toBeGreaterThan(1),
    );
    const { members } = await tidemark.ledger.memberships.page(group.groupId, 500, null);
    await tidemark.cache.merge(group.groupId, [
      ...members.map(({ userId, membership }) => change.member(userId, membership)),
      change.indexed('a-token'),
    ]);
    expect(await counted).toEqual([[1, 0, 0]]);
  });

  test('are returned to the loader, however long that takes, and a caller who waits too long gets unavailable', async () => {
    const group = await prepare(2);
    let lateMs = 0;
    const { ledger } = tidemark;
    const page: typeof ledger.memberships.page = async (...args) => {
      lateMs += 60_000;
      return ledger.memberships.page(...args);
    };
    const memberships = replacing(ledger.memberships, { page });
    const slow = { ...tidemark, ledger: { ...ledger, memberships }, nowMs: () => Date.now() + lateMs };
    const counted = await countReceipts(slow, { groupId: group.groupId, userId: group.sender }, [at(1)]);
    expect(countsOf(counted)).toEqual([[2, 0, 0]]);

    await forget(tidemark.redis, group.groupId);
    await tidemark.cache.receipts.claim(group.groupId, 'a-token', Date.now(), Date.now() + 3_600_000);
    let reads = 0;
    const waiting = { ...tidemark, nowMs: () => Date.now() + 2_000 * reads++ };
    await expect(
      countReceipts(waiting, { groupId: group.groupId, userId: group.sender }, [at(1)]),
    ).rejects.toMatchObject({
      code: 'unavailable',
    });
  });

  test('are the same from the ledger alone, with lists in the same order, page by page', async () => {
    const group = await prepare(30);
    const { groupId, sender, readers } = group;
    for (const [index, reader] of readers.entries()) {
      if (index % 3 === 0) await markRead(tidemark, { groupId, userId: reader }, at(1 + (index % 10)));
      if (index % 4 === 0) await markDelivered(tidemark, { groupId, userId: reader }, at(10));
    }
    await addMembers(tidemark, groupId, [aUser('late')]);
    await recordMessage(tidemark, { groupId, position: at(11), senderId: sender });
    const alone = { ...tidemark, cache: silentCache() };
    const ids = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12].map(at);
    const expected = await countReceipts(alone, { groupId, userId: sender }, ids);
    expect(countsOf(expected)?.slice(0, 3)).toEqual([
      [30, 10, 15],
      [30, 9, 15],
      [30, 8, 14],
    ]);
    expect(await countReceipts(tidemark, { groupId, userId: sender }, ids)).toEqual(expected);
    for (const state of ['read', 'unread', 'delivered'] as const) {
      const pages = { cached: await pagesOf(tidemark, state), alone: await pagesOf(alone, state) };
      expect(pages.cached).toEqual(pages.alone);
    }

    async function pagesOf(source: typeof alone, state: 'read' | 'unread' | 'delivered') {
      const found: string[][] = [];
      let after: Parameters<typeof listReceipts>[3]['after'] = null;
      do {
        const listed = await listReceipts(source, { groupId, userId: sender }, at(4), {
          state,
          limit: 4,
          after,
        });
        if (!listed || typeof listed === 'string') throw new Error(`no list: ${listed}`);
        found.push(listed.page.members.map(({ userId }) => userId));
        after = listed.page.next;
      } while (after);
      return found;
    }
  });
});

/** A cache that never answers. */
function silentCache(): CountedTidemark['cache'] {
  const silence = async () => null;
  return {
    capacity: 5_000,
    read: silence,
    merge: async () => false,
    mergeFor: silence,
    receipts: { count: silence, list: silence, claim: silence },
  } as unknown as CountedTidemark['cache'];
}
