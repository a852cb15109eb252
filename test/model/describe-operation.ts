import type { Fact } from './model.ts';
import type { IfRevision, OperationWith } from './operations.ts';

/** The operation as one line of text. */
export function describeOperation(operation: OperationWith<IfRevision>): string {
  switch (operation.kind) {
    case 'join':
      return `${operation.userId} joins ${operation.groupId}${listed(operation)}`;
    case 'leave':
      return `${operation.userId} leaves ${operation.groupId}`;
    case 'get watermark':
      return `${operation.userId} reads the watermark in ${operation.groupId}${listed(operation)}`;
    case 'add members':
      return `${operation.userIds.join(', ')} join ${operation.groupId} in one call`;
    case 'list members':
      return `the members of ${operation.groupId}${listed(operation)}`;
    case 'record': {
      const { senderId, messageId, groupId, sentAt, attributes } = operation;
      return `${senderId} sends ${messageId} to ${groupId}${listed({ sentAt, ...attributes })}`;
    }
    case 'record several': {
      const messages = operation.messages.map(
        ({ groupId, messageId, senderId, attributes }) =>
          `${senderId} sends ${messageId} to ${groupId}${listed(attributes)}`,
      );
      return `in one call ${messages.join(', ')}`;
    }
    case 'delete':
      return `${operation.messageId} is deleted in ${operation.groupId}`;
    case 'mark':
      return `${operation.userId} marks ${operation.groupId} up to ${operation.messageId}${listed(operation)}`;
    case 'mark unread':
      return `${operation.userId} marks ${operation.groupId} unread from ${operation.messageId}${listed(operation)}`;
    case 'mark delivered':
      return `${operation.userId} marks ${operation.groupId} delivered up to ${operation.messageId}${listed(operation)}`;
    case 'mark several': {
      const marks = operation.marks.map((mark) => `${mark.groupId} up to ${mark.messageId}${listed(mark)}`);
      return `${operation.userId} marks at once ${marks.join(', ')}${listed(operation)}`;
    }
    case 'get status':
      return `${operation.userId} reads in ${operation.groupId} the status of ${operation.messageIds.join(', ')}${listed(operation)}`;
    case 'count receipts':
      return `${operation.userId} counts in ${operation.groupId} the receipts of ${operation.messageIds.join(', ')}${listed(operation)}`;
    case 'inbox':
      return `the inbox of ${operation.userId}${listed(operation)}`;
    case 'mark all':
      return `${operation.userId} marks all groups${listed(operation)}`;
    case 'get badge':
      return `the badge of ${operation.userId}${listed(operation)}`;
    case 'count badges':
      return `the badges of ${operation.userIds.join(', ')}`;
    case 'list receipts': {
      const { userId, groupId, messageId } = operation;
      return `${userId} lists in ${groupId} the receipts of ${messageId}${listed(operation)}`;
    }
    case 'send malformed':
      return `${operation.userId} sends a malformed request in ${operation.groupId}: ${operation.mistake.name}`;
    case 'facts':
      return `the chat puts facts of ${operation.groupId} on the bus: ${operation.facts.map(describeFact).join(', ')}`;
    case 'get preferences':
      return `${operation.userId} reads the preferences in ${operation.groupId}${listed(operation)}`;
    case 'set preferences':
      return `${operation.userId} sets preferences in ${operation.groupId}${listed({ ...operation.patch, by: operation.by })}`;
    case 'get group':
      return `the settings of ${operation.groupId}`;
    case 'delete group':
      return `the group ${operation.groupId} is deleted`;
    case 'set group':
      return `the chat sets ${operation.groupId}${listed(operation)}`;
    case 'export':
      return `all that is stored of ${operation.userId}`;
    case 'erase user':
      return `${operation.userId} is erased`;
    case 'turn clock':
      return `the clock is turned by ${operation.advanceSeconds} seconds`;
    case 'flush':
      return 'the cache is emptied';
    case 'evict':
      return `the cache loses some of ${operation.groupId}: ${operation.picks.join(', ')}`;
  }
}

function describeFact(fact: Fact): string {
  switch (fact.kind) {
    case 'sent':
      return `${fact.senderId} sends ${fact.messageId} at ${fact.at}${listed(fact.attributes)}`;
    case 'deleted':
      return `${fact.messageId} is deleted`;
    case 'joined':
      return `${fact.userId} joins at ${fact.at}${listed(fact)}`;
    case 'left':
      return `${fact.userId} leaves at ${fact.at}`;
  }
}

/** What is listed after an operation if it is given, in this order. */
const OPTIONS = [
  'joinedAfter',
  'isPrivate',
  'ifRevision',
  'isDelivered',
  'by',
  'state',
  'unreadOnly',
  'limit',
  'sentAt',
  'silent',
  'mentions',
  'advanceSender',
  'remindAfterSeconds',
  'notify',
  'mutedUntil',
  'hideReceipts',
  'archive',
  'parentId',
  'archived',
  'unmutedOnly',
  'receipts',
] as const;

function listed(options: { readonly [name in (typeof OPTIONS)[number]]?: unknown }): string {
  const shown = OPTIONS.filter((name) => options[name] !== undefined && options[name] !== 'user');
  return shown.length === 0 ? '' : ` (${shown.map((name) => `${name}: ${options[name]}`).join(', ')})`;
}
