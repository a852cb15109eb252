import { badgeOf } from './badge.ts';
import { type Expected, type Learned, Moment } from './expected.ts';
import { exportedMembership } from './export.ts';
import { applyFacts } from './facts.ts';
import { fieldsOfEntry, isListed } from './inbox.ts';
import { join, leave } from './memberships.ts';
import { type Group, memberOf, messageOf } from './model.ts';
import type { OperationRequest } from './operations.ts';
import { expectedWatermark, ownViewAndHead } from './own-view.ts';
import {
  INVALID,
  idText,
  LEFT,
  MEMBERS,
  NOT_FOUND,
  type Part,
  partsFor,
  pieceOfBadge,
  pieceOfGroup,
  pieceOfView,
  RECEIPTS,
  SILENT,
  WHOLE,
} from './part.ts';
import {
  partsOfMark,
  partsOfMarkAll,
  partsOfMarkDelivered,
  partsOfMarks,
  partsOfMarkUnread,
} from './parts-of-marks.ts';
import { partsOfDelete, partsOfRecord, partsOfRecords } from './parts-of-messages.ts';
import { expectedPreferences, setPreferences } from './preferences.ts';
import { expectedCounts, expectedReceipts } from './receipts.ts';
import { remind } from './reminding.ts';
import { RULES, type Rules } from './rules.ts';
import { expectedSettings, setGroup } from './settings.ts';

