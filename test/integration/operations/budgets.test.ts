import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, jest, test } from '@jest/globals';
import type { GroupId } from '../../../shared/domain/ids.ts';
import { inParallel } from '../../../shared/domain/in-parallel.ts';
import { countBadge } from '../../../shared/operations/badge.ts';
import { deleteGroup } from '../../../shared/operations/groups.ts';
import { readInbox } from '../../../shared/operations/inbox.ts';
import { type MarkAllQuery, markAll } from '../../../shared/operations/mark-all.ts';
import { markDelivered } from '../../../shared/operations/mark-delivered.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { markUnread } from '../../../shared/operations/mark-unread.ts';
import { addMembers, removeMember } from '../../../shared/operations/members.ts';
import { readStatuses } from '../../../shared/operations/message-statuses.ts';
import { recordMessage } from '../../../shared/operations/messages.ts';
import { readOwnView } from '../../../shared/operations/own-view.ts';
import { readPreferences, setPreferences } from '../../../shared/operations/preferences.ts';
import { countReceipts, listReceipts } from '../../../shared/operations/receipts.ts';
import { withoutCache } from '../../support/cache-states.ts';
import { engines, eventually } from '../../support/engines.ts';
import { headAt } from '../../support/heads.ts';
import { joinManyGroups } from '../../support/many-groups.ts';
import { at } from '../../support/positions.ts';
import { aGroup, aUser, type CountedTidemark, forget, openTidemark } from '../../support/tidemark.ts';

let tidemark: CountedTidemark;
beforeAll(async () => {
  tidemark = await openTidemark();
  // The first use of a script costs one more call: Redis does not know it yet.
  await tidemark.cache.probe();
  await tidemark.cache.merge(aGroup(), []);
  await tidemark.cache.doubt({ groupId: aGroup(), userId: aUser() }, 'a-doubt');
  await tidemark.cache.readStatuses({ groupId: aGroup(), userId: aUser() }, []);
  await tidemark.cache.readInbox(aUser(), [{ groupId: aGroup(), position: at(1) }]);
  await tidemark.cache.mergeMember(aUser(), []);
});
afterAll(() => tidemark.close());

/** A group whose members and messages the cache holds. */
async function aWarmGroup() {
  const [groupId, sender, reader] = [aGroup(), aUser('sender'), aUser('reader')];
  await addMembers(tidemark, groupId, [sender, reader]);
  for (const id of [1, 2, 3]) await recordMessage(tidemark, { groupId, position: at(id), senderId: sender });
  await readOwnView(tidemark, { groupId, userId: reader });
  tidemark.takeCalls();
  return { groupId, sender, reader };
}

async function callsOf(operation: () => Promise<unknown>): Promise<string[]> {
  tidemark.takeCalls();
  await operation();
  return tidemark.takeCalls();
}

