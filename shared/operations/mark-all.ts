import type { GroupId, UserId } from '../domain/ids.ts';
import { inParallel } from '../domain/in-parallel.ts';
import type { Mark } from '../domain/mark.ts';
import type { Membership } from '../domain/membership.ts';
import { isMuted } from '../domain/preferences.ts';
import { failedOutcome, type GroupOutcome, outcomeOf } from './mark-groups.ts';
import { writeMarks } from './move-forward.ts';
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

/** The groups of one call. */
const PAGE = 100;

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
 * comes in between stays unread. Costs one query of the ledger and one call of the cache; then a write for each group
 * with something above the own view, and one more call of the cache for all of them.
 */
export async function markAll(
  tidemark: Tidemark,
  userId: UserId,
  { parentId, unmutedOnly, after }: MarkAllQuery,
): Promise<MarkedAll> {
  const { ledger, cache, nowMs } = tidemark;
  const { memberships, next } = await ledger.memberships.ofUser(userId, PAGE, after);
  const now = nowMs();
  const wanted = memberships.filter(
    ({ membership }) => !(unmutedOnly && isMuted(membership.preferences, now)),
  );
  const groups = (await readGroups(tidemark, userId, wanted)).filter(
    ({ head }) => parentId === undefined || head.settings.parentId === parentId,
  );
  const marked = await inParallel(groups, CONCURRENT_WRITES, (group) => markGroup(tidemark, userId, group));
  const written = marked.flatMap(({ groupId, written: state }) => (state ? [{ groupId, state }] : []));
  if (written.length > 0) await cache.mergeMember(userId, written);
  return { results: marked.map(({ groupId, outcome }) => ({ groupId, outcome })), next };
}

async function markGroup(tidemark: Tidemark, userId: UserId, group: GroupOfUser): Promise<Marked> {
  const { groupId, membership, head } = group;
  if (isAtHead(group)) {
    const { position, revision } = membership.self;
    return { groupId, outcome: { outcome: 'unchanged', position, revision, clamped: false }, written: null };
  }
  const mark: Mark = { position: head.position, kind: 'read', ifRevision: null };
  try {
    const written = await writeMarks(
      tidemark,
      { groupId, userId },
      membership,
      [mark],
      (position) => position,
      false,
    );
    if (!written) return { groupId, outcome: { outcome: 'not_found' }, written: null };
    return { groupId, outcome: outcomeOf(written.outcomes[0]), written: written.membership };
  } catch (error) {
    return { groupId, outcome: failedOutcome(error), written: null };
  }
}
