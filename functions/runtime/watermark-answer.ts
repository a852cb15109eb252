import type { Member } from '../../shared/domain/ids.ts';
import { formatMessageId } from '../../shared/domain/position.ts';
import type { OwnView } from '../../shared/operations/own-view.ts';

/** A member's own watermark, as the routes that tell it answer. */
export function watermarkAnswer({ groupId, userId }: Member, { membership, unread }: OwnView) {
  const { position, at, revision } = membership.self;
  return {
    groupId,
    userId,
    messageId: formatMessageId(position),
    readAt: timeAnswer(at),
    revision,
    unread,
  };
}

/** The same with the group's head. */
export function viewAnswer(member: Member, view: OwnView) {
  return { ...watermarkAnswer(member, view), head: view.head && formatMessageId(view.head) };
}

/** When a register moved, as RFC 3339; null where it never did. */
export function timeAnswer(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
