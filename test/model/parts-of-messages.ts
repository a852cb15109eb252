import { larger, memberOf, withMember } from './model.ts';
import type { RequestOf } from './operations.ts';
import { type Part, partsFor, pieceOfEntry, problem, SILENT } from './part.ts';
import { possibleSenders, record, type Sent, withoutMessage } from './recording.ts';
import type { Rules } from './rules.ts';

/** The parts of the operations that record and delete messages. */

export function partsOfRecord(operation: RequestOf<'record'>, number: number, rules: Rules): readonly Part[] {
  const { writes } = partsFor(number, rules);
  const { groupId, messageId, senderId } = operation;
  const records = writes(groupId, [], (group, view) => {
    const [changed, outcome] = record(group, operation, number, rules);
    if (outcome === 'conflict') return [changed, problem(409, 'conflict')];
    // If the group is deleted at the same time, the head may be read after that.
    const { head } = view.deletions > group.deletions ? view : group;
    const body = {
      groupId,
      messageId: messageId.toString(),
      head: larger(head, messageId).toString(),
    };
    return [changed, { status: outcome === 'recorded' ? 201 : 200, body }];
  });
  const sent = { messageIds: [messageId], isAmongSeveral: false };
  return [
    { ...records, changesMessages: true },
    { ...movesSender(groupId, senderId, sent, number, rules), follows: true },
  ];
}

/** Each message is recorded separately. In a group, the senders read up to their messages after all of these. */
export function partsOfRecords(
  { messages }: RequestOf<'record several'>,
  number: number,
  rules: Rules,
): readonly Part[] {
  const { writes, answersWith } = partsFor(number, rules);
  const groupIds = new Set(messages.map(({ groupId }) => groupId));
  const inOrder = messages.map(({ groupId, messageId }) => ({ groupId, messageId: messageId.toString() }));
  const partsInGroup = (groupId: string): Part[] => {
    const sendings = [...messages.entries()].filter(([, sending]) => sending.groupId === groupId);
    const senderIds = new Set(sendings.map(([, { senderId }]) => senderId));
    const records = sendings.map(([index, sending]) => ({
      ...writes(
        groupId,
        [],
        (group) => {
          const [changed, outcome] = record(group, sending, number, rules);
          return [changed, { outcome }];
        },
        pieceOfEntry(index),
      ),
      changesMessages: true,
    }));
    const moves = [...senderIds].map((senderId) => {
      const own = sendings.filter(([, sending]) => sending.senderId === senderId);
      const sent = { messageIds: own.map(([, { messageId }]) => messageId), isAmongSeveral: true };
      return movesSender(groupId, senderId, sent, number, rules);
    });
    return [...records, ...moves].map((part, index) => ({ ...part, follows: index > 0 }));
  };
  return [answersWith({ status: 200, inOrder }), ...[...groupIds].flatMap(partsInGroup)];
}

/** The sender of messages that this operation has recorded reads up to them. */
function movesSender(groupId: string, senderId: string, sent: Sent, number: number, rules: Rules): Part {
  const { mayWrite } = partsFor(number, rules);
  return mayWrite(
    groupId,
    [senderId],
    (group, _view, learned) => {
      const member = memberOf(group, senderId);
      const possible =
        member === undefined
          ? [group]
          : possibleSenders(group, member, sent, number, rules).map((moved) => withMember(group, moved));
      return possible.map((changed) => ({ group: changed, learned, expected: null }));
    },
    SILENT,
  );
}

export function partsOfDelete(
  { groupId, messageId }: RequestOf<'delete'>,
  number: number,
  rules: Rules,
): readonly Part[] {
  const { writes } = partsFor(number, rules);
  const deletes = writes(groupId, [], (group) => [
    {
      ...group,
      head: rules.headAfterDeleting(group, messageId),
      messages: withoutMessage(group.messages, messageId),
    },
    { status: 204, body: null },
  ]);
  return [{ ...deletes, changesMessages: true }];
}
