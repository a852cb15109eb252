import type { Expected } from './expected.ts';
import type { Group } from './model.ts';
import type { Rules } from './rules.ts';

/** The group after its reminders that are due, and their events. There is none if nobody is named. */
export function remind(group: Group, advanceSeconds: number, rules: Rules): readonly [Group, Expected] {
  const due = group.messages.filter((message) => rules.isDue(message, advanceSeconds));
  const events = due.flatMap((message): Expected[] => {
    const named = rules.audience(group, message).filter((member) => rules.isReminded(message, member));
    if (named.length === 0) return [];
    const userIds = named.map(({ userId }) => userId);
    return [{ version: '1', messageId: message.messageId.toString(), userIds, isLast: true }];
  });
  const messages = group.messages.map((message) =>
    due.includes(message) ? rules.afterReminding(message) : message,
  );
  return [{ ...group, messages }, events];
}
