import { type Learned, Moment } from './expected.ts';
import { join, leave } from './memberships.ts';
import {
  ALL,
  advance,
  type Fact,
  type Group,
  isRecorded,
  larger,
  type Message,
  memberOf,
  messageOf,
  privately,
  upTo,
  withMember,
  withMessage,
} from './model.ts';
import { messageFrom, withoutMessage } from './recording.ts';
import type { Rules } from './rules.ts';

/**
 * The group after facts arrived. In any order, the result is as if they had arrived when they happened. This holds
 * unless an earlier join arrived late, or a message that was sent before a join without `joinedAfter`.
 */
export function applyFacts(
  group: Group,
  facts: readonly Fact[],
  operation: number,
  learned: Learned,
  rules: Rules,
): Group {
  const known = new Set(group.facts.map(nameOf));
  const fresh = [...new Map(facts.map((fact) => [nameOf(fact), fact])).values()].filter(
    (fact) => !known.has(nameOf(fact)),
  );
  const allFacts = [...group.facts, ...fresh];
  const sent: Message[] = [];
  let changed: Group = { ...group, facts: allFacts };
  for (const fact of fresh.toSorted(byMessage)) {
    if (fact.kind !== 'sent') continue;
    const before = messageOf(changed.messages, fact.messageId);
    if (before !== undefined && isRecorded(before)) continue;
    const message = messageFrom(fact, before, { recordedBy: operation, sentAt: fact.at });
    sent.push(message);
    changed = {
      ...changed,
      head: larger(changed.head, fact.messageId),
      messages: withMessage(changed.messages, message),
    };
  }
  for (const fact of fresh) {
    if (fact.kind !== 'deleted') continue;
    changed = {
      ...changed,
      head: rules.headAfterDeleting(changed, fact.messageId),
      messages: withoutMessage(changed.messages, fact.messageId),
    };
  }
  const userIds = new Set(allFacts.flatMap((fact) => ('userId' in fact ? [fact.userId] : [])));
  for (const userId of [...userIds].sort()) {
    changed = withMemberships(changed, userId, operation, learned, rules);
    changed = withOwnMessages(changed, userId, operation, group, sent, rules);
  }
  return changed;
}

export function nameOf(fact: Fact): string {
  switch (fact.kind) {
    case 'sent':
      return `sent ${fact.messageId} ${fact.senderId} ${fact.at} ${JSON.stringify(fact.attributes)}`;
    case 'deleted':
      return `deleted ${fact.messageId}`;
    case 'joined':
      return `joined ${fact.userId} ${fact.at} ${fact.joinedAfter ?? 'at the head'}`;
    case 'left':
      return `left ${fact.userId} ${fact.at}`;
  }
}

const byMessage = (one: Fact, other: Fact) =>
  one.kind === 'sent' && other.kind === 'sent' ? one.at - other.at : 0;

/** Ends and begins the user's memberships, from all facts about the user so far. */
function withMemberships(
  group: Group,
  userId: string,
  operation: number,
  learned: Learned,
  rules: Rules,
): Group {
  let changed = group;
  let joinedAt: number | null = null;
  for (const fact of rules.inOrder(group.facts)) {
    if (!('userId' in fact) || fact.userId !== userId) continue;
    if (fact.kind === 'joined' && joinedAt === null) {
      // No answer shows whether a user that joined and left at the same time was a member.
      if (leftAt(group, userId, fact.at)) continue;
      joinedAt = fact.at;
      if (isKnown(changed, userId, joinedAt)) continue;
      const joinedAfter = fact.joinedAfter ?? newestSentBy(changed, fact.at);
      const membership = `${changed.groupId} ${userId} ${operation} ${joinedAt}`;
      const joining = { userId, membership, joinedAt, joinedBy: operation, joinedAfter };
      changed = join(changed, joining, learned, rules);
    } else if (fact.kind === 'left') {
      const member = memberOf(changed, userId);
      const isFirst = changed.former.every((former) => former.userId !== userId);
      if (joinedAt === null ? member === undefined && isFirst : member?.joinedAt === joinedAt) {
        changed = leave(changed, userId, new Moment(operation, `${changed.groupId} ${userId} left`, 'none'));
      }
      joinedAt = null;
    }
  }
  return changed;
}

const leftAt = ({ facts }: Group, userId: string, at: number) =>
  facts.some((fact) => fact.kind === 'left' && fact.userId === userId && fact.at === at);

const isKnown = (group: Group, userId: string, joinedAt: number) =>
  [...group.members, ...group.former].some(
    (member) => member.userId === userId && member.joinedAt === joinedAt,
  );

const newestSentBy = ({ messages }: Group, time: number) =>
  messages
    .filter(({ sentAt }) => sentAt !== null && sentAt <= time)
    .reduce((newest, { messageId }) => larger(newest, messageId), 0n);

/** A sender that was a member when it sent a message has read up to the message, unless the message says otherwise. */
function withOwnMessages(
  group: Group,
  userId: string,
  operation: number,
  before: Group,
  fresh: readonly Message[],
  rules: Rules,
): Group {
  const member = memberOf(group, userId);
  if (member === undefined) return group;
  const { joinedAt } = member;
  const isNew = memberOf(before, userId)?.membership !== member.membership;
  let moved = member;
  for (const { messageId, senderId, sentAt, advancesSender } of isNew ? group.messages : fresh) {
    if (senderId !== userId || sentAt === null || joinedAt === null || sentAt <= joinedAt) continue;
    const record = {
      isFirst: true,
      isTheirs: true,
      isShownAsRead: false,
      advances: advancesSender,
      isAmongSeveral: false,
    };
    if (rules.movesSender(record) === 'never') continue;
    moved = advance(
      moved,
      upTo(messageId, rules.isHidden(moved, 'sending') ? privately(ALL) : ALL),
      (what) => new Moment(operation, `${group.groupId} ${userId} ${what} ${messageId}`, 'none'),
    );
  }
  return moved === member ? group : withMember(group, moved);
}