describe('network calls', () => {
  test('a mark that moves forward: cache, ledger, cache', async () => {
    const { groupId, reader } = await aWarmGroup();
    expect(await callsOf(() => markRead(tidemark, { groupId, userId: reader }, at(2)))).toEqual([
      'cache',
      'ledger UpdateItem',
      'cache',
    ]);
  });

  test('a mark that moves nothing: cache', async () => {
    const { groupId, reader } = await aWarmGroup();
    await markRead(tidemark, { groupId, userId: reader }, at(3));
    expect(await callsOf(() => markRead(tidemark, { groupId, userId: reader }, at(2)))).toEqual(['cache']);
    expect(await callsOf(() => markRead(tidemark, { groupId, userId: reader }, at(3)))).toEqual(['cache']);
  });

  test('the own watermark with its unread count, and the status of messages: cache', async () => {
    const { groupId, reader } = await aWarmGroup();
    expect(await callsOf(() => readOwnView(tidemark, { groupId, userId: reader }))).toEqual(['cache']);
    expect(
      await callsOf(() => readStatuses(tidemark, { groupId, userId: reader }, [1, 2, 3].map(at))),
    ).toEqual(['cache']);
  });

  test('recording a message: the message, the head and the sender side by side, then the cache', async () => {
    const { groupId, sender } = await aWarmGroup();
    const record = () => recordMessage(tidemark, { groupId, position: at(4), senderId: sender });
    expect(await callsOf(record)).toEqual([
      'ledger UpdateItem',
      'ledger UpdateItem',
      'ledger UpdateItem',
      'cache',
    ]);
  });

  test('joining and leaving', async () => {
    const { groupId, reader } = await aWarmGroup();
    expect(await callsOf(() => addMembers(tidemark, groupId, [aUser()]))).toEqual([
      'ledger GetItem',
      'ledger UpdateItem',
      'cache',
    ]);
    expect(await callsOf(() => removeMember(tidemark, { groupId, userId: reader }))).toEqual([
      'ledger UpdateItem',
      'cache',
    ]);
  });

  test('deleting a group: ledger twice, cache', async () => {
    const { groupId } = await aWarmGroup();
    expect(await callsOf(() => deleteGroup(tidemark, groupId))).toEqual([
      'ledger UpdateItem',
      'ledger UpdateItem',
      'cache',
    ]);
  });

  test('the receipts of a hundred messages: cache', async () => {
    const { groupId, sender, reader } = await aWarmGroup();
    const ids = Array.from({ length: 100 }, (_, index) => index + 1);
    for (const id of ids) await recordMessage(tidemark, { groupId, position: at(id), senderId: sender });
    const count = () => countReceipts(tidemark, { groupId, userId: reader }, ids.map(at));
    await count();
    expect(await callsOf(count)).toEqual(['cache']);
  });

  test('a page of receipts: cache, cache', async () => {
    const { groupId, reader } = await aWarmGroup();
    const list = () =>
      listReceipts(tidemark, { groupId, userId: reader }, at(2), {
        state: 'unread',
        limit: 100,
        after: null,
      });
    await list();
    expect(await callsOf(list)).toEqual(['cache', 'cache']);
  });

  test('marking delivered, reading privately and marking unread: as any mark', async () => {
    const { groupId, reader } = await aWarmGroup();
    const forward = ['cache', 'ledger UpdateItem', 'cache'];
    const secretly = { isPrivate: true, ifRevision: null };
    expect(await callsOf(() => markDelivered(tidemark, { groupId, userId: reader }, at(2)))).toEqual(forward);
    expect(await callsOf(() => markDelivered(tidemark, { groupId, userId: reader }, at(2)))).toEqual([
      'cache',
    ]);
    expect(await callsOf(() => markRead(tidemark, { groupId, userId: reader }, at(3), secretly))).toEqual(
      forward,
    );
    expect(await callsOf(() => markUnread(tidemark, { groupId, userId: reader }, at(2)))).toEqual(forward);
    // Only the ledger decides that nothing moves.
    expect(await callsOf(() => markUnread(tidemark, { groupId, userId: reader }, at(3)))).toEqual([
      'cache',
      'ledger GetItem',
      'cache',
    ]);
  });

  test('changing preferences: ledger, cache; a doubt before to show receipts, the head before to archive', async () => {
    const { groupId, reader, sender } = await aWarmGroup();
    const member = { groupId, userId: reader };
    const set = (change: Parameters<typeof setPreferences>[2]) =>
      callsOf(() => setPreferences(tidemark, member, change));
    const patched = ['ledger UpdateItem', 'cache'];
    expect(await set({ notify: 'mentions', mutedUntil: 7 })).toEqual(patched);
    // Nothing changes.
    expect(await set({ notify: 'mentions' })).toEqual(patched);
    expect(await set({ hideReceipts: true })).toEqual(patched);
    expect(await set({ hideReceipts: false })).toEqual(['cache', ...patched]);
    expect(await set({ archive: 'untilNew' })).toEqual(['ledger GetItem', ...patched]);
    expect(await set({ archive: 'always' })).toEqual(patched);
    expect(await callsOf(() => readPreferences(tidemark, member))).toEqual([
      'ledger GetItem',
      'ledger GetItem',
    ]);

    await setPreferences(tidemark, member, { hideReceipts: true });
    const forward = ['cache', 'ledger UpdateItem', 'cache'];
    expect(await callsOf(() => markRead(tidemark, member, at(2)))).toEqual(forward);
    expect(await callsOf(() => markRead(tidemark, member, at(2)))).toEqual(['cache']);
    await setPreferences(tidemark, { groupId, userId: sender }, { hideReceipts: true });
    // The blind write of the sender finds the hidden receipts, and the next one knows the item.
    const record = () => recordMessage(tidemark, { groupId, position: at(4), senderId: sender });
    expect((await callsOf(record)).toSorted()).toEqual(['cache', ...Array(4).fill('ledger UpdateItem')]);
  });

  test('the inbox of 200 groups: one query, one call of the cache', async () => {
    const { reader, groups, unread } = await aFullInbox();
    const calls = await callsOf(async () => {
      const page = await readInbox(tidemark, reader, { unreadOnly: false, limit: 200, after: null });
      expect(page.groups.map(({ groupId }) => groupId)).toEqual(groups);
      const counted = page.groups.filter((group) => group.unread?.count === 1).map(({ groupId }) => groupId);
      expect(counted).toEqual(unread);
    });
    expect(calls).toEqual(['ledger Query', 'cache']);
  });

  const ALL: MarkAllQuery = { unmutedOnly: false, after: null };

  test('the badge of 200 groups: one query, one call of the cache', async () => {
    const reader = await inManyGroups(200, 40);
    const badge = { groups: 5, messages: 5, mentions: 0, exact: true };
    const calls = await callsOf(async () => expect(await countBadge(tidemark, reader)).toEqual(badge));
    expect(calls).toEqual(['ledger Query', 'cache']);
    const warnings = jest.spyOn(console, 'warn').mockImplementation(() => undefined);
    const off = withoutCache(tidemark);
    const offCalls = await callsOf(async () => expect(await countBadge(off, reader)).toEqual(badge));
    // The heads in two calls; then for each unread group its head once more and its messages.
    expect(offCalls.toSorted()).toEqual([
      ...Array(2).fill('ledger BatchGetItem'),
      ...Array(5).fill('ledger GetItem'),
      ...Array(1 + 5).fill('ledger Query'),
    ]);
    warnings.mockRestore();
  });

  test('the badge of 2,000 groups: one query, a call of the cache for each 500', async () => {
    const reader = await inManyGroups(2_000, 100);
    const badge = { groups: 20, messages: 20, mentions: 0, exact: true };
    const calls = await callsOf(async () => expect(await countBadge(tidemark, reader)).toEqual(badge));
    expect(calls).toEqual(['ledger Query', ...Array(4).fill('cache')]);
  });

  test('marking all of 100 groups: query, cache, a write for each unread group, cache', async () => {
    const reader = await inManyGroups(200, 40);
    const marked: (string | null)[] = [];
    const markPage = async (after: GroupId | null) => {
      const { results, next } = await markAll(tidemark, reader, { ...ALL, after });
      marked.push(...results.map(({ outcome: { outcome } }) => outcome));
      return next;
    };
    let next: GroupId | null = null;
    const first = await callsOf(async () => {
      next = await markPage(null);
    });
    expect(first).toEqual(['ledger Query', 'cache', ...Array(3).fill('ledger UpdateItem'), 'cache']);
    const second = await callsOf(() => markPage(next));
    expect(second).toEqual(['ledger Query', 'cache', ...Array(2).fill('ledger UpdateItem'), 'cache']);
    expect(Map.groupBy(marked, (outcome) => outcome).get('advanced')).toHaveLength(5);
    expect(marked).toHaveLength(200);
    // Nothing is unread any more.
    expect(await callsOf(() => markPage(null))).toEqual(['ledger Query', 'cache']);
  });

  test('marking all without a cache: also the heads, and the messages above the own view', async () => {
    const reader = await inManyGroups(200, 40);
    const warnings = jest.spyOn(console, 'warn').mockImplementation(() => undefined);
    const calls = await callsOf(() => markAll(withoutCache(tidemark), reader, ALL));
    warnings.mockRestore();
    expect(calls.toSorted()).toEqual([
      'ledger BatchGetItem',
      ...Array(1 + 3).fill('ledger Query'),
      ...Array(3).fill('ledger UpdateItem'),
    ]);
  });

  // The embedded Redis has no MONITOR.
  const onRealRedis = engines.redisEngine === 'redis-server' ? test : test.skip;
  onRealRedis('the inbox: one command for all heads, then commands for the unread groups alone', async () => {
    const { reader, groups, unread } = await aFullInbox();
    const inScript = await commandsOn(groups, () =>
      readInbox(tidemark, reader, { unreadOnly: true, limit: 100, after: null }),
    );
    expect(inScript[0]).toEqual(['mget', groups]);
    expect([...new Set(inScript.slice(1).flatMap(([, ofGroups]) => ofGroups))]).toEqual(unread);
  });

  onRealRedis('the commands inside of the scripts, which Upstash may bill one by one', async () => {
    const { groupId, reader } = await aWarmGroup();
    const commandsOf = async (work: () => Promise<unknown>) =>
      (await commandsOn([groupId], work)).map(([name]) => name);
    const readView = () => readOwnView(tidemark, { groupId, userId: reader });
    const mark = (id: number) => () => markRead(tidemark, { groupId, userId: reader }, at(id));
    const known = ['hget', 'get'];
    // The floor; all, own and silent messages; the first that counts, by its rank; mentions of the user and of everybody.
    const counting = ['zrangebylex', 'zlexcount', 'zlexcount', 'zlexcount', 'zrangebylex'];
    const counted = [...known, ...counting];
    // The merge reads the head, for its epoch, and the view after it needs it no more.
    const merged = ['hget', 'get', 'hset', 'zrangebylex', 'pexpire', 'hget'];

    expect(await commandsOf(readView)).toEqual(counted);
    expect(await commandsOf(mark(2))).toEqual([...known, ...merged, ...counting]);
    expect(await commandsOf(mark(1))).toEqual(counted);
    // At the head there is nothing to count.
    expect(await commandsOf(mark(3))).toEqual([...known, ...merged]);
    expect(await commandsOf(readView)).toEqual(known);
    expect(await commandsOf(mark(3))).toEqual(known);
  });

  test('a member who has read everything needs no messages in the cache', async () => {
    const { groupId, reader } = await aWarmGroup();
    await markRead(tidemark, { groupId, userId: reader }, at(3));
    await forget(tidemark.redis, groupId, ['messages']);
    tidemark.takeCalls();
    const view = await readOwnView(tidemark, { groupId, userId: reader });
    expect(view).toMatchObject({
      head: headAt(3),
      unread: { count: 0, mentions: 0, first: null, exact: true },
    });
    expect(await markRead(tidemark, { groupId, userId: reader }, at(3))).toMatchObject({ view });
    expect(tidemark.takeCalls()).toEqual(['cache', 'cache']);
  });

  test('do not grow with the group', async () => {
    const { groupId, reader } = await aWarmGroup();
    const others = Array.from({ length: 300 }, () => aUser());
    for (let start = 0; start < others.length; start += 100) {
      await addMembers(tidemark, groupId, others.slice(start, start + 100));
    }
    expect(await callsOf(() => readOwnView(tidemark, { groupId, userId: reader }))).toEqual(['cache']);
    expect(await callsOf(() => markRead(tidemark, { groupId, userId: reader }, at(3)))).toEqual([
      'cache',
      'ledger UpdateItem',
      'cache',
    ]);
  });
});

