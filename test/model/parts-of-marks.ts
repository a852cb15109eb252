import { type Expected, type Learned, Moment, OneOf, Optional } from './expected.ts';
import {
  advance,
  type Group,
  keyOfRevision,
  larger,
  MAX_ID,
  type Member,
  memberOf,
  revisionOf,
  upTo,
  type View,
  withMember,
} from './model.ts';
import type { RequestOf } from './operations.ts';
import { ownView, ownViewAndHead } from './own-view.ts';
import {
  type Change,
  idText,
  NOT_FOUND,
  type Part,
  partsFor,
  pieceOfGroup,
  problem,
  shownRevision,
} from './part.ts';
import type { Rules } from './rules.ts';

/** The parts of the operations that move what a member has read. */

export function partsOfMark(operation: RequestOf<'mark'>, number: number, rules: Rules): readonly Part[] {
  const { mayWrite, endsWith } = partsFor(number, rules);
  const { groupId, userId, ifRevision } = operation;
  return [
    mayWrite(groupId, [userId], (group, { headBefore }, learned) => {
      const found = memberOf(group, userId);
      if (found === undefined) return [{ group, learned, expected: NOT_FOUND }];
      return possibleRevisions(found, learned, [ifRevision]).map((possible): Change => {
        const { member } = possible;
        const context = { head: headBefore, learned: possible.learned, inBatch: false, number, rules };
        const marked = mark({ group, member, comparedTo: member }, operation, context);
        const result = { groupId, userId, advanced: marked.advanced, clamped: marked.clamped };
        return {
          group: marked.group,
          learned: possible.learned,
          expected: marked.stale ? problem(409, 'revision_conflict', result) : { status: 200, body: result },
        };
      });
    }),
    endsWith(groupId, userId, (member, view) => ownView(member, view, rules)),
  ];
}

export function partsOfMarkUnread(
  { groupId, userId, messageId }: RequestOf<'mark unread' | 'mark delivered'>,
  number: number,
  rules: Rules,
): readonly Part[] {
  const { writes, endsWith } = partsFor(number, rules);
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
    endsWith(groupId, userId, (member, view) => ownViewAndHead(member, view, rules)),
  ];
}

export function partsOfMarkDelivered(
  { groupId, userId, messageId }: RequestOf<'mark unread' | 'mark delivered'>,
  number: number,
  rules: Rules,
): readonly Part[] {
  const { writes, endsWith } = partsFor(number, rules);
  return [
    writes(groupId, [userId], (group, { headBefore }, learned) => {
      const member = memberOf(group, userId);
      if (member === undefined) return [group, NOT_FOUND];
      const context = { head: headBefore, learned, inBatch: false, number, rules };
      const marked = mark({ group, member, comparedTo: member }, { messageId, isDelivered: true }, context);
      const result = { groupId, userId, advanced: marked.advanced, clamped: marked.clamped };
      return [marked.group, { status: 200, body: result }];
    }),
    endsWith(groupId, userId, (member) => ({ messageId: idText(member.delivered) })),
  ];
}

/** The marks in a group are one write. */
export function partsOfMarks(
  { userId, marks }: RequestOf<'mark several'>,
  number: number,
  rules: Rules,
): readonly Part[] {
  const { mayWrite, answersWith } = partsFor(number, rules);
  const groupIds = new Set(marks.map(({ groupId }) => groupId));
  const partInGroup = (groupId: string): Part => {
    const entries = marks.filter((entry) => entry.groupId === groupId);
    return mayWrite(
      groupId,
      [userId],
      (group, { headBefore }, learned) => {
        const found = memberOf(group, userId);
        if (found === undefined) {
          return [{ group, learned, expected: entries.map(() => ({ outcome: 'not_found' })) }];
        }
        const ifRevisions = entries.map(({ ifRevision }) => ifRevision);
        return possibleRevisions(found, learned, ifRevisions).map((possible): Change => {
          const context = { head: headBefore, learned: possible.learned, inBatch: true, number, rules };
          let current = { group: withMember(group, possible.member), member: possible.member };
          const expected = entries.map((entry): Expected => {
            const comparedTo = rules.comparesTo(current.member, possible.member);
            const marked = mark({ ...current, comparedTo }, entry, context);
            current = marked;
            const isDelivered = entry.isDelivered === true;
            const outcome = marked.advanced ? 'advanced' : 'unchanged';
            const revision = shownRevision(marked.member);
            return {
              outcome: marked.stale ? 'conflict' : outcome,
              messageId: idText(isDelivered ? marked.member.delivered : marked.member.own),
              revision: isDelivered ? new Optional(revision) : revision,
              clamped: marked.clamped,
            };
          });
          return { group: current.group, learned: possible.learned, expected };
        });
      },
      pieceOfGroup(groupId),
    );
  };
  return [
    answersWith({ status: 200, groupIds: marks.map(({ groupId }) => groupId) }),
    ...[...groupIds].map(partInGroup),
  ];
}

