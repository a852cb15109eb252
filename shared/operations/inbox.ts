import * as change from '../cache/changes.ts';
import type { InboxView } from '../cache/replies.ts';
import type { Head } from '../domain/head.ts';
import type { GroupId, Member, UserId } from '../domain/ids.ts';
import { inParallel } from '../domain/in-parallel.ts';
import type { Membership } from '../domain/membership.ts';
import { NOTHING_UNREAD } from '../domain/unread.ts';
import { UnreadableItem } from '../ledger/items.ts';
import { type PassedOver, passingOver } from '../ledger/passed-over.ts';
import { completeFromLedger, type OwnView, unreadIn } from './own-view.ts';
import type { Tidemark } from './tidemark.ts';

export interface InboxGroup extends OwnView {
  readonly groupId: GroupId;
}

export interface InboxPage {
  readonly groups: readonly InboxGroup[];
  /** The next page begins after this group; null if there is none. */
  readonly next: GroupId | null;
}

interface InboxEntry {
  readonly groupId: GroupId;
  readonly membership: Membership;
  /** What the cache returned; null if it did not answer. */
  readonly view: InboxView | null;
}

/** With `unreadOnly`, one page reads at most this many groups. */
const MOST_READ = 1_000;

/**
 * Groups that are completed from the ledger at the same time. With `unreadOnly`, also the groups checked in one step.
 */
const CONCURRENT_GROUPS = 10;

/**
 * Returns one page of a user's groups, ordered by group id, each as the user sees it. Costs one query of the ledger,
 * for the memberships, and one call of the cache. A page may have fewer than `limit` groups without being the last
 * one. A group whose head cannot be read is left out.
 */
export async function readInbox(
  tidemark: Tidemark,
  userId: UserId,
  {
    unreadOnly,
    limit,
    after,
  }: { readonly unreadOnly: boolean; readonly limit: number; readonly after: GroupId | null },
): Promise<InboxPage> {
  const most = unreadOnly ? MOST_READ : limit;
  const { memberships, next } = await tidemark.ledger.memberships.ofUser(userId, most, after);
  const entries = await readViews(tidemark, userId, memberships);
  return passingOver(async (passedOver) => {
    const complete = (some: readonly InboxEntry[]) => completeAll(tidemark, userId, some, passedOver);
    if (!unreadOnly) return { groups: await complete(entries), next };

    const candidates = entries.filter((entry) => !isAtHead(entry));
    const unread: InboxGroup[] = [];
    for (let start = 0; start < candidates.length && unread.length <= limit; start += CONCURRENT_GROUPS) {
      const slice = candidates.slice(start, start + CONCURRENT_GROUPS);
      const groups = await complete(slice);
      unread.push(...groups.filter((group) => group.unread.count > 0));
    }
    const groups = unread.slice(0, limit);
    return { groups, next: unread.length > limit ? (groups.at(-1)?.groupId ?? null) : next };
  });
}

/**
 * Returns some of a user's groups, each as the user sees it. One call of the cache. A group whose head cannot be read is left
 * out.
 */
export async function viewsOf(
  tidemark: Tidemark,
  userId: UserId,
  memberships: readonly Omit<InboxEntry, 'view'>[],
): Promise<InboxGroup[]> {
  const entries = await readViews(tidemark, userId, memberships);
  return passingOver((passedOver) => completeAll(tidemark, userId, entries, passedOver));
}

async function completeAll(
  tidemark: Tidemark,
  userId: UserId,
  entries: readonly InboxEntry[],
  passedOver: PassedOver,
): Promise<InboxGroup[]> {
  const groups = await inParallel(entries, CONCURRENT_GROUPS, (entry) =>
    viewOf(tidemark, userId, entry).catch((error: unknown) => {
      if (!(error instanceof UnreadableItem)) throw error;
      passedOver.note(error);
      return null;
    }),
  );
  return groups.filter((group) => group !== null);
}

/**
 * Adds to each membership the cache's view of its group. Heads that the cache lacks are read from the ledger, in one
 * call.
 */
async function readViews(
  tidemark: Tidemark,
  userId: UserId,
  memberships: readonly Omit<InboxEntry, 'view'>[],
): Promise<InboxEntry[]> {
  if (memberships.length === 0) return [];
  const groups = memberships.map(({ groupId, membership }) => ({
    groupId,
    position: membership.self.position,
  }));
  const views = await tidemark.cache.readInbox(userId, groups);
  if (!views) return memberships.map((membership) => ({ ...membership, view: null }));
  const heads = await missingHeads(tidemark, memberships, views);
  return memberships.flatMap((membership, index) => {
    const head = views[index]?.head ?? heads.get(membership.groupId);
    const window = views[index]?.window ?? null;
    return head ? [{ ...membership, view: { head, window } }] : [];
  });
}

function isAtHead({ membership, view }: InboxEntry): boolean {
  return view?.head != null && view.head.position <= membership.self.position;
}

/** A group as the user sees it: from the cache if that is enough, otherwise from the ledger. */
async function viewOf(tidemark: Tidemark, userId: UserId, entry: InboxEntry): Promise<InboxGroup> {
  const { groupId, membership, view } = entry;
  const member: Member = { groupId, userId };
  const { head = null, window = null } = view ?? {};
  if (head && isAtHead(entry)) return { groupId, membership, head, unread: NOTHING_UNREAD };
  const { position } = membership.self;
  const unread = head && window && (await unreadIn(tidemark, member, position, { head, window }));
  if (unread) return { groupId, membership, head, unread };
  const completed = await completeFromLedger(tidemark, member, membership, view);
  return { groupId, ...completed };
}

/** Reads the heads that the cache lacks and merges them into the cache. Leaves out a head that cannot be read. */
async function missingHeads(
  { cache, ledger }: Tidemark,
  memberships: readonly Omit<InboxEntry, 'view'>[],
  views: readonly InboxView[],
): Promise<ReadonlyMap<GroupId, Head>> {
  const missing = memberships.filter((_, index) => !views[index]?.head).map(({ groupId }) => groupId);
  if (missing.length === 0) return new Map();
  const heads = await ledger.heads.readMany(missing);
  await inParallel([...heads], CONCURRENT_GROUPS, ([groupId, head]) =>
    cache.merge(groupId, [change.head(head)]),
  );
  return heads;
}
