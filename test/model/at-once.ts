import fc from 'fast-check';
import {
  aGroupOfSome,
  anAttributes,
  aRecordedId,
  GROUPS_OF_FACTS,
  SENDERS,
  type Setting,
  user,
} from './choices.ts';
import type { Operation, Step } from './operations.ts';

/** Several operations at once, most of them on the same user and in the same group. */
export function severalAtOnce(
  anOperation: fc.Arbitrary<Operation>,
  anyGroup: fc.Arbitrary<string>,
): fc.Arbitrary<Step> {
  const aimed = fc.tuple(anOperation, fc.constantFrom('neither', 'group', 'both', 'both'));
  return fc
    .tuple(user, anyGroup, fc.array(aimed, { minLength: 2, maxLength: 4, size: 'max' }))
    .map(([userId, groupId, operations]) => {
      const step: Operation[] = [];
      for (const [operation, aim] of operations) {
        const there =
          'groupId' in operation && aim !== 'neither' && mayBeIn(groupId, operation)
            ? { ...operation, groupId }
            : operation;
        const atThem = 'userId' in there && aim === 'both' ? { ...there, userId } : there;
        if (step.every((other) => mayRunTogether(other, atThem))) step.push(atThem);
      }
      return step;
    });
}

/** In a group of facts, only facts let users join, leave or send, and it is not deleted. */
function mayBeIn(groupId: string, { kind }: Operation): boolean {
  const isOfFacts = GROUPS_OF_FACTS.some((ofFacts) => ofFacts === groupId);
  return !isOfFacts || !['join', 'add members', 'leave', 'record', 'delete group'].includes(kind);
}

/** The same message, recorded by several calls at once. */
export function sameMessageAtOnce(setting: Setting): fc.Arbitrary<Step> {
  const sending = fc.record({ senderId: fc.constantFrom(...SENDERS), attributes: anAttributes(setting) });
  return fc
    .record({
      groupId: aGroupOfSome,
      messageId: aRecordedId(setting.ids),
      sendings: fc.array(sending, { minLength: 2, maxLength: 3 }),
    })
    .map(({ sendings, ...message }) =>
      sendings.map((one) => ({ kind: 'record', ...message, ...one, sentAt: undefined })),
    );
}

/** The deletion of a group, and one or two operations of different users in it at the same time. */
export function deletionAtOnce(
  anOperation: fc.Arbitrary<Operation>,
  groupId: fc.Arbitrary<string>,
): fc.Arbitrary<Step> {
  return fc
    .tuple(groupId, fc.array(anOperation, { minLength: 1, maxLength: 2, size: 'max' }))
    .map(([deleted, operations]) => {
      const others: Operation[] = [];
      const busy = new Set<string>();
      for (const operation of operations) {
        const there = inGroup(deleted, operation);
        const userIds = usersOf(there);
        if (!mayRunWithDeletion(there) || userIds.some((userId) => busy.has(userId))) continue;
        if (!others.every((other) => mayRunTogether(other, there))) continue;
        others.push(there);
        for (const userId of userIds) busy.add(userId);
      }
      return [{ kind: 'delete group', groupId: deleted }, ...others];
    });
}

/** The operation in this group, if it is about one group; each of its entries, if it is about several. */
function inGroup(groupId: string, operation: Operation): Operation {
  if (operation.kind === 'record several') {
    return { ...operation, messages: operation.messages.map((message) => ({ ...message, groupId })) };
  }
  if (operation.kind === 'mark several') {
    return { ...operation, marks: operation.marks.map((mark) => ({ ...mark, groupId })) };
  }
  return 'groupId' in operation ? { ...operation, groupId } : operation;
}

/** The users whose registers the operation reads or moves. */
function usersOf(operation: Operation): readonly string[] {
  if (operation.kind === 'record') return [operation.senderId];
  if (operation.kind === 'record several') return operation.messages.map(({ senderId }) => senderId);
  return 'userId' in operation ? [operation.userId] : [];
}

