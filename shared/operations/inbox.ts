import type { InboxView } from '../cache/group-cache.ts';
import type { GroupId, Member, UserId } from '../domain/ids.ts';
import { inParallel } from '../domain/in-parallel.ts';
import type { Membership } from '../domain/membership.ts';
import { type Position, START } from '../domain/position.ts';
import { UnreadableItem } from '../ledger/items.ts';
import { type PassedOver, passingOver } from '../ledger/passed-over.ts';
import { headChange } from './message-window.ts';
import { completeView, NOTHING_UNREAD, type OwnView, unreadIn } from './own-view.ts';
import type { Tidemark } from './tidemark.ts';

export interface InboxGroup extends OwnView {
  readonly groupId: GroupId;
}

export interface InboxPage {
  readonly groups: readonly InboxGroup[];
  /** The next page begins after this group; null if there is none. */
  readonly next: GroupId | null;
}

interface Belonging {
  readonly groupId: GroupId;
  readonly membership: Membership;
  /** What the cache returned; null if it did not answer. */
  readonly view: InboxView | null;
}

/** With `unreadOnly`, one page reads at most this many groups. */
const PATIENCE = 1_000;

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
  const looked = unreadOnly ? PATIENCE : limit;
  const { memberships, next } = await tidemark.ledger.memberships.ofUser(userId, looked, after);
  const belongings = await look(tidemark, userId, memberships);
  return passingOver(async (passedOver) => {
    const complete = (some: readonly Belonging[]) => completeAll(tidemark, userId, some, passedOver);
    if (!unreadOnly) return { groups: await complete(belongings), next };

    const candidates = belongings.filter((belonging) => !isAtHead(belonging));
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
  memberships: readonly Omit<Belonging, 'view'>[],
): Promise<InboxGroup[]> {
  const belongings = await look(tidemark, userId, memberships);
  return passingOver((passedOver) => completeAll(tidemark, userId, belongings, passedOver));
}

async function completeAll(
  tidemark: Tidemark,
  userId: UserId,
  belongings: readonly Belonging[],
  passedOver: PassedOver,
): Promise<InboxGroup[]> {
  const groups = await inParallel(belongings, CONCURRENT_GROUPS, (belonging) =>
    viewOf(tidemark, userId, belonging).catch((error: unknown) => {
      if (!(error instanceof UnreadableItem)) throw error;
      passedOver.note(error);
      return null;
    }),
  );
  return groups.filter((group) => group !== null);
}

/**
 * Adds to each membership what the cache knows of its group. Heads that the cache lacks
 * come from the ledger, in one go.
 */
async function look(
  tidemark: Tidemark,
  userId: UserId,
  memberships: readonly Omit<Belonging, 'view'>[],
): Promise<Belonging[]> {
  if (memberships.length === 0) return [];
  const asked = memberships.map(({ groupId, membership }) => ({
    groupId,
    readUpTo: membership.self.position,
  }));
  const views = await tidemark.cache.readInbox(userId, asked);
  if (!views) return memberships.map((membership) => ({ ...membership, view: null }));
  const heads = await missingHeads(tidemark, memberships, views);
  return memberships.flatMap((membership, index) => {
    const head = views[index]?.head ?? heads.get(membership.groupId);
    const window = views[index]?.window ?? null;
    return head ? [{ ...membership, view: { head, window } }] : [];
  });
}

function isAtHead({ membership, view }: Belonging): boolean {
  return view?.head != null && view.head <= membership.self.position;
}

/** A group as the user sees it: from the cache if that is enough, otherwise from the ledger. */
async function viewOf(tidemark: Tidemark, userId: UserId, belonging: Belonging): Promise<InboxGroup> {
  const { groupId, membership, view } = belonging;
  const member: Member = { groupId, userId };
  const { head = null, window = null } = view ?? {};
  if (head === START) return { groupId, membership, head: null, unread: NOTHING_UNREAD };
  if (isAtHead(belonging)) return { groupId, membership, head, unread: NOTHING_UNREAD };
  const { position } = membership.self;
  const unread = head && window && (await unreadIn(tidemark, member, position, window));
  if (unread) return { groupId, membership, head, unread };
  const completed = await completeView(tidemark, member, membership, view && { ...view, state: null });
  return { groupId, ...completed };
}

/** Reads the heads that the cache lacks and merges them into the cache. Leaves out a head that cannot be read. */
async function missingHeads(
  { cache, ledger }: Tidemark,
  memberships: readonly Omit<Belonging, 'view'>[],
  views: readonly InboxView[],
): Promise<ReadonlyMap<GroupId, Position>> {
  const missing = memberships.filter((_, index) => !views[index]?.head).map(({ groupId }) => groupId);
  if (missing.length === 0) return new Map();
  const known = await ledger.messages.readHeads(missing);
  const heads = new Map([...known].map(([groupId, head]) => [groupId, head ?? START]));
  await inParallel([...heads], CONCURRENT_GROUPS, ([groupId, head]) =>
    cache.merge(groupId, [headChange(head)]),
  );
  return heads;
}
