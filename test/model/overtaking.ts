import { Moment } from './expected.ts';
import { advance, type Group, type Member, memberOf, type Note, upTo, withMember } from './model.ts';
import type { Rules } from './rules.ts';

/*
 * A clamped mark may be applied when its message is recorded. That is best effort: the model allows
 * both, until an answer decides.
 */

/** Updates which notes are due, and drops those that can no longer move anything. */
export function withNotes(group: Group, operation: number, rules: Rules): Group {
  if (group.notes.length === 0) return group;
  let changed = group;
  const notes: Note[] = [];
  for (const note of group.notes) {
    const member = memberOf(changed, note.userId);
    const isDue = note.messageId <= group.head;
    const dated = isDue && note.dueSince === null ? { ...note, dueSince: operation } : note;
    if (member !== undefined && isDue && rules.appliesLater(dated, member).isSure) {
      changed = withMember(changed, withNoteApplied(group.groupId, member, dated, rules));
    } else if (canStillMove(group, dated, rules)) {
      notes.push(dated);
    }
  }
  const distinct = new Map(notes.map((note) => [textOf(note), note]));
  return { ...changed, notes: [...distinct].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, note]) => note) };
}

const textOf = ({ userId, membership, raises, messageId, moves, dueSince }: Note) =>
  [userId, membership, raises, messageId, moves.own, moves.shown, moves.delivered, dueSince].join(' ');

function canStillMove(group: Group, note: Note, rules: Rules): boolean {
  const member = memberOf(group, note.userId);
  if (member !== undefined) {
    const shown = { ...member, preferences: { ...member.preferences, hideReceipts: false } };
    return withNoteApplied(group.groupId, shown, note, rules) !== shown;
  }
  const former = group.former.findLast(({ userId }) => userId === note.userId);
  if (former === undefined) return false;
  const { moves } = rules.appliesLater(note, { ...former, membership: 'another' });
  return moves.own || moves.shown || moves.delivered;
}

function withNoteApplied(groupId: string, member: Member, note: Note, rules: Rules): Member {
  const { moves } = rules.appliesLater(note, member);
  const since = (what: string) =>
    new Moment(note.dueSince ?? 0, `${groupId} ${member.userId} ${what} ${note.messageId}`, 'since');
  return advance(member, upTo(note.messageId, moves), since);
}

/** The possible states of the group now, the given one first: due marks of these users were applied, or not. */
export function possibleBy(group: Group, users: 'all' | readonly string[], rules: Rules): readonly Group[] {
  const due = group.notes.filter(
    ({ userId, dueSince }) => dueSince !== null && (users === 'all' || users.includes(userId)),
  );
  if (due.length === 0) return [group];
  let groups: readonly Group[] = [group];
  for (const member of group.members) {
    const possible = possibleMembers(group, member, due, rules);
    groups = groups.flatMap((sofar) =>
      possible.map((changed) => (changed === member ? sofar : withMember(sofar, changed))),
    );
  }
  return groups;
}

function possibleMembers(
  group: Group,
  member: Member,
  due: readonly Note[],
  rules: Rules,
): readonly Member[] {
  const own = due.filter(({ userId }) => userId === member.userId);
  const ascending = own.toSorted((a, b) => (a.messageId < b.messageId ? -1 : 1));
  let possible: readonly Member[] = [member];
  for (const note of ascending) {
    const moved = possible.map((sofar) => withNoteApplied(group.groupId, sofar, note, rules));
    possible = [...possible, ...moved.filter((changed) => !possible.includes(changed))];
  }
  return possible;
}