/** The parts of an operation, in an order that is possible if nothing else runs. */
export function partsOf(operation: OperationRequest, number: number, rules: Rules): readonly Part[] {
  const { reads, readsAll, mayWrite, writes, writesAll, answersWith } = partsFor(number, rules);
  const afterJoining = (group: Group, userId: string, joinedAfter: bigint, learned: Learned) => {
    const membership = `${group.groupId} ${userId} ${number}`;
    return join(group, { userId, membership, joinedAt: null, joinedBy: number, joinedAfter }, learned, rules);
  };

  switch (operation.kind) {
    case 'join': {
      const { groupId, userId, joinedAfter } = operation;
      return [
        writes(groupId, [], (group, { headBefore }, learned) => {
          const member = memberOf(group, userId);
          if (member !== undefined) {
            return [
              group,
              { status: 200, body: { groupId, userId, joinedAfter: idText(member.joinedAfter) } },
            ];
          }
          const from = joinedAfter ?? headBefore;
          return [
            afterJoining(group, userId, from, learned),
            { status: 201, body: { groupId, userId, joinedAfter: idText(from) } },
          ];
        }),
      ];
    }
    case 'add members': {
      const { groupId, userIds } = operation;
      return [
        writes(groupId, [], (group, { headBefore }, learned) => {
          const added = userIds.filter((userId) => memberOf(group, userId) === undefined);
          return [
            added.reduce((sofar, userId) => afterJoining(sofar, userId, headBefore, learned), group),
            { status: 200, body: { added: added.length, existing: userIds.length - added.length } },
          ];
        }),
      ];
    }
    case 'leave': {
      const { groupId, userId } = operation;
      const leftAt = new Moment(number, `${groupId} ${userId} left`);
      return [writes(groupId, [], (group) => [leave(group, userId, leftAt), { status: 204, body: null }])];
    }
    case 'list members':
      return [reads(operation.groupId, 'all', expectedMembers)];
    case 'record':
      return partsOfRecord(operation, number, rules);
    case 'record several':
      return partsOfRecords(operation, number, rules);
    case 'delete':
      return partsOfDelete(operation, number, rules);
    case 'mark':
      return partsOfMark(operation, number, rules);
    case 'mark unread':
      return partsOfMarkUnread(operation, number, rules);
    case 'mark delivered':
      return partsOfMarkDelivered(operation, number, rules);
    case 'mark several':
      return partsOfMarks(operation, number, rules);
    case 'mark all':
      return partsOfMarkAll(operation, number, rules);
    case 'get watermark': {
      const { groupId, userId } = operation;
      return [reads(groupId, [userId], (group, view) => expectedWatermark(group, userId, view, rules))];
    }
    case 'get status': {
      const { groupId, userId, messageIds } = operation;
      return [
        reads(groupId, [userId], (group, { messages }) => {
          const member = memberOf(group, userId);
          if (member === undefined) return NOT_FOUND;
          return {
            status: 200,
            body: {
              groupId,
              watermark: idText(member.own),
              statuses: messageIds.map((messageId) => ({
                messageId: messageId.toString(),
                read: rules.isRead(messageId, messageOf(messages, messageId), member),
              })),
            },
          };
        }),
      ];
    }
    case 'inbox': {
      const { userId, among } = operation;
      return [
        answersWith({ status: 200, inOrder: true, others: [] }),
        ...among.map((groupId) =>
          reads(
            groupId,
            [userId],
            (group, view) => {
              const member = memberOf(group, userId);
              if (member === undefined || !isListed(group, member, operation, view, rules)) return null;
              const { readAt: _readAt, ...entry } = ownViewAndHead(member, view, rules);
              return { groupId, ...entry, ...fieldsOfEntry(group, member, view, rules) };
            },
            pieceOfGroup(groupId),
          ),
        ),
      ];
    }
    case 'get badge': {
      const { userId } = operation;
      return [readsAll(userId, (state) => ({ status: 200, body: badgeOf(state, userId, rules) }))];
    }
    case 'count badges': {
      const { userIds } = operation;
      return [
        answersWith({ status: 200, userIds }),
        ...userIds.map((userId) =>
          readsAll(userId, (state) => badgeOf(state, userId, rules), pieceOfBadge(userId)),
        ),
      ];
    }
    case 'list receipts': {
      const { groupId, userId, messageId, state = 'read' } = operation;
      return [reads(groupId, 'all', (group) => expectedReceipts(group, userId, messageId, state, rules))];
    }
    case 'count receipts': {
      const { groupId, userId, messageIds } = operation;
      return [reads(groupId, 'all', (group) => expectedCounts(group, userId, messageIds, rules))];
    }
    case 'facts': {
      const { groupId, facts, watcherId, userIds, messageIds } = operation;
      return [
        writes(
          groupId,
          [],
          (group, _view, learned) => [applyFacts(group, facts, number, learned, rules), null],
          SILENT,
        ),
        reads(groupId, 'all', expectedMembers, MEMBERS),
        ...(messageIds.length === 0
          ? []
          : [
              reads(groupId, 'all', (group) => expectedCounts(group, watcherId, messageIds, rules), RECEIPTS),
            ]),
        ...userIds.map((userId) =>
          reads(
            groupId,
            [userId],
            (group, view) => expectedWatermark(group, userId, view, rules),
            pieceOfView(userId),
          ),
        ),
      ];
    }
    case 'get preferences': {
      const { groupId, userId } = operation;
      return [
        reads(groupId, [userId], (group, view) => {
          const member = memberOf(group, userId);
          return member === undefined ? NOT_FOUND : expectedPreferences(groupId, member, view, rules);
        }),
      ];
    }
    case 'set preferences': {
      const { groupId, userId, patch } = operation;
      return [
        mayWrite(groupId, [userId], (group, view, learned) => {
          const member = memberOf(group, userId);
          if (member === undefined) return [{ group, learned, expected: NOT_FOUND }];
          return setPreferences(group, member, patch, view, learned, number, rules);
        }),
      ];
    }
    case 'get group':
      return [reads(operation.groupId, [], expectedSettings)];
    case 'set group':
      return [writes(operation.groupId, [], (group, view) => setGroup(group, operation, view, rules))];
    case 'delete group': {
      // The contract says what holds from the answer on. An operation that runs at the same time may find the group deleted
      // already, and what it does may be deleted too.
      const deletes = (piece: string) => ({
        ...writes(
          operation.groupId,
          [],
          (group) => [rules.afterDeletingGroup(group), { status: 202, body: null }],
          piece,
        ),
        changesMessages: true,
      });
      return [deletes(SILENT), { ...deletes(WHOLE), follows: true }];
    }
    case 'export': {
      const { userId, among } = operation;
      return [
        answersWith({
          status: 200,
          body: { userId, connections: [], erasures: [], unreadable: [] },
          areDistinct: true,
          others: [],
        }),
        ...among.map((groupId) =>
          reads(
            groupId,
            [userId],
            (group, _view, learned) => exportedMembership(group, userId, learned, rules),
            pieceOfGroup(groupId),
          ),
        ),
      ];
    }
    case 'erase user': {
      const { userId } = operation;
      const nothing = { userId, memberships: [], connections: [], erasures: [], unreadable: [] };
      const left: Expected = {
        event: { version: '1', userId },
        exported: { status: 200, body: nothing },
      };
      return [
        writesAll((group) => rules.afterErasing(group, userId), { status: 202, body: null }),
        answersWith(left, LEFT),
      ];
    }
    case 'turn clock': {
      const { advanceSeconds, among } = operation;
      return [
        answersWith({ status: 200, others: [] }),
        ...among.map((groupId) => ({
          ...writes(groupId, [], (group) => remind(group, advanceSeconds, rules), pieceOfGroup(groupId)),
          touches: 'all' as const,
        })),
      ];
    }
    case 'evict':
      // The model has no cache. This matters only to a model that is wrong on purpose.
      return rules.afterEviction === RULES.afterEviction
        ? []
        : [writes(operation.groupId, [], (group) => [rules.afterEviction(group), null], SILENT)];
    case 'flush':
      return [];
    case 'send malformed':
      return [answersWith(INVALID)];
  }
}

/** The members of a group, and what others see of them. */
const expectedMembers = (group: Group): Expected => ({
  status: 200,
  body: {
    members: group.members.map(({ userId, shown, joinedAfter }) => ({
      userId,
      messageId: idText(shown),
      joinedAfter: idText(joinedAfter),
    })),
  },
});
