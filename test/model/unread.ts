import type { Expected } from './expected.ts';
import type { Member, View } from './model.ts';
import { idText } from './part.ts';
import type { Rules } from './rules.ts';

/** Above this, the count of one group is not exact. */
const MAX_UNREAD = 5_000;

interface Unread {
  readonly count: number;
  readonly mentions: number;
  /** The first of the counted messages; null if there is none. */
  readonly first: bigint | null;
  readonly exact: boolean;
}

/** What is unread for the member. If there are more messages than `limit`, it is about the newest of them. */
export function unreadOf({ head, messages }: View, member: Member, limit: number, rules: Rules): Unread {
  const unread = messages.filter((message) => rules.isUnread(message, member));
  const counted = unread.slice(-limit);
  const exact = counted.length === unread.length;
  const from = exact ? 0n : (counted[0]?.messageId ?? 0n);
  const mentions = messages.filter(
    (message) => message.messageId >= from && rules.isMention(message, member),
  );
  return {
    count: counted.length,
    mentions: mentions.length,
    first: rules.firstUnread(counted, head),
    exact,
  };
}

/** What answers have of the unread messages of one group. */
export function expectedUnread(view: View, member: Member, rules: Rules): Expected {
  const { count, mentions, first, exact } = unreadOf(view, member, MAX_UNREAD, rules);
  return { count, mentions, firstId: first === null ? null : idText(first), exact };
}
