import type { Expected } from './expected.ts';
import { type Group, type Member, memberOf, type View } from './model.ts';
import { idText, NOT_FOUND, shownRevision } from './part.ts';
import type { Rules } from './rules.ts';
import { expectedUnread } from './unread.ts';

type Fields = Readonly<Record<string, Expected>>;

/** What a member has read, and what is unread for it. */
export const ownView = (member: Member, view: View, rules: Rules): Fields => ({
  messageId: idText(member.own),
  readAt: member.ownAt,
  revision: shownRevision(member),
  unread: expectedUnread(view, member, rules),
});

export const ownViewAndHead = (member: Member, view: View, rules: Rules): Fields => ({
  ...ownView(member, view, rules),
  head: idText(view.head),
});

/** The answer of a read of the watermark. */
export function expectedWatermark(group: Group, userId: string, view: View, rules: Rules): Expected {
  const member = memberOf(group, userId);
  if (member === undefined) return NOT_FOUND;
  return { status: 200, body: { groupId: group.groupId, userId, ...ownViewAndHead(member, view, rules) } };
}
