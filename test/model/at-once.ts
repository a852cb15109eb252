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
  const aimed = fc.tuple(anOperation, fc.integer({ min: 0, max: 3 }));
  return fc
    .tuple(user, anyGroup, fc.array(aimed, { minLength: 2, maxLength: 4, size: 'max' }))
    .map(([userId, groupId, operations]) => {
      const step: Operation[] = [];
      for (const [operation, aim] of operations) {
        const there =
          'groupId' in operation && aim > 0 && mayBeIn(groupId, operation)
            ? { ...operation, groupId }
            : operation;
        const atThem = 'userId' in there && aim > 1 ? { ...there, userId } : there;
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

/**
 * Whether the contract determines the possible answers if both run at once. It does if each reads or changes one
 * member, and if several groups are read one by one. The exceptions:
 *
 * - A list of members and a receipt are about many members, even over several pages, and need not be of one moment.
 *   So nothing that others can see may move in the meantime; private moves and other groups may.
 * - Nothing else runs while a user is erased, while all that is stored of a user is read, or while reminders are sent.
 * - A badge is the sum over many groups, which need not be of one moment: so nothing else runs.
 * - A join of several users need not happen at one head, and its answer has their number, not their names.
 * - Two records of one message return which was first, and each returns a head, of two moments if a third message
 *   moves the head in between. So all messages recorded at once are different, or all are the same.
 */
function mayRunTogether(one: Operation, other: Operation): boolean {
  return isDeterminate(one, other) && isDeterminate(other, one);
}

function isDeterminate(one: Operation, other: Operation): boolean {
  if (one.kind === 'get badge' || one.kind === 'count badges') return false;
  if (one.kind === 'delete group' || one.kind === 'erase user' || one.kind === 'export') return false;
  if (one.kind === 'turn clock') return false;
  if (one.kind === 'list members' || one.kind === 'list receipts' || one.kind === 'count receipts') {
    return !movesWhatOthersSee(other, one.groupId);
  }
  if (one.kind === 'add members') {
    switch (other.kind) {
      case 'join':
      case 'leave':
      case 'record':
      case 'add members':
        return other.groupId !== one.groupId;
      case 'record several':
        return other.messages.every(({ groupId }) => groupId !== one.groupId);
      default:
        return true;
    }
  }
  if (recordsOneOf(one, other)) return false;
  // Each of its groups is read or marked separately: two such operations have too many orders to try.
  return !isAboutMany(one) || !isAboutMany(other);
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

const recordedBy = (operation: Operation): readonly { groupId: string; messageId: bigint }[] => {
  if (operation.kind === 'record') return [operation];
  return operation.kind === 'record several' ? operation.messages : [];
};

const recordsOneOf = (one: Operation, other: Operation) =>
  recordedBy(one).some(({ groupId, messageId }) =>
    recordedBy(other).some((sent) => sent.groupId === groupId && sent.messageId === messageId),
  );

const isAboutMany = ({ kind }: Operation) => ABOUT_MANY.has(kind);
const ABOUT_MANY: ReadonlySet<Operation['kind']> = new Set([
  'inbox',
  'mark several',
  'mark all',
  'record several',
]);

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

/** The deletion of a group, and one or two operations of different users in it at the same time. */
export function deletionAtOnce(
  anOperation: fc.Arbitrary<Operation>,
  groupId: fc.Arbitrary<string>,
): fc.Arbitrary<Step> {
  return fc
    .tuple(groupId, fc.array(anOperation, { minLength: 1, maxLength: 2, size: 'max' }))
    .map(([deleted, operations]) => {
      const step: Operation[] = [{ kind: 'delete group', groupId: deleted }];
      const busy = new Set<string>();
      for (const operation of operations) {
        const there = inGroup(deleted, operation);
        const userIds = usersOf(there);
        if (!mayRunWithDeletion(there) || userIds.some((userId) => busy.has(userId))) continue;
        if (!step.slice(1).every((other) => mayRunTogether(other, there))) continue;
        step.push(there);
        for (const userId of userIds) busy.add(userId);
      }
      return step;
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

/** The same message, recorded by several calls at once. */
export function sameMessageAtOnce(setting: Setting): fc.Arbitrary<Step> {
  return fc
    .record({
      groupId: aGroupOfSome,
      messageId: aRecordedId(setting.ids),
      sendings: fc.array(
        fc.record({ senderId: fc.constantFrom(...SENDERS), attributes: anAttributes(setting) }),
        { minLength: 2, maxLength: 3 },
      ),
    })
    .map(({ sendings, ...message }) =>
      sendings.map((sending) => ({ kind: 'record', ...message, ...sending, sentAt: undefined })),
    );
}
