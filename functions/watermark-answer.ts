import type { GroupId, UserId } from '../shared/domain/ids.ts';
import { formatMessageId } from '../shared/domain/position.ts';
import type { OwnView } from '../shared/watermarks/own-view.ts';

/** A member's own watermark, as the routes that tell it answer. */
export function watermarkAnswer(groupId: GroupId, userId: UserId, { membership, unread }: OwnView) {
  const { position, at, revision } = membership.self;
  return {
    groupId,
    userId,
    messageId: formatMessageId(position),
    readAt: at === null ? null : new Date(at).toISOString(),
    revision,
    unread,
  };
}

/** The same with the group's head. */
export function viewAnswer(groupId: GroupId, userId: UserId, view: OwnView) {
  return { ...watermarkAnswer(groupId, userId, view), head: view.head && formatMessageId(view.head) };
}
