import * as change from '../cache/changes.ts';
import type { InboxView } from '../cache/replies.ts';
import type { Head } from '../domain/head.ts';
import type { GroupId, UserId } from '../domain/ids.ts';
import { inParallel } from '../domain/in-parallel.ts';
import type { Membership } from '../domain/membership.ts';
import { isArchived } from '../domain/preferences.ts';
import { NOTHING_UNREAD } from '../domain/unread.ts';
import { UnreadableItem } from '../ledger/items.ts';
import { type PassedOver, passingOver } from '../ledger/passed-over.ts';
import { completeFromLedger, currentIn, type OwnView, unreadIn } from './own-view.ts';
import type { Tidemark } from './tidemark.ts';

/** A membership as the ledger has just returned it. */
export interface MembershipOfUser {
  readonly groupId: GroupId;
  readonly membership: Membership;
}

/** A group of a user, before its unread messages are counted. */
export interface GroupOfUser extends MembershipOfUser {
  readonly head: Head;
  /** What the cache returned; null if it did not answer. */
  readonly cached: InboxView | null;
}

/** A group as a user sees it. */
export interface GroupView extends OwnView {
  readonly groupId: GroupId;
}

/** Groups that are completed from the ledger at the same time. */
export const CONCURRENT_GROUPS = 10;

/**
 * Adds to each membership the head of its group and what the cache knows of it. One call of the cache. Heads that the cache
 * lacks are read from the ledger, in one call for each hundred. A group whose head cannot be read is left out, and so is one
 * that was deleted since the membership began.
 */
export async function readGroups(
  tidemark: Tidemark,
  userId: UserId,
  memberships: readonly MembershipOfUser[],
): Promise<GroupOfUser[]> {
  if (memberships.length === 0) return [];
  const views = await tidemark.cache.readInbox(
    userId,
    memberships.map(({ groupId, membership }) => ({ groupId, position: membership.self.position })),
  );
  const heads = await missingHeads(tidemark, memberships, views);
  return memberships.flatMap((membership, index) => {
    const view = views?.[index];
    const head = view?.head ?? heads.get(membership.groupId);
    return head && currentIn(membership.membership, head)
      ? [{ ...membership, head, cached: views && { head, window: view?.window ?? null } }]
      : [];
  });
}

/** Counts the unread messages of groups. A group whose items cannot be read is left out. */
export async function countGroups(
  tidemark: Tidemark,
  userId: UserId,
  groups: readonly GroupOfUser[],
): Promise<GroupView[]> {
  return passingOver(async (passedOver) => {
    const views = await inParallel(groups, CONCURRENT_GROUPS, (group) =>
      countGroup(tidemark, userId, group, passedOver),
    );
    return views.filter((view) => view !== null);
  });
}

/** Returns some of a user's groups, each as the user sees it. One call of the cache, if it holds them. */
export async function viewsOf(
  tidemark: Tidemark,
  userId: UserId,
  memberships: readonly MembershipOfUser[],
): Promise<GroupView[]> {
  return countGroups(tidemark, userId, await readGroups(tidemark, userId, memberships));
}

/** Whether the member has read up to the head, so that nothing is unread. */
export function isAtHead({ membership, head }: GroupOfUser): boolean {
  return head.position <= membership.self.position;
}

/** Whether the user has archived the group, and nothing has brought it back. */
export function isInArchive({ membership, head }: Pick<GroupOfUser, 'membership' | 'head'>): boolean {
  return isArchived(membership.preferences, head.loud);
}

/** A group as the user sees it: from the cache if that is enough, otherwise from the ledger. Null if it cannot be read, or was deleted. */
async function countGroup(
  tidemark: Tidemark,
  userId: UserId,
  group: GroupOfUser,
  passedOver: PassedOver,
): Promise<GroupView | null> {
  const { groupId, membership, head, cached } = group;
  if (isAtHead(group)) return { groupId, membership, head, unread: NOTHING_UNREAD };
  const member = { groupId, userId };
  try {
    const { window = null } = cached ?? {};
    const unread = window && (await unreadIn(tidemark, member, membership.self.position, { head, window }));
    if (unread) return { groupId, membership, head, unread };
    const own = await completeFromLedger(tidemark, member, membership, cached);
    return own && { groupId, ...own };
  } catch (error) {
    if (!(error instanceof UnreadableItem)) throw error;
    passedOver.note(error);
    return null;
  }
}

/** Reads the heads that the cache lacks, and merges them if it answered. Leaves out a head that cannot be read. */
async function missingHeads(
  { cache, ledger }: Tidemark,
  memberships: readonly MembershipOfUser[],
  views: readonly InboxView[] | null,
): Promise<ReadonlyMap<GroupId, Head>> {
  const missing = memberships.filter((_, index) => !views?.[index]?.head).map(({ groupId }) => groupId);
  if (missing.length === 0) return new Map();
  const heads = await ledger.heads.readMany(missing);
  if (views) {
    await inParallel([...heads], CONCURRENT_GROUPS, ([groupId, head]) =>
      cache.merge(groupId, [change.head(head)]),
    );
  }
  return heads;
}
