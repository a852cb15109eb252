import * as change from '../cache/changes.ts';
import type { Head } from '../domain/head.ts';
import type { GroupId } from '../domain/ids.ts';
import type { SettingsPatch } from '../ledger/heads.ts';
import type { Tidemark } from './tidemark.ts';

/** Returns the head of a group and what was set for the group. One read of the ledger. */
export function readGroup({ ledger }: Tidemark, groupId: GroupId): Promise<Head> {
  return ledger.heads.read(groupId);
}

/**
 * Deletes a group: two writes of the head, then a merge of it into the cache. From then on nobody is a member, nothing is unread
 * and the group may be used again; what is stored of before no longer counts. Returns the head with its epoch.
 */
export async function deleteGroup({ ledger, cache, nowMs }: Tidemark, groupId: GroupId): Promise<Head> {
  const deleted = await ledger.heads.delete(groupId, nowMs());
  // A call that has read the head just before that write may have a later time than it. By now it has begun, so what it
  // stores is of a time up to the second epoch.
  const head = await ledger.heads.moveEpoch(groupId, deleted, nowMs);
  await cache.merge(groupId, [change.head(head)]);
  return head;
}

/**
 * Changes the settings of a group in one write of the ledger, and merges them into the cache. 'conflict' if the group has
 * another parent: then nothing changes. Without the merge, routes and pushes go by the old settings until the projector
 * has merged the new ones; a repetition of the call merges them too.
 */
export async function setGroup(
  { ledger, cache }: Tidemark,
  groupId: GroupId,
  patch: SettingsPatch,
): Promise<Head | 'conflict'> {
  const head = await ledger.heads.set(groupId, patch);
  if (head !== 'conflict') await cache.merge(groupId, [change.head(head)]);
  return head;
}
