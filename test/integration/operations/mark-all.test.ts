import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { unavailable } from '../../../shared/domain/errors.ts';
import type { GroupId, Member, UserId } from '../../../shared/domain/ids.ts';
import { START } from '../../../shared/domain/position.ts';
import { countBadge } from '../../../shared/operations/badge.ts';
import { setGroup } from '../../../shared/operations/groups.ts';
import { type MarkAllQuery, markAll } from '../../../shared/operations/mark-all.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { markUnread } from '../../../shared/operations/mark-unread.ts';
import { addMembers, removeMember } from '../../../shared/operations/members.ts';
import { deleteMessage, recordMessage, type SentAlone } from '../../../shared/operations/messages.ts';
import { readOwnView } from '../../../shared/operations/own-view.ts';
import { type PreferencesChange, setPreferences } from '../../../shared/operations/preferences.ts';
import { countReceipts } from '../../../shared/operations/receipts.ts';
import type { Tidemark } from '../../../shared/operations/tidemark.ts';
import { CACHE_STATES, withoutCache } from '../../support/cache-states.ts';
import { joinManyGroups } from '../../support/many-groups.ts';
import { at } from '../../support/positions.ts';
import { countsOf } from '../../support/receipt-counts.ts';
import { replacing } from '../../support/replacing.ts';
import { aGroup, aUser, withTidemark } from '../../support/tidemark.ts';

const tidemark = withTidemark();

let complaints: jest.SpiedFunction<typeof console.warn>;
beforeEach(() => {
  complaints = jest.spyOn(console, 'warn').mockImplementation(() => undefined);
});
afterEach(() => {
  jest.restoreAllMocks();
});

const ALL: MarkAllQuery = { unmutedOnly: false, after: null };
const SECRETLY = { isPrivate: true, ifRevision: null };

type Extra = Partial<Omit<SentAlone, 'groupId' | 'position'>>;

/** The groups of one user, in the order of their ids. Messages are sent by another member, with the ids from 1. */
function aUserInGroups() {
  const [userId, senderId] = [aUser('ann'), aUser('ben')];
  const groups: GroupId[] = [];
  const order = aGroup();
  const send = async (groupId: GroupId, id: number, extra: Extra = {}) => {
    await recordMessage(tidemark, { groupId, position: at(id), senderId, ...extra });
  };
  const join = async (messages: readonly Extra[], change: PreferencesChange | null = null) => {
    const groupId = `${order}-${String(groups.length).padStart(2, '0')}` as GroupId;
    groups.push(groupId);
    await addMembers(tidemark, groupId, [userId, senderId]);
    for (const [index, extra] of messages.entries()) await send(groupId, index + 1, extra);
    if (change) await setPreferences(tidemark, { groupId, userId }, change);
    // Loads the window.
    await readOwnView(tidemark, { groupId, userId });
    return { groupId, userId };
  };
  return { userId, groups, join, send };
}

const PLAIN: Extra = {};
const SILENT: Extra = { isSilent: true };

const advanced = ({ groupId }: Member, id: number, revision = 0) => ({
  groupId,
  outcome: { outcome: 'advanced', position: at(id), revision, clamped: false },
});
const unchanged = ({ groupId }: Member, id: number, revision = 0) => ({
  groupId,
  outcome: { outcome: 'unchanged', position: id === 0 ? START : at(id), revision, clamped: false },
});

/** Own view, public watermark and what was delivered, as the ledger holds them. */
async function registersOf(member: Member) {
  const state = await tidemark.ledger.memberships.read(member);
  if (state?.kind !== 'member') throw new Error('no member');
  return [state.self, state.public, state.delivered].map(({ position }) => Number(position));
}

const withMemberships = (methods: Partial<Tidemark['ledger']['memberships']>): Tidemark => ({
  ...tidemark,
  ledger: { ...tidemark.ledger, memberships: replacing(tidemark.ledger.memberships, methods) },
});