/**
 * Whether the contract determines the possible answers if the group is deleted at the same time: the operation comes
 * before or after the deletion.
 */
function mayRunWithDeletion({ kind }: Operation): boolean {
  switch (kind) {
    case 'list members':
    case 'list receipts':
    case 'count receipts':
    case 'get badge':
    case 'count badges':
    case 'add members':
    case 'delete group':
    case 'erase user':
    case 'export':
    case 'turn clock':
    // It lists the groups first: then one of them may be left out or not found.
    case 'mark all':
      return false;
    default:
      return true;
  }
}

/** Whether the contract determines the possible answers of both operations if they run at once. */
const mayRunTogether = (one: Operation, other: Operation) =>
  isDetermined(one, other) && isDetermined(other, one);

/**
 * Whether the contract determines the possible answers of the operation if the other one runs at the same time. It does if
 * each reads or changes one member, and if several groups are read one by one.
 */
function isDetermined(operation: Operation, other: Operation): boolean {
  switch (operation.kind) {
    // A badge is the sum over many groups, which need not be of one moment.
    case 'get badge':
    case 'count badges':
    // Nothing else runs while a user is erased, while all that is stored of a user is read, or while reminders are sent.
    case 'erase user':
    case 'export':
    case 'turn clock':
    // See `deletionAtOnce`.
    case 'delete group':
      return false;
    // These are about many members, even over several pages, and need not be of one moment. So nothing that others can see
    // may move in the meantime; private moves and other groups may.
    case 'list members':
    case 'list receipts':
    case 'count receipts':
      return !movesWhatOthersSee(other, operation.groupId);
    // Users that join in one call need not join at one head, and the answer has their number, not their names.
    case 'add members':
      return !changesHeadOrMembers(other, operation.groupId);
    // Two records of one message return which was first, and each returns a head, of two moments if a third message
    // moves the head in between. So all messages that are recorded at once are different, or all are the same.
    case 'record':
      return !recordsOneOf(operation, other);
    // Each group is read or marked separately: two such operations have too many orders to try.
    case 'record several':
      return !isAboutManyGroups(other) && !recordsOneOf(operation, other);
    case 'inbox':
    case 'mark several':
    case 'mark all':
      return !isAboutManyGroups(other);
    default:
      return true;
  }
}

const isAboutManyGroups = ({ kind }: Operation) =>
  ['inbox', 'mark several', 'mark all', 'record several'].includes(kind);

const recordsOneOf = (one: Operation, other: Operation) =>
  recordedBy(one).some(({ groupId, messageId }) =>
    recordedBy(other).some((sent) => sent.groupId === groupId && sent.messageId === messageId),
  );

function recordedBy(operation: Operation): readonly { groupId: string; messageId: bigint }[] {
  if (operation.kind === 'record') return [operation];
  return operation.kind === 'record several' ? operation.messages : [];
}

function changesHeadOrMembers(operation: Operation, groupId: string): boolean {
  switch (operation.kind) {
    case 'join':
    case 'leave':
    case 'record':
    case 'add members':
      return operation.groupId === groupId;
    case 'record several':
      return operation.messages.some((message) => message.groupId === groupId);
    default:
      return false;
  }
}

function movesWhatOthersSee(operation: Operation, groupId: string): boolean {
  switch (operation.kind) {
    case 'join':
    case 'add members':
    case 'leave':
    case 'record':
    case 'delete':
    case 'mark delivered':
    case 'set group':
      return operation.groupId === groupId;
    case 'mark':
      return operation.groupId === groupId && operation.isPrivate !== true;
    case 'mark several':
      return operation.marks.some((mark) => mark.groupId === groupId && mark.isPrivate !== true);
    case 'record several':
      return operation.messages.some((message) => message.groupId === groupId);
    case 'mark all':
    case 'facts':
      return true;
    default:
      return false;
  }
}
