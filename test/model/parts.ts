import { badgeOf } from './badge.ts';
import { exportedMembership } from './export.ts';
import { applyFacts } from './facts.ts';
import { fieldsOfEntry, isListed } from './inbox.ts';
import {
  advance,
  type Expected,
  type Group,
  isRecorded,
  join,
  keyOfRevision,
  type Learned,
  larger,
  leave,
  MAX_ID,
  type Member,
  type Message,
  Moment,
  type Moves,
  memberOf,
  messageOf,
  OneOf,
  Optional,
  RULES,
  type Rules,
  revisionOf,
  upTo,
  type View,
  withMember,
} from './model.ts';
import type { OperationRequest } from './operations.ts';
import {
  INVALID,
  idText,
  LEFT,
  MEMBERS,
  NOT_FOUND,
  type Part,
  partsFor,
  pieceOfBadge,
  pieceOfEntry,
  pieceOfGroup,
  pieceOfView,
  problem,
  RECEIPTS,
  RECEIPTS_OFF,
  SILENT,
  shownRevision,
  WHOLE,
} from './part.ts';
import { expectedPreferences, setPreferences } from './preferences.ts';
import { possibleSenders, record, type Sent, withoutMessage } from './recording.ts';
import { remind } from './reminding.ts';
import { expectedSettings, setGroup } from './settings.ts';
import { expectedUnread, MAX_UNREAD, unreadOf } from './unread.ts';

/** One mark, of a route or of an entry of a batch. */
interface Mark {
  readonly messageId: bigint;
  readonly isPrivate?: boolean | undefined;
  readonly ifRevision?: number | undefined;
  readonly isDelivered?: boolean | undefined;
}

interface Marked {
  readonly group: Group;
  readonly member: Member;
  readonly advanced: boolean;
  readonly clamped: boolean;
  readonly stale: boolean;
}

/**
 * If the first revision of a membership is not known yet, the marks may have the current revision or not: one
 * possibility for each.
 */
function possibleRevisions(
  member: Member,
  learned: Learned,
  ifRevisions: readonly (number | undefined)[],
): readonly { member: Member; learned: Learned }[] {
  const { base, raises, membership } = member;
  if (typeof base === 'number' || revisionOf(member, learned) !== null) return [{ member, learned }];
  const firsts = new Set(
    ifRevisions.flatMap((ifRevision) => (ifRevision === undefined ? [] : [ifRevision - raises])),
  );
  const possible = [...firsts].filter((first) => first > base.above && !base.isNone.includes(first));
  return [
    { member: { ...member, base: { ...base, isNone: [...base.isNone, ...possible] } }, learned },
    ...possible.map((first) => ({ member, learned: { ...learned, [keyOfRevision(membership)]: first } })),
  ];
}

