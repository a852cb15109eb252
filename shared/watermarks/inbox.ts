import type { InboxView, View } from '../cache/group-cache.ts';
import { inParallel } from '../concurrency/in-parallel.ts';
import type { GroupId, UserId } from '../domain/ids.ts';
import type { Membership } from '../domain/membership.ts';
import { START } from '../domain/position.ts';
import { headChange } from './message-window.ts';
import { completeView, type OwnView, unreadIn } from './own-view.ts';
import type { Stores } from './stores.ts';

export interface InboxGroup extends OwnView {
  readonly groupId: GroupId;
}

export interface InboxPage {
  readonly groups: readonly InboxGroup[];
  /** The group after which the next page begins; null at the end. */
  readonly next: GroupId | null;
}

interface Belonging {
  readonly groupId: GroupId;
  readonly membership: Membership;
}

/** With `unreadOnly`, so many groups are looked at for one page. */
const PATIENCE = 1_000;

/** Groups of which the cache lacks something, completed at once. */
const CONCURRENT_GROUPS = 10;

const NOTHING_CACHED: View = { state: null, head: null, window: null };

/**
 * One page of a user's groups, ordered by group id, each as the user sees it: one query of the ledger, which tells how
 * far the user has read, and one call of the cache. A page may have fewer than `limit` groups and yet not be the last.
 */
export async function readInbox(
  stores: Stores,
  userId: UserId,
  {
    unreadOnly,
    limit,
    after,
  }: { readonly unreadOnly: boolean; readonly limit: number; readonly after: GroupId | null },
): Promise<InboxPage> {
  const looked = unreadOnly ? Math.max(limit, PATIENCE) : limit;
  const { memberships, next } = await stores.ledger.memberships.ofUser(userId, looked, after);
  const groups = await viewAll(stores, userId, memberships);
  if (!unreadOnly) return { groups, next };
  const unread = groups.filter((group) => group.unread && (group.unread.count > 0 || !group.unread.exact));
  const told = unread.slice(0, limit);
  return { groups: told, next: unread.length > limit ? (told.at(-1)?.groupId ?? null) : next };
}

async function viewAll(
  stores: Stores,
  userId: UserId,
  belongings: readonly Belonging[],
): Promise<InboxGroup[]> {
  if (belongings.length === 0) return [];
  const asked = belongings.map(({ groupId, membership }) => ({
    groupId,
    readUpTo: membership.self.position,
  }));
  const views = await stores.cache.readInbox(userId, asked);
  const heads = views && (await missingHeads(stores, belongings, views));
  const pairs = belongings.map((belonging, index) => ({ belonging, view: views?.[index] ?? null }));
  return inParallel(pairs, CONCURRENT_GROUPS, async ({ belonging, view }) => {
    const { groupId, membership } = belonging;
    const head = view?.head ?? heads?.get(groupId) ?? null;
    const told = view && head && groupIn(stores, belonging, { ...view, head });
    if (told) return told;
    const completed = await completeView(
      stores,
      groupId,
      userId,
      membership,
      view && { ...NOTHING_CACHED, head },
    );
    return { groupId, ...completed };
  });
}

/** What the inbox shows by what the cache tells; null where that is not enough. */
function groupIn({ cache }: Stores, { groupId, membership }: Belonging, view: InboxView): InboxGroup | null {
  const { head, window } = view;
  if (head === START) return { groupId, membership, head: null, unread: null };
  if (head && head <= membership.self.position) {
    return { groupId, membership, head, unread: { count: 0, exact: true } };
  }
  const unread = window && unreadIn(cache, membership.self.position, window);
  return unread && { groupId, membership, head, unread };
}

/** The heads that the cache does not know: asked of the ledger all at once, and told to the cache. */
async function missingHeads(
  { cache, ledger }: Stores,
  belongings: readonly Belonging[],
  views: readonly InboxView[],
): Promise<ReadonlyMap<GroupId, InboxView['head']>> {
  const missing = belongings.filter((_, index) => !views[index]?.head).map(({ groupId }) => groupId);
  if (missing.length === 0) return new Map();
  const known = await ledger.messages.readHeads(missing);
  const heads = new Map(missing.map((groupId) => [groupId, known.get(groupId) ?? START]));
  await inParallel([...heads], CONCURRENT_GROUPS, ([groupId, head]) =>
    cache.merge(groupId, [headChange(head)]),
  );
  return heads;
}
