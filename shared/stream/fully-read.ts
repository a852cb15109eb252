import * as change from '../cache/changes.ts';
import type { MergedFromStream } from '../cache/replies.ts';
import { unavailable } from '../domain/errors.ts';
import type { GroupId, UserId } from '../domain/ids.ts';
import type { Position } from '../domain/position.ts';
import type { CurrentMember } from '../ledger/memberships.ts';
import { currentIn } from '../operations/own-view.ts';
import { loadIndex } from '../operations/receipts-load.ts';
import type { Tidemark } from '../operations/tidemark.ts';

/** Members read in one step of a search. */
const PAGE = 500;

/** After this many members past the position, the group is indexed instead: a search must not grow with the group. */
const MOST_SEARCHED = 5_000;

/**
 * Returns the position that every member of a group has read up to, if it is above `position`; null if a member is
 * still at or below `position`. The cache's reply decides if it has an answer. Otherwise the ledger is searched for a
 * member that is not past the position. The cache remembers the member found, so that nobody searches again until
 * that member moves. A member whose item cannot be read does not count, as in receipts. Throws `unavailable` if there
 * is no answer now.
 */
export async function everyonePast(
  tidemark: Tidemark,
  groupId: GroupId,
  position: Position,
  cached: MergedFromStream | null,
): Promise<Position | null> {
  if (cached?.fullyReadPosition) return pastOnly(cached.fullyReadPosition, position);
  let lowest: CurrentMember | null = null;
  let searched = 0;
  for await (const member of candidates(tidemark, groupId, cached?.recent ?? [])) {
    if (!lowest || shown(member) < shown(lowest)) lowest = member;
    if (shown(lowest) <= position) break;
    searched += 1;
    if (searched === MOST_SEARCHED) return readFromIndex(tidemark, groupId, position);
  }
  if (!lowest) return null;
  const { userId, membership } = lowest;
  await tidemark.cache.merge(groupId, [change.member(userId, membership), change.laggard(userId)]);
  return pastOnly(shown(lowest), position);
}

/** The members of a group. First come those who joined a moment ago, since the ledger's list may lack them. */
async function* candidates(
  { ledger }: Tidemark,
  groupId: GroupId,
  recent: readonly UserId[],
): AsyncGenerator<CurrentMember> {
  const [head, states] = await Promise.all([
    ledger.heads.read(groupId),
    ledger.memberships.readMany(groupId, recent),
  ]);
  for (const [userId, state] of states) {
    const membership = currentIn(state, head);
    if (membership) yield { userId, membership };
  }
  for await (const member of ledger.memberships.everyone(groupId, PAGE)) {
    if (currentIn(member.membership, head)) yield member;
  }
}

async function readFromIndex(
  tidemark: Tidemark,
  groupId: GroupId,
  position: Position,
): Promise<Position | null> {
  const outcome = await loadIndex(tidemark, groupId, false);
  const reply = await tidemark.cache.mergeFromStream(groupId, [], position);
  if (!reply?.fullyReadPosition) throw unavailable(new Error(`the members are not indexed: ${outcome}`));
  return pastOnly(reply.fullyReadPosition, position);
}

function shown({ membership }: CurrentMember): Position {
  return membership.public.position;
}

function pastOnly(fullyReadPosition: Position, position: Position): Position | null {
  return fullyReadPosition > position ? fullyReadPosition : null;
}