describe.each(CACHE_STATES)('with a cache %s', (_name, bring) => {
  test('every group with something unread is marked up to its head, and no other', async () => {
    const ann = aUserInGroups();
    const unread = await ann.join([PLAIN, PLAIN, PLAIN]);
    const read = await ann.join([PLAIN, PLAIN]);
    await markRead(tidemark, read, at(2));
    const partly = await ann.join([PLAIN, PLAIN, SILENT]);
    await markRead(tidemark, partly, at(1));
    const empty = await ann.join([]);
    const back = await ann.join([PLAIN, PLAIN]);
    await markRead(tidemark, back, at(2));
    await markUnread(tidemark, back, at(2));
    const left = await ann.join([PLAIN]);
    await removeMember(tidemark, left);
    const source = await bring(tidemark, ann.groups);
    expect(await markAll(source, ann.userId, ALL)).toEqual({
      results: [
        advanced(unread, 3),
        unchanged(read, 2),
        advanced(partly, 3),
        unchanged(empty, 0),
        advanced(back, 2, 1),
      ],
      next: null,
    });
    expect(await registersOf(unread)).toEqual([3, 3, 3]);
    expect(await registersOf(back)).toEqual([2, 2, 2]);
    for (const member of [unread, read, partly, empty, back]) {
      expect(await readOwnView(source, member)).toMatchObject({ unread: { count: 0, exact: true } });
    }
    const badge = { groups: 0, messages: 0, mentions: 0, exact: true };
    expect(await countBadge(source, ann.userId)).toEqual(badge);
    expect((await markAll(source, ann.userId, ALL)).results).toEqual([
      unchanged(unread, 3),
      unchanged(read, 2),
      unchanged(partly, 3),
      unchanged(empty, 0),
      unchanged(back, 2, 1),
    ]);
  });

  test('what was read privately stays private where nothing is unread', async () => {
    const ann = aUserInGroups();
    const toHead = await ann.join([PLAIN, PLAIN]);
    await markRead(tidemark, toHead, at(2), SECRETLY);
    // Above the own view are only messages that never count.
    const belowHead = await ann.join([PLAIN, PLAIN]);
    await markRead(tidemark, belowHead, at(2), SECRETLY);
    await ann.send(belowHead.groupId, 3, SILENT);
    await ann.send(belowHead.groupId, 4);
    await deleteMessage(tidemark, belowHead.groupId, at(4));
    await ann.send(belowHead.groupId, 5, { senderId: ann.userId, advanceSender: false });
    const { results } = await markAll(await bring(tidemark, ann.groups), ann.userId, ALL);
    expect(results).toEqual([unchanged(toHead, 2), unchanged(belowHead, 2)]);
    expect(await registersOf(toHead)).toEqual([2, 0, 0]);
    expect(await registersOf(belowHead)).toEqual([2, 0, 0]);
  });

  test('hidden receipts stay hidden', async () => {
    const ann = aUserInGroups();
    const hidden = await ann.join([PLAIN, PLAIN], { hideReceipts: true });
    const shown = await ann.join([PLAIN]);
    const { results } = await markAll(await bring(tidemark, ann.groups), ann.userId, ALL);
    expect(results).toEqual([advanced(hidden, 2), advanced(shown, 1)]);
    expect(await registersOf(hidden)).toEqual([2, 0, 0]);
    expect(await registersOf(shown)).toEqual([1, 1, 1]);
  });

  test('only the groups of a parent, or those that are not muted, are marked', async () => {
    const ann = aUserInGroups();
    const parentId = aGroup();
    const thread = await ann.join([PLAIN]);
    const muted = await ann.join([PLAIN], { mutedUntil: Date.now() + 3_600_000 });
    const silenced = await ann.join([PLAIN], { notify: 'none' });
    const archived = await ann.join([PLAIN], { archive: 'always' });
    const other = await ann.join([PLAIN]);
    for (const { groupId } of [thread, muted]) await setGroup(tidemark, groupId, { parentId });
    await setGroup(tidemark, other.groupId, { parentId: aGroup() });
    const source = await bring(tidemark, ann.groups);
    const mark = (query: Partial<MarkAllQuery>) => markAll(source, ann.userId, { ...ALL, ...query });
    expect(await mark({ parentId, unmutedOnly: true })).toEqual({
      results: [advanced(thread, 1)],
      next: null,
    });
    expect(await mark({ parentId })).toEqual({
      results: [unchanged(thread, 1), advanced(muted, 1)],
      next: null,
    });
    expect(await mark({ unmutedOnly: true })).toEqual({
      results: [unchanged(thread, 1), advanced(archived, 1), advanced(other, 1)],
      next: null,
    });
    expect(await registersOf(silenced)).toEqual([0, 0, 0]);
  });
});

test('a message that comes after the heads were read stays unread', async () => {
  const ann = aUserInGroups();
  const member = await ann.join([PLAIN, PLAIN]);
  const { memberships } = tidemark.ledger;
  const busy = withMemberships({
    change: async (...args) => {
      await ann.send(member.groupId, 3);
      return memberships.change(...args);
    },
  });
  expect((await markAll(busy, ann.userId, ALL)).results).toEqual([advanced(member, 2)]);
  expect(await readOwnView(tidemark, member)).toMatchObject({ unread: { count: 1, first: at(3) } });
});

test('a cached head that is a moment old marks nothing that it does not reach', async () => {
  const ann = aUserInGroups();
  const member = await ann.join([PLAIN, PLAIN]);
  // The merge of the third message got lost.
  const { groupId } = member;
  await recordMessage(withoutCache(tidemark), { groupId, position: at(3), senderId: aUser() });
  expect((await markAll(tidemark, ann.userId, ALL)).results).toEqual([advanced(member, 2)]);
  expect(await registersOf(member)).toEqual([2, 2, 2]);
});

