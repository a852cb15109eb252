import { randomUUID } from 'node:crypto';
import * as change from '../cache/changes.ts';
import type { Member } from '../domain/ids.ts';
import { isSame, type Membership, type MembershipState, retreat } from '../domain/membership.ts';
import type { Position } from '../domain/position.ts';
import { completeView, memberIn, type OwnView, readMember } from './own-view.ts';
import type { Tidemark } from './tidemark.ts';

/**
 * Marks a message and all later ones unread, only for the member. Null if the user is not a member.
 *
 * This is the only move that goes back. An old copy in the cache would still be at or above a later mark, and that
 * mark would seem to be stored already. A doubt prevents this: while the member has one, everyone reads the own view
 * from the ledger.
 *
 *     mark-unread                  cache                                  ledger
 *     1 doubt       ─────────────▶ the own view is in doubt
 *     2 write       ────────────────────────────────────────────────────▶ own view goes back, revision + 1
 *     3 merge       ─────────────▶ has the new own view
 *       and settle  ─────────────▶ the doubt ends
 *
 *     stops before 2, or 2 changes nothing:   the doubt is settled at once
 *     2 fails, and the ledger may have it:    the doubt ends by itself after half a minute
 *     3 gets lost:                            the same; by then the projector has merged the new own view
 *     step 1 does not find the member:        the ledger is read, then the member and the doubt are merged together
 */
export async function markUnread(
  tidemark: Tidemark,
  member: Member,
  position: Position,
): Promise<OwnView | null> {
  const { ledger, cache, nowMs } = tidemark;
  const { groupId, userId } = member;
  const at = nowMs();
  const isBack = (known: Membership) => !isSame(known, retreat(known, position, at));
  const back = (current: MembershipState | null) =>
    current?.kind === 'member' ? retreat(current, position, at) : current;

  const token = randomUUID();
  const settled = change.settled(userId, token);
  const doubted = await cache.doubt(member, token);
  const settle = async () => (doubted?.isNoted ? cache.merge(groupId, [settled]) : false);

  let expected = memberIn(doubted?.view ?? null);
  if (!expected || !isBack(expected)) {
    // Only the ledger decides that there is nothing to do: the copy in the cache may be old.
    expected = await readMember(tidemark, member, doubted?.view.head ?? null).catch(
      async (error: unknown) => {
        await settle();
        throw error;
      },
    );
    if (!expected) {
      await settle();
      return null;
    }
    const known = change.member(userId, expected);
    if (!isBack(expected)) {
      const merged = doubted && (await cache.mergeFor(member, [known, settled]));
      return completeView(tidemark, member, expected, merged);
    }
    if (doubted && !doubted.isNoted) {
      await cache.merge(groupId, [known, change.doubt(userId, token)]);
    }
  }
  const { state } = await ledger.memberships.change(member, back, expected);
  const changes = state ? [change.member(userId, state), settled] : [settled];
  const merged = await cache.mergeFor(member, changes);
  return state?.kind === 'member' ? completeView(tidemark, member, state, merged) : null;
}
