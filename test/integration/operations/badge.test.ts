import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { GroupId, UserId } from '../../../shared/domain/ids.ts';
import { inParallel } from '../../../shared/domain/in-parallel.ts';
import { countBadge, countBadges } from '../../../shared/operations/badge.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { markUnread } from '../../../shared/operations/mark-unread.ts';
import { addMembers, removeMember } from '../../../shared/operations/members.ts';
import { deleteMessage, recordMessage, type SentAlone } from '../../../shared/operations/messages.ts';
import { readOwnView } from '../../../shared/operations/own-view.ts';
import { type PreferencesChange, setPreferences } from '../../../shared/operations/preferences.ts';
import { CACHE_STATES, withoutCache } from '../../support/cache-states.ts';
import { at } from '../../support/positions.ts';
import { replacing } from '../../support/replacing.ts';
import { aGroup, aUser, withTidemark } from '../../support/tidemark.ts';

const tidemark = withTidemark();

beforeEach(() => {
  jest.spyOn(console, 'warn').mockImplementation(() => undefined);
});
afterEach(() => {
  jest.restoreAllMocks();
});

type Extra = Partial<Omit<SentAlone, 'groupId' | 'position'>>;

/** The groups of one user. Messages are sent by another member, with the ids from 1. */
function aUserInGroups() {
  const [userId, senderId] = [aUser('ann'), aUser('ben')];
  const groups: GroupId[] = [];
  const send = async (groupId: GroupId, id: number, extra: Extra = {}) => {
    await recordMessage(tidemark, { groupId, position: at(id), senderId, ...extra });
  };
  const join = async (messages: readonly Extra[], change: PreferencesChange | null = null) => {
    const groupId = aGroup();
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
const toAll: Extra = { mentions: 'all' };
const to = (...mentions: UserId[]): Extra => ({ mentions });
const FUTURE = Date.now() + 3_600_000;

describe.each(CACHE_STATES)('with a cache %s', (_name, bring) => {
  const expectBadge = async (
    { userId, groups }: { readonly userId: UserId; readonly groups: readonly GroupId[] },
    badge: object,
  ) => {
    expect(await countBadge(await bring(tidemark, groups), userId)).toEqual(badge);
  };

  test('the badge sums the messages and mentions of all groups with something unread', async () => {
    const ann = aUserInGroups();
    await ann.join([PLAIN, to(ann.userId), PLAIN]);
    const mixed = await ann.join([PLAIN, PLAIN, toAll, { isSilent: true }, { senderId: ann.userId }]);
    await ann.send(mixed.groupId, 6, toAll);
    await ann.join([]);
    await expectBadge(ann, { groups: 2, messages: 4, mentions: 2, exact: true });
    await deleteMessage(tidemark, mixed.groupId, at(6));
    await expectBadge(ann, { groups: 1, messages: 3, mentions: 1, exact: true });
    await markUnread(tidemark, mixed, at(3));
    await expectBadge(ann, { groups: 2, messages: 4, mentions: 2, exact: true });
  });

  test('nothing counts of groups that are read, private or not, or left', async () => {
    const ann = aUserInGroups();
    await markRead(tidemark, await ann.join([toAll, PLAIN]), at(2));
    await markRead(tidemark, await ann.join([toAll]), at(1), { isPrivate: true, ifRevision: null });
    await ann.join([{ ...PLAIN, isSilent: true }]);
    await removeMember(tidemark, await ann.join([toAll]));
    await expectBadge(ann, { groups: 0, messages: 0, mentions: 0, exact: true });
  });

  test('only mentions count with `mentions`, and nothing with `none` or while muted', async () => {
    const ann = aUserInGroups();
    await ann.join([PLAIN, to(ann.userId), toAll, to(aUser())], { notify: 'mentions' });
    await ann.join([PLAIN, PLAIN], { notify: 'mentions' });
    await ann.join([PLAIN, toAll], { notify: 'none' });
    await ann.join([PLAIN, toAll], { mutedUntil: FUTURE });
    await ann.join([PLAIN, toAll], { notify: 'mentions', mutedUntil: FUTURE });
    await expectBadge(ann, { groups: 1, messages: 2, mentions: 2, exact: true });
    await ann.join([PLAIN], { mutedUntil: 1_000 });
    await expectBadge(ann, { groups: 2, messages: 3, mentions: 2, exact: true });
  });

  test('nothing counts of archived groups, until a message that is not silent brings them back', async () => {
    const ann = aUserInGroups();
    const gone = await ann.join([toAll], { archive: 'always' });
    const away = await ann.join([PLAIN], { archive: 'untilNew' });
    await ann.send(gone.groupId, 2);
    await ann.send(away.groupId, 2, { isSilent: true });
    await expectBadge(ann, { groups: 0, messages: 0, mentions: 0, exact: true });
    await ann.send(away.groupId, 3, toAll);
    await expectBadge(ann, { groups: 1, messages: 2, mentions: 1, exact: true });
  });
});

test('the count of one group stops at 500', async () => {
  const ann = aUserInGroups();
  const { groupId } = await ann.join([toAll]);
  const other = await ann.join([PLAIN], null);
  const ids = Array.from({ length: 500 }, (_, index) => index + 2);
  await inParallel(ids, 20, (id) => ann.send(groupId, id, id === 2 ? toAll : PLAIN));
  const off = withoutCache(tidemark);
  const bound = { groups: 2, messages: 501, mentions: 1, exact: false };
  expect(await countBadge(tidemark, ann.userId)).toEqual(bound);
  expect(await countBadge(off, ann.userId)).toEqual(bound);
  await markRead(tidemark, { groupId, userId: ann.userId }, at(1));
  const exact = { ...bound, exact: true };
  expect(await countBadge(tidemark, ann.userId)).toEqual(exact);
  expect(await countBadge(off, ann.userId)).toEqual(exact);
  await setPreferences(tidemark, other, { notify: 'none' });
  await setPreferences(tidemark, { groupId, userId: ann.userId }, { notify: 'mentions' });
  const ofMentions = { groups: 1, messages: 1, mentions: 1, exact: true };
  expect(await countBadge(tidemark, ann.userId)).toEqual(ofMentions);
  expect(await countBadge(off, ann.userId)).toEqual(ofMentions);
});

test('several users have their badges in the order of the call, each once however often they are named', async () => {
  const [ann, cem] = [aUserInGroups(), aUserInGroups()];
  await ann.join([PLAIN, toAll]);
  await cem.join([PLAIN]);
  const nobody = aUser('nobody');
  const ofAnn = { userId: ann.userId, badge: { groups: 1, messages: 2, mentions: 1, exact: true } };
  const ofCem = { userId: cem.userId, badge: { groups: 1, messages: 1, mentions: 0, exact: true } };
  const ofNobody = { userId: nobody, badge: { groups: 0, messages: 0, mentions: 0, exact: true } };
  tidemark.takeCalls();
  expect(await countBadges(tidemark, [cem.userId, nobody, ann.userId, cem.userId])).toEqual([
    ofCem,
    ofNobody,
    ofAnn,
    ofCem,
  ]);
  expect(tidemark.takeCalls().toSorted()).toEqual(['cache', 'cache', ...Array(3).fill('ledger Query')]);
});

test('the badge has the groups of all pages of the ledger', async () => {
  const ann = aUserInGroups();
  for (let count = 0; count < 5; count += 1) await ann.join([toAll]);
  const { memberships } = tidemark.ledger;
  const inPages = replacing(memberships, {
    ofUser: (userId, limit, after) => memberships.ofUser(userId, Math.min(limit, 2), after),
  });
  const paged = { ...tidemark, ledger: { ...tidemark.ledger, memberships: inPages } };
  expect(await countBadge(paged, ann.userId)).toEqual({ groups: 5, messages: 5, mentions: 5, exact: true });
});
