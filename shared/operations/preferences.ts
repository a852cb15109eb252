import { randomUUID } from 'node:crypto';
import * as change from '../cache/changes.ts';
import type { GroupId, Member } from '../domain/ids.ts';
import type { Membership } from '../domain/membership.ts';
import { type Position, START } from '../domain/position.ts';
import { isArchived, type PreferencesPatch } from '../domain/preferences.ts';
import { currentIn, readMember } from './own-view.ts';
import type { Tidemark } from './tidemark.ts';

/** A member with its preferences, and whether the group counts as archived for it now. */
export interface MemberPreferences {
  readonly membership: Membership;
  readonly archived: boolean;
}

/** What a call changes. The position at which a group was archived follows from `archive`. */
export type PreferencesChange = Omit<PreferencesPatch, 'archivedAt'>;

/** Returns a member's preferences as the ledger holds them. Null if the user is not a member. Two reads side by side. */
export async function readPreferences(tidemark: Tidemark, member: Member): Promise<MemberPreferences | null> {
  const { ledger } = tidemark;
  const [state, head] = await Promise.all([
    ledger.memberships.read(member),
    ledger.heads.read(member.groupId),
  ]);
  const membership = currentIn(state, head);
  return membership && { membership, archived: isArchived(membership.preferences, head.loud) };
}

/**
 * Changes some of a member's preferences: a write of the ledger, then a merge into the cache. Null if the user is not a
 * member; nobody becomes one by this. Archiving `untilNew` reads the head of the group first.
 *
 * Showing receipts again is a way back, as marking unread is. By an old copy in the cache a mark would seem to move
 * nothing, and to be stored already. A doubt prevents this (timeline: operations/mark-unread.ts). Hiding them needs none:
 * the write of a mark that starts from an old copy fails its condition.
 *
 *     write fails, and the ledger may have it:   the doubt ends by itself after half a minute
 *     merge gets lost:                           the same; by then the projector has merged the membership
 *     the cache does not hold the member:        the ledger is read, then the member and the doubt are merged together
 */
export async function setPreferences(
  tidemark: Tidemark,
  member: Member,
  changed: PreferencesChange,
): Promise<MemberPreferences | null> {
  const { ledger, cache, nowMs } = tidemark;
  const { groupId, userId } = member;
  const patch = await patchOf(tidemark, groupId, changed);
  const token = randomUUID();
  const isBack = changed.hideReceipts === false;
  if (isBack && !(await doubt(tidemark, member, token))) return null;
  const state = await ledger.memberships.setPreferences(member, patch, nowMs());
  const changes = [
    ...(state ? [change.member(userId, state)] : []),
    ...(isBack ? [change.settled(userId, token)] : []),
  ];
  // Also if nothing has changed: this may be the repetition of a call whose merge was lost.
  const view = changes.length > 0 ? await cache.mergeFor(member, changes) : null;
  if (state?.kind !== 'member') return null;
  const head = view?.head ?? (await ledger.heads.read(groupId));
  const membership = currentIn(state, head);
  return membership && { membership, archived: isArchived(membership.preferences, head.loud) };
}

/** Puts the member's own view in doubt. False if the user is not a member: then nothing is left. */
async function doubt(tidemark: Tidemark, member: Member, token: string): Promise<boolean> {
  const { cache } = tidemark;
  const { groupId, userId } = member;
  const doubted = await cache.doubt(member, token);
  if (!doubted || doubted.isNoted) return true;
  const membership = await readMember(tidemark, member, doubted.view.head);
  if (!membership) return false;
  await cache.merge(groupId, [change.member(userId, membership), change.doubt(userId, token)]);
  return true;
}

async function patchOf(
  tidemark: Tidemark,
  groupId: GroupId,
  changed: PreferencesChange,
): Promise<PreferencesPatch> {
  if (changed.archive === undefined) return changed;
  const archivedAt = changed.archive === 'untilNew' ? await newestLoud(tidemark, groupId) : START;
  return { ...changed, archivedAt };
}

/** The position of the group's newest message that is not silent. */
async function newestLoud({ ledger }: Tidemark, groupId: GroupId): Promise<Position> {
  const { loud } = await ledger.heads.read(groupId);
  return loud;
}
