import * as change from '../cache/changes.ts';
import { isAfterEpoch } from '../domain/head.ts';
import type { Member } from '../domain/ids.ts';
import type { Position } from '../domain/position.ts';
import { readMember } from './own-view.ts';
import type { Tidemark } from './tidemark.ts';

export interface Statuses {
  /** The position of the member's own view. */
  readonly watermark: Position;
  /** In the order of the request. */
  readonly statuses: readonly { readonly position: Position; readonly isRead: boolean }[];
}

/**
 * Which messages a member has read: those at or below its own view, and its own. Null if the user is not a member.
 * Costs one call of the cache, and one of the ledger for messages that the cache does not hold.
 */
export async function readStatuses(
  tidemark: Tidemark,
  member: Member,
  positions: readonly Position[],
): Promise<Statuses | null> {
  const { cache, ledger } = tidemark;
  const { groupId, userId } = member;
  const cached = await cache.readStatuses(member, positions);
  const known = cached?.state?.kind === 'member' ? cached.state : null;
  const membership = known ?? (await readMember(tidemark, member, null));
  if (!membership) return null;
  if (cached && !known) await cache.merge(groupId, [change.member(userId, membership)]);

  const watermark = membership.self.position;
  const above = positions.filter((position) => position > watermark);
  const own = new Set(above.filter((position) => relationOf(position) === 'own'));
  const unknown = above.filter((position) => relationOf(position) === 'unknown');
  if (unknown.length > 0) {
    const [messages, head] = await Promise.all([
      ledger.messages.readMany(groupId, unknown),
      ledger.heads.read(groupId),
    ]);
    for (const { position, senderId, recordedAt } of messages) {
      if (senderId === userId && isAfterEpoch(head, recordedAt)) own.add(position);
    }
  }
  return {
    watermark,
    statuses: positions.map((position) => ({
      position,
      isRead: position <= watermark || own.has(position),
    })),
  };

  function relationOf(position: Position) {
    return (known && cached?.relations?.[positions.indexOf(position)]) ?? 'unknown';
  }
}
