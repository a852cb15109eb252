import { randomUUID } from 'node:crypto';
import type { Change } from '../cache/group-cache.ts';
import type { GroupId, UserId } from '../domain/ids.ts';
import { isSame, type Membership, type MembershipState, retreat } from '../domain/membership.ts';
import type { Position } from '../domain/position.ts';
import { completeView, memberIn, type OwnView, readMember } from './own-view.ts';
import type { Stores } from './stores.ts';

/**
 * Makes a message and all later ones unread again for the member alone. Null where the user is no member.
 *
 * The only move that goes back, and so the only one of which an old copy in the cache would be taken for one that is
 * already past a later mark. Therefore the cache is told to doubt its copy before the ledger is written: until it has
 * merged what was written, everyone asks the ledger. The doubt is settled on every way out, unless it is not known
 * whether the ledger was written: then only its time ends it.
 */
export async function markUnread(
  stores: Stores,
  groupId: GroupId,
  userId: UserId,
  message: Position,
): Promise<OwnView | null> {
  const { ledger, cache, nowMs } = stores;
  const at = nowMs();
  const isBack = (member: Membership) => !isSame(member, retreat(member, message, at));
  const back = (current: MembershipState | null) =>
    current?.kind === 'member' ? retreat(current, message, at) : current;

  const doubt = randomUUID();
  const settled: Change = { kind: 'settled', userId, doubt };
  const settle = (state: MembershipState) =>
    cache.mergeFor(groupId, userId, [{ kind: 'member', userId, state }, settled]);

  const seen = await cache.doubt(groupId, userId, doubt);
  const cached = memberIn(seen);
  let believed = cached;
  if (!cached || !isBack(cached)) {
    // That there is nothing to do may only be said of what the ledger holds now.
    const known = await readMember(stores, groupId, userId).catch(async (error: unknown) => {
      if (cached) await cache.merge(groupId, [settled]);
      throw error;
    });
    if (!known) {
      if (cached) await cache.merge(groupId, [settled]);
      return null;
    }
    if (!isBack(known)) {
      return completeView(stores, groupId, userId, known, seen && (await settle(known)));
    }
    if (seen && !cached) {
      const member: Change = { kind: 'member', userId, state: known };
      await cache.merge(groupId, [member, { kind: 'doubt', userId, doubt }]);
    }
    believed = known;
  }
  const { state } = await ledger.memberships.change(userId, groupId, back, believed);
  if (state?.kind !== 'member') {
    await cache.merge(groupId, state ? [{ kind: 'member', userId, state }, settled] : [settled]);
    return null;
  }
  return completeView(stores, groupId, userId, state, await settle(state));
}
