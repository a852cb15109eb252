import type { Change, GroupCache } from '../cache/group-cache.ts';
import type { GroupId, UserId } from '../domain/ids.ts';
import type { Membership } from '../domain/membership.ts';
import type { Position } from '../domain/position.ts';
import type { Ledger } from '../ledger/ledger.ts';

/** Members looked at in one call. */
const PAGE = 100;

/**
 * How far everyone in a group has read, if that is past a position; null if somebody is not past it. What the cache
 * tells decides where it tells anything. Otherwise the ledger is searched for one who is not past it, and that one is
 * remembered: until he moves, nobody needs to search again.
 */
export async function everyonePast(
  { cache, ledger }: { readonly cache: GroupCache; readonly ledger: Pick<Ledger, 'memberships'> },
  groupId: GroupId,
  position: Position,
  cached: Position | null,
): Promise<Position | null> {
  if (cached) return cached > position ? cached : null;
  let lowest: { readonly userId: UserId; readonly membership: Membership } | null = null;
  let after: UserId | null = null;
  do {
    const page = await ledger.memberships.page(groupId, PAGE, after);
    for (const member of page.members) {
      if (!lowest || shown(member.membership) < shown(lowest.membership)) lowest = member;
    }
    after = lowest && shown(lowest.membership) <= position ? null : page.next;
  } while (after);
  if (!lowest) return null;
  const { userId, membership } = lowest;
  const laggard: Change[] = [
    { kind: 'member', userId, state: membership },
    { kind: 'laggard', userId },
  ];
  await cache.merge(groupId, laggard);
  return shown(membership) > position ? shown(membership) : null;
}

function shown(membership: Membership): Position {
  return membership.public.position;
}
