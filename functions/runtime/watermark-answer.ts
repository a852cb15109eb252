import type { Member } from '../../shared/domain/ids.ts';
import { formatMessageId } from '../../shared/domain/position.ts';
import { formatTime } from '../../shared/domain/time.ts';
import { formatUnread } from '../../shared/domain/unread.ts';
import type { OwnView } from '../../shared/operations/own-view.ts';

/** The answer of the routes that return a member's own watermark, without the head. */
export function watermarkAnswer({ groupId, userId }: Member, { membership, unread }: OwnView) {
  const { position, at, revision } = membership.self;
  return {
    groupId,
    userId,
    messageId: formatMessageId(position),
    readAt: formatTime(at),
    revision,
    unread: formatUnread(unread),
  };
}

/** The same answer with the group's head. */
export function viewAnswer(member: Member, view: OwnView) {
  return { ...watermarkAnswer(member, view), head: formatMessageId(view.head.position) };
}
