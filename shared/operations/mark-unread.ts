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
  const doubted = await cache.doubt(groupId, userId, doubt);
  const settle = async () => (doubted?.isNoted ? cache.merge(groupId, [settled]) : false);

  let believed = memberIn(doubted?.view ?? null);
  if (!believed || !isBack(believed)) {
    // That there is nothing to do may only be said of what the ledger holds now.
    believed = await readMember(stores, groupId, userId).catch(async (error: unknown) => {
      await settle();
      throw error;
    });
    if (!believed) {
      await settle();
      return null;
    }
    const member: Change = { kind: 'member', userId, state: believed };
    if (!isBack(believed)) {
      const merged = doubted && (await cache.mergeFor(groupId, userId, [member, settled]));
      return completeView(stores, groupId, userId, believed, merged);
    }
    if (doubted && !doubted.isNoted) {
      await cache.merge(groupId, [member, { kind: 'doubt', userId, doubt }]);
    }
  }
  const { state } = await ledger.memberships.change(userId, groupId, back, believed);
  const changes: Change[] = state ? [{ kind: 'member', userId, state }, settled] : [settled];
  const merged = await cache.mergeFor(groupId, userId, changes);
  return state?.kind === 'member' ? completeView(stores, groupId, userId, state, merged) : null;
}