/** A reader in many groups, which the cache holds. One of `every` has one unread message. */
async function inManyGroups(count: number, every: number) {
  const reader = aUser('reader');
  await joinManyGroups(tidemark, reader, count, every);
  await countBadge(tidemark, reader);
  return reader;
}

/** A reader's 200 groups, of which five have one unread message. */
async function aFullInbox() {
  const [sender, reader] = [aUser('sender'), aUser('reader')];
  const groups = Array.from({ length: 200 }, () => aGroup()).toSorted();
  const unread = groups.filter((_, index) => index % 40 === 0);
  await inParallel(groups, 10, async (groupId) => {
    await addMembers(tidemark, groupId, [sender, reader]);
    await recordMessage(tidemark, { groupId, position: at(1), senderId: sender });
    await readOwnView(tidemark, { groupId, userId: reader });
    if (!unread.includes(groupId)) await markRead(tidemark, { groupId, userId: reader }, at(1));
  });
  await readInbox(tidemark, reader, { unreadOnly: false, limit: 200, after: null });
  return { reader, groups, unread };
}

/** The commands inside scripts on one of these groups during `work`, each with its groups. */
async function commandsOn(groups: readonly GroupId[], work: () => Promise<unknown>) {
  // A plain socket: the tests' client fails if commands of other tests arrive with the first reply.
  const { hostname, port } = new URL(engines.redisUrl);
  const monitor = connect(Number(port), hostname);
  let printed = '';
  monitor.setEncoding('utf8').on('data', (text: string) => {
    printed += text;
  });
  try {
    monitor.write('MONITOR\r\n');
    await eventually(() => expect(printed).toMatch(/^\+OK\r\n/));
    await work();
    const last = await tidemark.redis.echo(aUser('last'));
    await eventually(() => expect(printed).toContain(last));
  } finally {
    monitor.destroy();
  }
  const groupsIn = (args: string) => [...args.matchAll(/\{([^}]+)\}/g)].map(([, groupId]) => groupId);
  return [...printed.matchAll(/^\+\S+ \[\d+ \S+\] "(\w+)"(.*)\r$/gm)]
    .map(([, name = '', args = '']) => [name.toLowerCase(), groupsIn(args)] as const)
    .filter(([name]) => name !== 'evalsha' && name !== 'eval')
    .filter(([, ofGroups]) => ofGroups.some((id) => groups.includes(id as GroupId)));
}
