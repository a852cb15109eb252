import { type Expected, OneOf } from './expected.ts';
import { type Group, isRecorded, type Message, memberOf, messageOf } from './model.ts';
import { NOT_FOUND, RECEIPTS_OFF } from './part.ts';
import type { Rules } from './rules.ts';

/** The members that a message is for, and those of them that have read it, have it delivered, or have not read it. */
function receiptsOf(group: Group, message: Message, rules: Rules) {
  const audience = rules.audience(group, message);
  return {
    audience,
    read: audience.filter((member) => member.shown >= message.messageId),
    delivered: audience.filter((member) => member.delivered >= message.messageId),
    unread: audience.filter((member) => member.shown < message.messageId),
  };
}

/** The message, if receipts of it exist. */
function knownMessage(group: Group, messageId: bigint): Message | undefined {
  const message = messageOf(group.messages, messageId);
  return message === undefined || !isRecorded(message) || message.deleted ? undefined : message;
}

/** The answer to a member that counts the receipts of several messages. */
export function expectedCounts(
  group: Group,
  userId: string,
  messageIds: readonly bigint[],
  rules: Rules,
): Expected {
  if (memberOf(group, userId) === undefined) return NOT_FOUND;
  const { groupId, receipts: policy } = group;
  if (policy === 'off' && !rules.mayRead({ policy, isSender: true, isList: false })) return RECEIPTS_OFF;
  const receipts = messageIds.map((messageId): Expected => {
    const message = knownMessage(group, messageId);
    const isSender = message?.senderId === userId;
    if (message === undefined || !rules.mayRead({ policy, isSender, isList: false })) {
      return { messageId: messageId.toString(), known: false };
    }
    const { audience, read, delivered } = receiptsOf(group, message, rules);
    return {
      messageId: messageId.toString(),
      known: true,
      audience: audience.length,
      readCount: read.length,
      deliveredCount: delivered.length,
      readByAll: audience.length > 0 && read.length === audience.length,
    };
  });
  return { status: 200, body: { groupId, receipts } };
}

/** The answer to a member that lists the receipts of a message. */
export function expectedReceipts(
  group: Group,
  userId: string,
  messageId: bigint,
  state: 'read' | 'unread' | 'delivered',
  rules: Rules,
): Expected {
  if (memberOf(group, userId) === undefined) return NOT_FOUND;
  const isSender = messageOf(group.messages, messageId)?.senderId === userId;
  const isRefused = !rules.mayRead({ policy: group.receipts, isSender, isList: true });
  const message = knownMessage(group, messageId);
  // The contract does not say which of the two comes first.
  if (message === undefined) return isRefused ? new OneOf(NOT_FOUND, RECEIPTS_OFF) : NOT_FOUND;
  if (isRefused) return RECEIPTS_OFF;
  const receipts = receiptsOf(group, message, rules);
  return {
    status: 200,
    body: {
      groupId: group.groupId,
      messageId: messageId.toString(),
      senderId: message.senderId,
      audience: receipts.audience.length,
      readCount: receipts.read.length,
      deliveredCount: receipts.delivered.length,
      members: receipts[state].map((member) => ({
        userId: member.userId,
        at: state === 'delivered' ? member.deliveredAt : member.shownAt,
      })),
    },
  };
}
