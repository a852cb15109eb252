import type { Change, NewsReply } from '../cache/group-cache.ts';
import { unavailable } from '../domain/errors.ts';
import type { GroupId, UserId } from '../domain/ids.ts';
import type { Position } from '../domain/position.ts';
import type { Member } from '../ledger/memberships.ts';
import { loadIndex } from '../operations/receipts-load.ts';
import type { Stores } from '../operations/stores.ts';

/** Members looked at in one step of a search. */
const PAGE = 500;

/** Where so many are past the position, all of them are indexed instead: a search should not grow with the group. */
const MOST_SEARCHED = 5_000;

/**
 * How far everyone in a group has read, if that is past a position; null if somebody is not past it. What the cache
 * tells decides where it tells anything. Otherwise the ledger is searched for one who is not past it, and that one is
 * remembered: until it moves, nobody needs to search again. A member whose item cannot be read is not waited for, as it
 * is not counted in receipts. Throws `unavailable` where it cannot be known now.
 */
export async function everyonePast(
  stores: Stores,
  groupId: GroupId,
  position: Position,
  cached: NewsReply | null,
): Promise<Position | null> {
  if (cached?.everyoneAt) return pastOnly(cached.everyoneAt, position);
  let lowest: Member | null = null;
  let searched = 0;
  for await (const member of candidates(stores, groupId, cached?.recent ?? [])) {
    if (!lowest || shown(member) < shown(lowest)) lowest = member;
    if (shown(lowest) <= position) break;
    searched += 1;
    if (searched === MOST_SEARCHED) return askIndex(stores, groupId, position);
  }
  if (!lowest) return null;
  const { userId, membership } = lowest;
  const laggard: Change[] = [
    { kind: 'member', userId, state: membership },
    { kind: 'laggard', userId },
  ];
  await stores.cache.merge(groupId, laggard);
  return pastOnly(shown(lowest), position);
}

/** The members of a group: first those who joined of late, whom the ledger's list may lack. */
async function* candidates(
  { ledger }: Stores,
  groupId: GroupId,
  recent: readonly UserId[],
): AsyncGenerator<Member> {
  for (const [userId, state] of await ledger.memberships.readMany(recent, groupId)) {
    if (state.kind === 'member') yield { userId, membership: state };
  }
  yield* ledger.memberships.everyone(groupId, PAGE);
}

async function askIndex(stores: Stores, groupId: GroupId, position: Position): Promise<Position | null> {
  const outcome = await loadIndex(stores, groupId, false);
  const reply = await stores.cache.mergeNews(groupId, [], position);
  if (!reply?.everyoneAt) throw unavailable(new Error(`the members are not indexed: ${outcome}`));
  return pastOnly(reply.everyoneAt, position);
}

function shown({ membership }: Member): Position {
  return membership.public.position;
}

function pastOnly(everyoneAt: Position, position: Position): Position | null {
  return everyoneAt > position ? everyoneAt : null;
}
