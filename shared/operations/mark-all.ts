import type { GroupId, Member, UserId } from '../domain/ids.ts';
import { inParallel } from '../domain/in-parallel.ts';
import type { Mark } from '../domain/mark.ts';
import type { Membership } from '../domain/membership.ts';
import { isMuted } from '../domain/preferences.ts';
import { failedOutcome, type GroupOutcome, outcomeOf } from './mark-groups.ts';
import { asked, writeMarks } from './move-forward.ts';
import type { Tidemark } from './tidemark.ts';
import { type GroupOfUser, isAtHead, readGroups } from './user-groups.ts';

/** Which groups are marked read. */
export interface MarkAllQuery {
  /** Only groups of this parent. @default all */
  readonly parentId?: GroupId | undefined;
  /** Not those that are muted. */
  readonly unmutedOnly: boolean;
  readonly after: GroupId | null;
}

export interface MarkedAll {
  readonly results: readonly { readonly groupId: GroupId; readonly outcome: GroupOutcome }[];
  /** The next page begins after this group; null if there is none. */
  readonly next: GroupId | null;
}

/** The most groups of one call. */
const PAGE = 100;

/** A call for the groups of one parent reads at most this many memberships. */
const MOST_READ = 1_000;

/** Messages that are read at once to find out whether one of them is unread. */
const FIRST_MESSAGES = 20;

/** Groups that are written at the same time. */
const CONCURRENT_WRITES = 20;

/** What one group came to: its outcome, and its state if the ledger was written. */
interface Marked {
  readonly groupId: GroupId;
  readonly outcome: GroupOutcome;
  readonly written: Membership | null;
}

/**
 * Marks a page of a user's groups read up to their heads. The heads are read before the marks are written, so a message that
 * comes in between stays unread. A cached head may be a moment old: then newer messages stay unread too. A group without
 * unread messages is not written: what the user has read privately there would become public. Costs one query of the ledger and one call of the cache;
 * then a write for each group with something unread, and one more call of the cache for all of them. A group whose head
 * cannot be read is left out.
 */
export async function markAll(
  tidemark: Tidemark,
  userId: UserId,
  { parentId, unmutedOnly, after }: MarkAllQuery,
): Promise<MarkedAll> {
  const { ledger, cache, nowMs } = tidemark;
  // Few of a user's groups have one parent, so a page is looked for in more of them.
  const most = parentId === undefined ? PAGE : MOST_READ;
  const { memberships, next } = await ledger.memberships.ofUser(userId, most, after);
  const now = nowMs();
  const wanted = memberships.filter(
    ({ membership }) => !(unmutedOnly && isMuted(membership.preferences, now)),
  );
  const found = (await readGroups(tidemark, userId, wanted)).filter(
    ({ head }) => parentId === undefined || head.settings.parentId === parentId,
  );
  const groups = found.slice(0, PAGE);
  const marked = await inParallel(groups, CONCURRENT_WRITES, (group) => markGroup(tidemark, userId, group));
  const written = marked.flatMap(({ groupId, written: state }) => (state ? [{ groupId, state }] : []));
  if (written.length > 0) await cache.mergeMember(userId, written);
  return {
    results: marked.map(({ groupId, outcome }) => ({ groupId, outcome })),
    next: found.length > PAGE ? (groups.at(-1)?.groupId ?? null) : next,
  };
}

async function markGroup(tidemark: Tidemark, userId: UserId, group: GroupOfUser): Promise<Marked> {
  const { groupId, membership, head } = group;
  const member = { groupId, userId };
  try {
    if (!(await hasUnread(tidemark, member, group))) {
      const { position, revision } = membership.self;
      return {
        groupId,
        outcome: { outcome: 'unchanged', position, revision, clamped: false },
        written: null,
      };
    }
    const mark: Mark = { position: head.position, kind: 'read', ifRevision: null };
    const written = await writeMarks(tidemark, member, membership, [mark], asked(head), false);
    if (!written) return { groupId, outcome: { outcome: 'not_found' }, written: null };
    return { groupId, outcome: outcomeOf(written.outcomes[0]), written: written.membership };
  } catch (error) {
    return { groupId, outcome: failedOutcome(error), written: null };
  }
}

/** Whether a group has unread messages. One query of the ledger if the cache does not decide. */
async function hasUnread({ ledger }: Tidemark, member: Member, group: GroupOfUser): Promise<boolean> {
  if (isAtHead(group)) return false;
  const { head, cached } = group;
  const { position } = group.membership.self;
  const window = cached?.window;
  if (window && (window.unread.count > 0 || position >= window.floor)) return window.unread.count > 0;
  const { tally, isDecided } = await ledger.messages.countUnread(member, {
    abovePosition: position,
    lastPosition: head.position,
    epoch: head.epoch,
    limit: FIRST_MESSAGES,
  });
  return tally.count > 0 || !isDecided;
}
