import { MAX_FRAME_BYTES, MAX_VIEWS } from '../contract/frames.ts';
import type { ServerFrame } from '../contract/server-frames.ts';
import type { GroupId, UserId } from '../domain/ids.ts';
import type { Connection } from '../ledger/connections.ts';
import { readMembershipsOfUser } from '../ledger/memberships-of-user.ts';
import type { Table } from '../ledger/table.ts';
import { type InboxPage, readInbox } from '../operations/inbox.ts';
import type { Tidemark } from '../operations/tidemark.ts';
import { type GroupView, viewsOf } from '../operations/user-groups.ts';
import { viewIn } from './frame.ts';
import type { Live } from './live.ts';

/** One page of an inbox reads at most 1,000 groups, and may find nothing unread in them. A sync reads at most this many pages. */
const MOST_PAGES = 10;

/** The room in a frame for all fields but the views. */
const ROOM_BYTES = 1_024;

type Synced = Extract<ServerFrame, { readonly type: 'synced' }>;

/**
 * The own views of these groups, or without groups of those with something unread. As many as one frame takes. Also notes
 * that the user is connected, since the note of the connect may have been lost.
 */
export async function sync(
  { tidemark, cache }: Live,
  table: Table,
  { userId, connectedAtMs }: Connection & { readonly userId: UserId },
  groupIds: readonly GroupId[] | null,
): Promise<Omit<Synced, 'ref'>> {
  const asOf = tidemark.nowMs();
  const [{ groups, isAll }] = await Promise.all([
    groupIds ? viewsOfGroups(tidemark, table, userId, groupIds) : unreadViews(tidemark, userId),
    cache.noteOnline(userId, connectedAtMs),
  ]);
  const views: Synced['views'] = [];
  let bytes = ROOM_BYTES;
  for (const group of groups) {
    const view = viewIn(group.groupId, group);
    // Ids and numbers are ASCII.
    bytes += JSON.stringify(view).length + 1;
    if (bytes > MAX_FRAME_BYTES) break;
    views.push(view);
  }
  return { type: 'synced', asOf, views, complete: isAll && views.length === groups.length };
}

interface Found {
  readonly groups: readonly GroupView[];
  readonly isAll: boolean;
}

async function viewsOfGroups(
  tidemark: Tidemark,
  table: Table,
  userId: UserId,
  groupIds: readonly GroupId[],
): Promise<Found> {
  const memberships = await readMembershipsOfUser(table, userId, [...new Set(groupIds)]);
  return { groups: await viewsOf(tidemark, userId, memberships), isAll: true };
}

async function unreadViews(tidemark: Tidemark, userId: UserId): Promise<Found> {
  const groups: GroupView[] = [];
  let after: GroupId | null = null;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const limit = MAX_VIEWS - groups.length;
    const found: InboxPage = await readInbox(tidemark, userId, { unreadOnly: true, limit, after });
    groups.push(...found.groups);
    after = found.next;
    if (!after) return { groups, isAll: true };
    if (groups.length === MAX_VIEWS) break;
  }
  return { groups, isAll: false };
}