export function partsOfMarkAll(
  operation: RequestOf<'mark all'>,
  number: number,
  rules: Rules,
): readonly Part[] {
  const { mayWrite, answersWith } = partsFor(number, rules);
  const { userId, among } = operation;
  const markAll = (group: Group, view: View, learned: Learned): readonly Change[] => {
    const member = memberOf(group, userId);
    if (member === undefined) {
      // The groups are listed first. The user may have left one of them since then.
      const hasLeft = group.former.some((former) => former.userId === userId);
      const expected = hasLeft ? new OneOf(null, { outcome: 'not_found' }) : null;
      return [{ group, learned, expected }];
    }
    if (!rules.isAmongAll(group, member, operation)) return [{ group, learned, expected: null }];
    const head = view.headBefore;
    const context = { head, learned, inBatch: true, number, rules };
    const marked = mark({ group, member, comparedTo: member }, { messageId: head }, context);
    const changeTo = (changed: Group, after: Member, outcome: string): Change => ({
      group: changed,
      learned,
      expected: {
        outcome,
        messageId: idText(after.own),
        revision: shownRevision(after),
        clamped: new Optional(false),
      },
    });
    const unchanged = changeTo(group, member, 'unchanged');
    if (!marked.advanced) return [unchanged];
    const advanced = changeTo(marked.group, marked.member, 'advanced');
    // If nothing is unread below the head, it need not be written.
    const hasUnread = view.messages.some((message) => rules.isUnread(message, member));
    return hasUnread ? [advanced] : [unchanged, advanced];
  };
  return [
    answersWith({ status: 200, areDistinct: true, others: [] }),
    ...among.map((groupId) => mayWrite(groupId, [userId], markAll, pieceOfGroup(groupId))),
  ];
}

/**
 * The member with its revision. If the first revision of its membership is not known yet, the marks may have the current
 * revision or not: one possibility for each.
 */
function possibleRevisions(
  member: Member,
  learned: Learned,
  ifRevisions: readonly (number | undefined)[],
): readonly { readonly member: Member; readonly learned: Learned }[] {
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
  /** Its ifRevision was not the current revision. */
  readonly stale: boolean;
}

interface MarkContext {
  readonly head: bigint;
  readonly learned: Learned;
  readonly inBatch: boolean;
  readonly number: number;
  readonly rules: Rules;
}

/** Marks for a member of the group. Its revision and position are compared with those of `comparedTo`. */
function mark(
  {
    group,
    member,
    comparedTo,
  }: { readonly group: Group; readonly member: Member; readonly comparedTo: Member },
  { messageId, isPrivate, ifRevision, isDelivered }: Mark,
  { head, learned, inBatch, number, rules }: MarkContext,
): Marked {
  const target = rules.clamp(messageId, head);
  const isChecked = ifRevision !== undefined && rules.checksRevision({ inBatch });
  const stale = isChecked && ifRevision !== revisionOf(comparedTo, learned);
  const moves =
    isDelivered === true
      ? { own: false, shown: false, delivered: true }
      : rules.moves({ isPrivate: isPrivate === true || rules.isHidden(member, 'reading'), stale });
  const now = (what: string) => new Moment(number, `${group.groupId} ${member.userId} ${what}`);
  const targets = upTo(target, moves);
  const clamped = target !== messageId;
  const { userId, membership, raises } = member;
  const note = { userId, membership, raises, messageId, moves, dueSince: null };
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
}