test('a group whose write fails does not affect the others, and a repetition completes it', async () => {
  const ann = aUserInGroups();
  const [first, failing, last] = [await ann.join([PLAIN]), await ann.join([PLAIN]), await ann.join([PLAIN])];
  const { memberships } = tidemark.ledger;
  const faulty = withMemberships({
    change: async (member, ...rest) => {
      if (member.groupId === failing.groupId) throw unavailable(new Error('the ledger refuses this one'));
      return memberships.change(member, ...rest);
    },
  });
  expect((await markAll(faulty, ann.userId, ALL)).results).toEqual([
    advanced(first, 1),
    { groupId: failing.groupId, outcome: { outcome: 'failed' } },
    advanced(last, 1),
  ]);
  expect(complaints).toHaveBeenCalledTimes(1);
  expect(await registersOf(failing)).toEqual([0, 0, 0]);
  expect((await markAll(tidemark, ann.userId, ALL)).results).toEqual([
    unchanged(first, 1),
    advanced(failing, 1),
    unchanged(last, 1),
  ]);
});

test('a user who leaves a group meanwhile does not become a member again', async () => {
  const ann = aUserInGroups();
  const [left, stayed] = [await ann.join([PLAIN]), await ann.join([PLAIN])];
  const { memberships } = tidemark.ledger;
  const leaving = withMemberships({
    ofUser: async (...args) => {
      const page = await memberships.ofUser(...args);
      await removeMember(tidemark, left);
      return page;
    },
  });
  for (const mode of ['strict', 'open'] as const) {
    expect((await markAll({ ...leaving, mode }, ann.userId, ALL)).results).toContainEqual(
      mode === 'strict' ? { groupId: left.groupId, outcome: { outcome: 'not_found' } } : unchanged(stayed, 1),
    );
  }
  expect(await tidemark.ledger.memberships.read(left)).toMatchObject({ kind: 'departed' });
  expect((await tidemark.cache.read(left))?.state).toMatchObject({ kind: 'departed' });
});

test('the cache has the new own views, and counts their receipts', async () => {
  const ann = aUserInGroups();
  const member = await ann.join([PLAIN, PLAIN]);
  // Loads the receipts.
  await countReceipts(tidemark, member, [at(2)]);
  await markAll(tidemark, ann.userId, ALL);
  tidemark.takeCalls();
  expect(await readOwnView(tidemark, member)).toMatchObject({
    membership: { self: { position: at(2) }, public: { position: at(2) } },
    unread: { count: 0 },
  });
  expect(countsOf(await countReceipts(tidemark, member, [at(2)]))).toEqual([[1, 1, 1]]);
  expect(tidemark.takeCalls()).toEqual(['cache', 'cache']);
});

test('a doubt stays until it is settled, although the member is merged', async () => {
  const ann = aUserInGroups();
  const member = await ann.join([PLAIN, PLAIN]);
  await tidemark.cache.doubt(member, 'a-token');
  await markAll(tidemark, ann.userId, ALL);
  expect((await tidemark.cache.read(member))?.state).toBeNull();
  expect(await readOwnView(tidemark, member)).toMatchObject({ membership: { self: { position: at(2) } } });
});

test('a lost merge changes no answer', async () => {
  const ann = aUserInGroups();
  const member = await ann.join([PLAIN, PLAIN]);
  const cache = replacing(tidemark.cache, { mergeMember: async () => false });
  expect((await markAll({ ...tidemark, cache }, ann.userId, ALL)).results).toEqual([advanced(member, 2)]);
  expect((await markAll(tidemark, ann.userId, ALL)).results).toEqual([unchanged(member, 2)]);
  expect(await registersOf(member)).toEqual([2, 2, 2]);
});

test('a call marks 100 groups, and the next one continues behind them', async () => {
  const userId: UserId = aUser('ann');
  const { groups, unread } = await joinManyGroups(tidemark, userId, 203, 1);
  expect(unread).toEqual(groups);
  const marked: GroupId[] = [];
  const sizes: number[] = [];
  let after: GroupId | null = null;
  do {
    const { results, next }: Awaited<ReturnType<typeof markAll>> = await markAll(tidemark, userId, {
      ...ALL,
      after,
    });
    expect(results.map(({ outcome }) => outcome.outcome)).toEqual(results.map(() => 'advanced'));
    marked.push(...results.map(({ groupId }) => groupId));
    sizes.push(results.length);
    after = next;
  } while (after);
  expect(sizes).toEqual([100, 100, 3]);
  expect(marked).toEqual(groups);
});

test('the threads of a parent are found among many other groups', async () => {
  const userId: UserId = aUser('ann');
  const parentId = aGroup();
  const { groups } = await joinManyGroups(tidemark, userId, 230, 1);
  const threads = groups.filter((_, index) => index % 2 === 1);
  for (const groupId of threads) await setGroup(tidemark, groupId, { parentId });
  const first = await markAll(tidemark, userId, { ...ALL, parentId });
  expect(first.results.map(({ groupId }) => groupId)).toEqual(threads.slice(0, 100));
  expect(first.next).toBe(threads[99]);
  const second = await markAll(tidemark, userId, { ...ALL, parentId, after: first.next });
  expect(second.results.map(({ groupId }) => groupId)).toEqual(threads.slice(100));
  expect(second.next).toBeNull();
});