/** The parts of an operation, in an order that is possible if nothing else runs. */
export function partsOf(operation: OperationRequest, number: number, rules: Rules = RULES): readonly Part[] {
  const { reads, readsAll, mayWrite, writes, writesAll, endsWith, answersWith } = partsFor(number, rules);
  const unread = (member: Member, view: View) =>
    expectedUnread(unreadOf(view, member, MAX_UNREAD, rules));
  const ownView = (member: Member, view: View): Record<string, Expected> => ({
    messageId: idText(member.own),
    readAt: member.ownAt,
    revision: shownRevision(member),
    unread: unread(member, view),
  });
  const withHead = (member: Member, view: View): Record<string, Expected> => ({
    ...ownView(member, view),
    head: idText(view.head),
  });
  const counts = (group: Group, message: Message) => {
    const audience = rules.audience(group, message);
    const read = audience.filter((member) => member.shown >= message.messageId);
    const delivered = audience.filter((member) => member.delivered >= message.messageId);
    const unreadBy = audience.filter((member) => member.shown < message.messageId);
    return { audience, read, delivered, unread: unreadBy };
  };
  const listMembers = (group: Group): Expected => ({
    status: 200,
    body: {
      members: group.members.map(({ userId, shown, joinedAfter }) => ({
        userId,
        messageId: idText(shown),
        joinedAfter: idText(joinedAfter),
      })),
    },
  });
  const watermark = (group: Group, userId: string, view: View): Expected => {
    const member = memberOf(group, userId);
    if (member === undefined) return NOT_FOUND;
    return { status: 200, body: { groupId: group.groupId, userId, ...withHead(member, view) } };
  };
  const receiptsOfSeveral = (group: Group, userId: string, messageIds: readonly bigint[]): Expected => {
    if (memberOf(group, userId) === undefined) return NOT_FOUND;
    const policy = group.receipts;
    if (policy === 'off' && !rules.mayRead({ policy, isSender: true, isList: false })) return RECEIPTS_OFF;
    const receipts = messageIds.map((messageId): Expected => {
      const message = messageOf(group.messages, messageId);
      const isSender = message?.senderId === userId;
      if (
        message === undefined ||
        !isRecorded(message) ||
        message.deleted ||
        !rules.mayRead({ policy, isSender, isList: false })
      ) {
        return { messageId: messageId.toString(), known: false };
      }
      const { audience, read, delivered } = counts(group, message);
      return {
        messageId: messageId.toString(),
        known: true,
        audience: audience.length,
        readCount: read.length,
        deliveredCount: delivered.length,
        readByAll: audience.length > 0 && read.length === audience.length,
      };
    });
    return { status: 200, body: { groupId: group.groupId, receipts } };
  };

  const joining = (group: Group, userId: string, joinedAfter: bigint, learned: Learned) =>
    join(
      group,
      {
        userId,
        membership: `${group.groupId} ${userId} ${number}`,
        joinedAt: null,
        joinedBy: number,
        joinedAfter,
      },
      learned,
      rules,
    );
  /** The sender of messages that this operation has recorded reads up to them. */
  const movesSender = (groupId: string, senderId: string, sent: Sent) =>
    mayWrite(
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
  const mark = (
    group: Group,
    member: Member,
    comparedTo: Member,
    given: Mark,
    head: bigint,
    learned: Learned,
    inBatch: boolean,
  ): Marked => {
    const { messageId, isPrivate, ifRevision, isDelivered } = given;
    const target = rules.clamp(messageId, head);
    const isChecked = ifRevision !== undefined && rules.checksRevision({ inBatch });
    const stale = isChecked && ifRevision !== revisionOf(comparedTo, learned);
    const moves: Moves =
      isDelivered === true
        ? { own: false, shown: false, delivered: true }
        : rules.moves({ isPrivate: isPrivate === true || rules.isHidden(member, 'reading'), stale });
    const now = (what: string) => new Moment(number, `${group.groupId} ${member.userId} ${what}`);
    const targets = upTo(target, moves);
    const clamped = target !== messageId;
    const note = {
      userId: member.userId,
      membership: member.membership,
      raises: member.raises,
      messageId,
      moves,
      dueSince: null,
    };
    const marked = advance(member, targets, now);
    return {
      group: {
        ...withMember(group, marked),
        notes: clamped && messageId !== MAX_ID ? [...group.notes, note] : group.notes,
      },
      member: marked,
      advanced: advance(comparedTo, targets, now) !== comparedTo,
      clamped,
      stale,
    };
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
            joining(group, userId, from, learned),
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
          const joined = added.reduce((sofar, userId) => joining(sofar, userId, headBefore, learned), group);
          return [
            joined,
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
      return [reads(operation.groupId, 'all', listMembers)];
    case 'record': {
      const { groupId, messageId, senderId } = operation;
      const message = writes(groupId, [], (group, view) => {
        const [changed, outcome] = record(group, operation, number, rules);
        // If the group is deleted at the same time, the head may be read after that.
        const { head } = view.deletions > group.deletions ? view : group;
        if (outcome === 'conflict') return [changed, problem(409, 'conflict')];
        const body = {
          groupId,
          messageId: messageId.toString(),
          head: larger(head, messageId).toString(),
        };
        return [changed, { status: outcome === 'recorded' ? 201 : 200, body }];
      });
      return [
        { ...message, changesMessages: true },
        {
          ...movesSender(groupId, senderId, { messageIds: [messageId], isAmongSeveral: false }),
          follows: true,
        },
      ];
    }
    case 'record several': {
      const { messages } = operation;
      const groupIds = [...new Set(messages.map(({ groupId }) => groupId))];
      const inOrder = messages.map(({ groupId, messageId }) => ({
        groupId,
        messageId: messageId.toString(),
      }));
      return [
        answersWith({ status: 200, inOrder }),
        ...groupIds.flatMap((groupId) => {
          const sendings = [...messages.entries()].filter(([, sending]) => sending.groupId === groupId);
          const senderIds = new Set(sendings.map(([, { senderId }]) => senderId));
          const parts = [
            ...sendings.map(([index, sending]) => ({
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
            })),
            ...[...senderIds].map((senderId) =>
              movesSender(groupId, senderId, {
                messageIds: sendings.flatMap(([, sending]) =>
                  sending.senderId === senderId ? [sending.messageId] : [],
                ),
                isAmongSeveral: true,
              }),
            ),
          ];
          return parts.map((part, index) => ({ ...part, follows: index > 0 }));
        }),
      ];
    }
    case 'delete': {
      const { groupId, messageId } = operation;
      const deletion = writes(groupId, [], (group) => [
        {
          ...group,
          head: rules.headAfterDeleting(group, messageId),
          messages: withoutMessage(group.messages, messageId),
        },
        { status: 204, body: null },
      ]);
      return [{ ...deletion, changesMessages: true }];
    }
    case 'mark': {
      const { groupId, userId, ifRevision } = operation;
      return [
        mayWrite(groupId, [userId], (group, { headBefore }, learned) => {
          const found = memberOf(group, userId);
          if (found === undefined) return [{ group, learned, expected: NOT_FOUND }];
          return possibleRevisions(found, learned, [ifRevision]).map((possible) => {
            const { member } = possible;
            const marked = mark(group, member, member, operation, headBefore, possible.learned, false);
            const result = { groupId, userId, advanced: marked.advanced, clamped: marked.clamped };
            return {
              group: marked.group,
              learned: possible.learned,
              expected: marked.stale
                ? problem(409, 'revision_conflict', result)
                : { status: 200, body: result },
            };
          });
        }),
        endsWith(groupId, userId, ownView),
      ];
    }
    case 'mark unread': {
      const { groupId, userId, messageId } = operation;
      return [
        writes(groupId, [userId], (group) => {
          const member = memberOf(group, userId);
          if (member === undefined) return [group, NOT_FOUND];
          const result: Expected = { status: 200, body: { groupId, userId } };
          const target = larger(member.joinedAfter, messageId - 1n);
          if (target >= member.own) return [group, result];
          const marked = {
            ...member,
            own: target,
            ownAt: new Moment(number, `${groupId} ${userId} own`),
            raises: member.raises + 1,
          };
          return [withMember(group, marked), result];
        }),
        endsWith(groupId, userId, withHead),
      ];
    }
    case 'mark delivered': {
      const { groupId, userId, messageId } = operation;
      return [
        writes(groupId, [userId], (group, { headBefore }, learned) => {
          const member = memberOf(group, userId);
          if (member === undefined) return [group, NOT_FOUND];
          const given = { messageId, isDelivered: true };
          const marked = mark(group, member, member, given, headBefore, learned, false);
          const result = { groupId, userId, advanced: marked.advanced, clamped: marked.clamped };
          return [marked.group, { status: 200, body: result }];
        }),
        endsWith(groupId, userId, (member) => ({ messageId: idText(member.delivered) })),
      ];
    }
    case 'mark several': {
      const { userId, marks } = operation;
      const groupIds = [...new Set(marks.map(({ groupId }) => groupId))];
      return [
        answersWith({ status: 200, groupIds: marks.map(({ groupId }) => groupId) }),
        ...groupIds.map((groupId) =>
          mayWrite(
            groupId,
            [userId],
            (group, { headBefore }, learned) => {
              const entries = marks.filter((entry) => entry.groupId === groupId);
              const found = memberOf(group, userId);
              if (found === undefined) {
                return [{ group, learned, expected: entries.map(() => ({ outcome: 'not_found' })) }];
              }
              const ifRevisions = entries.map(({ ifRevision }) => ifRevision);
              return possibleRevisions(found, learned, ifRevisions).map((possible) => {
                let changed = withMember(group, possible.member);
                let current = possible.member;
                const expected = entries.map((entry): Expected => {
                  const comparedTo = rules.comparesTo(current, possible.member);
                  const marked = mark(
                    changed,
                    current,
                    comparedTo,
                    entry,
                    headBefore,
                    possible.learned,
                    true,
                  );
                  changed = marked.group;
                  current = marked.member;
                  const outcome = marked.advanced ? 'advanced' : 'unchanged';
                  const revision = shownRevision(current);
                  return {
                    outcome: marked.stale ? 'conflict' : outcome,
                    messageId: idText(entry.isDelivered === true ? current.delivered : current.own),
                    revision: entry.isDelivered === true ? new Optional(revision) : revision,
                    clamped: marked.clamped,
                  };
                });
                return { group: changed, learned: possible.learned, expected };
              });
            },
            pieceOfGroup(groupId),
          ),
        ),
      ];
    }
    case 'get watermark': {
      const { groupId, userId } = operation;
      return [reads(groupId, [userId], (group, view) => watermark(group, userId, view))];
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
              const { readAt: _readAt, ...entry } = withHead(member, view);
              return { groupId, ...entry, ...fieldsOfEntry(group, member, view, rules) };
            },
            pieceOfGroup(groupId),
          ),
        ),
      ];
    }
    case 'mark all': {
      const { userId, among } = operation;
      return [
        answersWith({ status: 200, areDistinct: true, others: [] }),
        ...among.map((groupId) =>
          mayWrite(
            groupId,
            [userId],
            (group, view, learned) => {
              const member = memberOf(group, userId);
              if (member === undefined) {
                // The groups are listed first. The user may have left one of them since then.
                const hasLeft = group.former.some((former) => former.userId === userId);
                const expected = hasLeft ? new OneOf(null, { outcome: 'not_found' }) : null;
                return [{ group, learned, expected }];
              }
              if (!rules.isAmongAll(group, member, operation)) return [{ group, learned, expected: null }];
              const { headBefore } = view;
              const given = { messageId: headBefore };
              const marked = mark(group, member, member, given, headBefore, learned, true);
              const withOutcome = (changed: Group, after: Member, outcome: string) => {
                const expected: Expected = {
                  outcome,
                  messageId: idText(after.own),
                  revision: shownRevision(after),
                  clamped: new Optional(false),
                };
                return { group: changed, learned, expected };
              };
              const unchanged = withOutcome(group, member, 'unchanged');
              if (!marked.advanced) return [unchanged];
              const advanced = withOutcome(marked.group, marked.member, 'advanced');
              const hasUnread = view.messages.some((message) => rules.isUnread(message, member));
              // If nothing is unread below the head, it need not be written.
              return hasUnread ? [advanced] : [unchanged, advanced];
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
      return [
        reads(groupId, 'all', (group) => {
          if (memberOf(group, userId) === undefined) return NOT_FOUND;
          const message = messageOf(group.messages, messageId);
          const policy = group.receipts;
          const isSender = message?.senderId === userId;
          const isRefused = !rules.mayRead({ policy, isSender, isList: true });
          if (message === undefined || !isRecorded(message) || message.deleted) {
            // The contract does not say which of the two comes first.
            return isRefused ? new OneOf(NOT_FOUND, RECEIPTS_OFF) : NOT_FOUND;
          }
          if (isRefused) return RECEIPTS_OFF;
          const found = counts(group, message);
          return {
            status: 200,
            body: {
              groupId,
              messageId: messageId.toString(),
              senderId: message.senderId,
              audience: found.audience.length,
              readCount: found.read.length,
              deliveredCount: found.delivered.length,
              members: found[state].map((member) => ({
                userId: member.userId,
                at: state === 'delivered' ? member.deliveredAt : member.shownAt,
              })),
            },
          };
        }),
      ];
    }
    case 'count receipts': {
      const { groupId, userId, messageIds } = operation;
      return [reads(groupId, 'all', (group) => receiptsOfSeveral(group, userId, messageIds))];
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
        reads(groupId, 'all', listMembers, MEMBERS),
        ...(messageIds.length === 0
          ? []
          : [reads(groupId, 'all', (group) => receiptsOfSeveral(group, watcherId, messageIds), RECEIPTS)]),
        ...userIds.map((userId) =>
          reads(groupId, [userId], (group, view) => watermark(group, userId, view), pieceOfView(userId)),
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
          return setPreferences(group, member, patch, view, { learned, number, rules });
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
        { ...answersWith(left), piece: LEFT },
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
