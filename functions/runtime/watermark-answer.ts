import type { Member } from '../../shared/domain/ids.ts';
import { formatMessageId } from '../../shared/domain/position.ts';
import { formatUnread } from '../../shared/domain/unread.ts';
import type { OwnView } from '../../shared/operations/own-view.ts';

/** The answer of the routes that return a member's own watermark, without the head. */
export function watermarkAnswer({ groupId, userId }: Member, { membership, unread }: OwnView) {
  const { position, at, revision } = membership.self;
  return {
    groupId,
    userId,
    messageId: formatMessageId(position),
    readAt: timeAnswer(at),
    revision,
    unread: formatUnread(unread),
  };
}

/** The same answer with the group's head. */
export function viewAnswer(member: Member, view: OwnView) {
  return { ...watermarkAnswer(member, view), head: formatMessageId(view.head.position) };
}

/** The time when a register last moved, as RFC 3339; null if it never moved. */
export function timeAnswer(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
