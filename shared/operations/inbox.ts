import type { GroupId, UserId } from '../domain/ids.ts';
import type { Tidemark } from './tidemark.ts';
import {
  CONCURRENT_GROUPS,
  countGroups,
  type GroupOfUser,
  type GroupView,
  isAtHead,
  isInArchive,
  readGroups,
} from './user-groups.ts';

export interface InboxPage {
  readonly groups: readonly GroupView[];
  /** The next page begins after this group; null if there is none. */
  readonly next: GroupId | null;
}

/** What a page of the inbox has. */
export interface InboxQuery {
  /** Only groups with something unread. */
  readonly unreadOnly: boolean;
  /** Only groups that the user has archived, or only the others. @default both */
  readonly archived?: boolean;
  /** Only groups of this parent. @default all */
  readonly parentId?: GroupId | undefined;
  readonly limit: number;
  readonly after: GroupId | null;
}

/** A page of which groups are left out reads at most this many. */
const MOST_READ = 1_000;

/**
 * Returns one page of a user's groups, ordered by group id, each as the user sees it. Costs one query of the ledger,
 * for the memberships, and one call of the cache. A page may have fewer than `limit` groups without being the last
 * one. A group whose head cannot be read is left out.
 */
export async function readInbox(tidemark: Tidemark, userId: UserId, query: InboxQuery): Promise<InboxPage> {
  const { unreadOnly, archived, parentId, limit, after } = query;
  const isWanted = (group: GroupOfUser) =>
    (archived === undefined || isInArchive(group) === archived) &&
    (parentId === undefined || group.head.settings.parentId === parentId) &&
    !(unreadOnly && isAtHead(group));
  // Few groups are archived, so this filter alone reads no more than a page.
  const most = unreadOnly || archived || parentId !== undefined ? MOST_READ : limit;
  const { memberships, next } = await tidemark.ledger.memberships.ofUser(userId, most, after);
  const candidates = (await readGroups(tidemark, userId, memberships)).filter(isWanted);
  const found: GroupView[] = [];
  // Counting may find that a group has nothing unread, so the groups are counted a few at a time until the page is full.
  const step = unreadOnly ? CONCURRENT_GROUPS : limit + 1;
  // One more than needed shows whether more follow.
  for (let start = 0; start < candidates.length && found.length <= limit; start += step) {
    const views = await countGroups(tidemark, userId, candidates.slice(start, start + step));
    found.push(...views.filter(({ unread }) => !unreadOnly || unread.count > 0));
  }
  const groups = found.slice(0, limit);
  return { groups, next: found.length > limit ? (groups.at(-1)?.groupId ?? null) : next };
}
