import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import type { GroupId, UserId } from '../../../shared/domain/ids.ts';
import { inParallel } from '../../../shared/domain/in-parallel.ts';
import { setGroup } from '../../../shared/operations/groups.ts';
import { type InboxQuery, readInbox } from '../../../shared/operations/inbox.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { addMembers } from '../../../shared/operations/members.ts';
import { recordMessage } from '../../../shared/operations/messages.ts';
import { readOwnView } from '../../../shared/operations/own-view.ts';
import { type PreferencesChange, setPreferences } from '../../../shared/operations/preferences.ts';
import type { Tidemark } from '../../../shared/operations/tidemark.ts';
import { CACHE_STATES } from '../../support/cache-states.ts';
import { joinManyGroups } from '../../support/many-groups.ts';
import { at } from '../../support/positions.ts';
import { aGroup, aUser, withTidemark } from '../../support/tidemark.ts';

const tidemark = withTidemark();

beforeEach(() => {
  jest.spyOn(console, 'warn').mockImplementation(() => undefined);
});
afterEach(() => {
  jest.restoreAllMocks();
});

/** The inbox as the route reads it without parameters. */
const INBOX: InboxQuery = { unreadOnly: false, archived: false, limit: 100, after: null };

/** Reads all pages. Returns the groups of each. */
async function pagesOf(source: Tidemark, userId: UserId, query: Partial<InboxQuery> = {}) {
  const pages: GroupId[][] = [];
  let after: GroupId | null = null;
  do {
    const page: Awaited<ReturnType<typeof readInbox>> = await readInbox(source, userId, {
      ...INBOX,
      ...query,
      after,
    });
    pages.push(page.groups.map(({ groupId }) => groupId));
    after = page.next;
  } while (after);
  return pages;
}

const listed = async (...given: Parameters<typeof pagesOf>) => (await pagesOf(...given)).flat();

/** A user in groups whose ids have the order in which they are made. Each has one message of another member. */
function aUserInGroups() {
  const [userId, senderId] = [aUser('ann'), aUser('ben')];
  const groups: GroupId[] = [];
  const order = aGroup();
  const send = async (groupId: GroupId, id: number, isSilent = false) => {
    await recordMessage(tidemark, { groupId, position: at(id), senderId, isSilent });
  };
  const join = async (change: PreferencesChange | null = null, parentId: GroupId | null = null) => {
    const groupId = `${order}-${String(groups.length).padStart(2, '0')}` as GroupId;
    groups.push(groupId);
    await addMembers(tidemark, groupId, [userId, senderId]);
    await send(groupId, 1);
    if (change) await setPreferences(tidemark, { groupId, userId }, change);
    if (parentId) await setGroup(tidemark, groupId, { parentId });
    // Loads the window.
    await readOwnView(tidemark, { groupId, userId });
    return groupId;
  };
  return { userId, groups, join, send };
}

describe.each(CACHE_STATES)('with a cache %s', (_name, bring) => {
  test('archived groups come only if they are asked for, and then no others', async () => {
    const ann = aUserInGroups();
    const [plain, always, returned, away, muted] = [
      await ann.join(),
      await ann.join({ archive: 'always' }),
      await ann.join({ archive: 'untilNew' }),
      await ann.join({ archive: 'untilNew' }),
      await ann.join({ notify: 'none' }),
    ];
    await ann.send(always, 2);
    await ann.send(returned, 2);
    await ann.send(away, 2, true);
    const source = await bring(tidemark, ann.groups);
    expect(await listed(source, ann.userId)).toEqual([plain, returned, muted]);
    expect(await listed(source, ann.userId, { archived: true })).toEqual([always, away]);
    expect(await listed(source, ann.userId, { limit: 1 })).toEqual([plain, returned, muted]);
    expect(await pagesOf(source, ann.userId, { archived: true, limit: 1 })).toEqual([[always], [away]]);
    await markRead(tidemark, { groupId: away, userId: ann.userId }, at(1));
    await bring(tidemark, ann.groups);
    expect(await listed(source, ann.userId, { archived: true, unreadOnly: true })).toEqual([always]);
    // A sync of the WebSocket API has both.
    expect(await listed(source, ann.userId, { archived: undefined })).toEqual(ann.groups);
  });

  test('the threads of a parent come alone if they are asked for', async () => {
    const ann = aUserInGroups();
    const [space, elsewhere] = [aGroup(), aGroup()];
    await ann.join();
    const first = await ann.join(null, space);
    await ann.join(null, elsewhere);
    const second = await ann.join(null, space);
    const archived = await ann.join({ archive: 'always' }, space);
    await markRead(tidemark, { groupId: first, userId: ann.userId }, at(1));
    const source = await bring(tidemark, ann.groups);
    const threads = { parentId: space };
    expect(await listed(source, ann.userId, threads)).toEqual([first, second]);
    expect(await pagesOf(source, ann.userId, { ...threads, limit: 1 })).toEqual([[first], [second]]);
    expect(await listed(source, ann.userId, { ...threads, unreadOnly: true })).toEqual([second]);
    expect(await listed(source, ann.userId, { ...threads, archived: true })).toEqual([archived]);
    expect(await listed(source, ann.userId, { parentId: aGroup() })).toEqual([]);
  });

  test('each group has its settings and the preferences of the member', async () => {
    const ann = aUserInGroups();
    const space = aGroup();
    await ann.join({ notify: 'mentions', mutedUntil: 7_000, archive: 'untilNew' }, space);
    const source = await bring(tidemark, ann.groups);
    const { groups } = await readInbox(source, ann.userId, { ...INBOX, archived: true });
    expect(groups).toMatchObject([
      {
        head: { position: at(1), loud: at(1), settings: { parentId: space } },
        membership: { preferences: { notify: 'mentions', mutedUntil: 7_000, archive: 'untilNew' } },
        unread: { count: 1, first: at(1) },
      },
    ]);
  });
});

test('a page of which all groups are archived looks further', async () => {
  const userId = aUser('ann');
  const { groups } = await joinManyGroups(tidemark, userId, 30, 5);
  const shown = groups.slice(-2);
  await inParallel(groups.slice(0, -2), 10, (groupId) =>
    setPreferences(tidemark, { groupId, userId }, { archive: 'always' }),
  );
  expect(await pagesOf(tidemark, userId, { limit: 5 })).toEqual([shown]);
  expect(await pagesOf(tidemark, userId, { limit: 1 })).toEqual([[shown[0]], [shown[1]]]);
  expect(await pagesOf(tidemark, userId, { limit: 20, archived: true })).toEqual([
    groups.slice(0, 20),
    groups.slice(20, 28),
  ]);
});
