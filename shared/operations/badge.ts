import type { GroupId, UserId } from '../domain/ids.ts';
import { inParallel } from '../domain/in-parallel.ts';
import { isMuted } from '../domain/preferences.ts';
import type { Tidemark } from './tidemark.ts';
import { countGroups, type GroupView, isInArchive, readGroups } from './user-groups.ts';

/** What is unread for a user in all groups together, for the number on an app's icon. */
export interface Badge {
  /** Groups with something unread. */
  readonly groups: number;
  readonly messages: number;
  /** Those of the messages that mention the user. */
  readonly mentions: number;
  /** False if there may be more. */
  readonly exact: boolean;
}

const NO_BADGE: Badge = { groups: 0, messages: 0, mentions: 0, exact: true };

/** Of one group at most this many messages count. */
const MOST_OF_GROUP = 500;

/** The memberships of a user that are read in one query. They fill about 1 MB, the most that a query returns. */
const PAGE = 2_500;

/** Users whose badges are counted at the same time. */
const CONCURRENT_USERS = 10;

/**
 * Counts what is unread for a user: nothing of groups that are archived or muted, only mentions of those with `notify:
 * mentions`. One query of the ledger for 2,500 groups, then one call of the cache for each 500 of them. No total is stored:
 * it would take a write for each member and message.
 */
export async function countBadge(tidemark: Tidemark, userId: UserId): Promise<Badge> {
  const { ledger, nowMs } = tidemark;
  const counting = { ...tidemark, cache: tidemark.cache.countingUpTo(MOST_OF_GROUP) };
  let badge = NO_BADGE;
  let after: GroupId | null = null;
  do {
    const { memberships, next }: Awaited<ReturnType<typeof ledger.memberships.ofUser>> =
      await ledger.memberships.ofUser(userId, PAGE, after);
    const loud = memberships.filter(({ membership }) => !isMuted(membership.preferences, nowMs()));
    const groups = await readGroups(counting, userId, loud);
    const views = await countGroups(
      counting,
      userId,
      groups.filter((group) => !isInArchive(group)),
    );
    badge = views.map(badgeOf).reduce(sumOf, badge);
    after = next;
  } while (after);
  return badge;
}

/** Counts the badges of several users, in their order. A user who is named twice is counted once, and returned twice. */
export async function countBadges(
  tidemark: Tidemark,
  userIds: readonly UserId[],
): Promise<{ readonly userId: UserId; readonly badge: Badge }[]> {
  const distinct = [...new Set(userIds)];
  const counted = await inParallel(distinct, CONCURRENT_USERS, async (userId) => ({
    userId,
    badge: await countBadge(tidemark, userId),
  }));
  const byUser = new Map(counted.map((one) => [one.userId, one]));
  return userIds.flatMap((userId) => byUser.get(userId) ?? []);
}

function badgeOf({ membership, unread }: GroupView): Badge {
  const { count, mentions, exact } = unread;
  const messages = membership.preferences.notify === 'mentions' ? mentions : count;
  return { groups: messages > 0 ? 1 : 0, messages, mentions, exact };
}

function sumOf(a: Badge, b: Badge): Badge {
  return {
    groups: a.groups + b.groups,
    messages: a.messages + b.messages,
    mentions: a.mentions + b.mentions,
    exact: a.exact && b.exact,
  };
}
