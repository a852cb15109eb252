import { randomUUID } from 'node:crypto';
import type { GroupId, UserId } from '../domain/ids.ts';
import { isSame, type MembershipState, retreat } from '../domain/membership.ts';
import type { Position } from '../domain/position.ts';
import { completeView, memberIn, type OwnView, readMember } from './own-view.ts';
import type { Stores } from './stores.ts';

/**
 * Makes a message and all later ones unread again for the member alone. Null where the user is no member.
 *
 * The only move that goes back, and so the only one of which an old copy in the cache would be taken for one that is
 * already past a later mark. Therefore the cache is told to doubt its copy before the ledger is written: until it has
 * heard of the write, everyone asks the ledger.
 */
export async function markUnread(
  stores: Stores,
  groupId: GroupId,
  userId: UserId,
  message: Position,
): Promise<OwnView | null> {
  const { ledger, cache, nowMs } = stores;
  const at = nowMs();
  const back = (current: MembershipState | null) =>
    current?.kind === 'member' ? retreat(current, message, at) : current;

  const doubt = randomUUID();
  const cached = memberIn(await cache.doubt(groupId, userId, doubt));
  // That there is nothing to do may only be said of what the ledger holds now.
  const moves = cached && !isSame(cached, retreat(cached, message, at));
  const believed = moves ? cached : await readMember(stores, groupId, userId);
  if (!believed) return null;
  const { state } = await ledger.memberships.change(userId, groupId, back, believed);
  if (state?.kind !== 'member') return null;
  const merged = await cache.mergeFor(groupId, userId, [
    { kind: 'member', userId, state },
    { kind: 'settled', userId, doubt },
  ]);
  return completeView(stores, groupId, userId, state, merged);
}
