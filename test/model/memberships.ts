import type { Learned, Moment } from './expected.ts';
import { type Group, memberOf, revisionOf, withMember, withPerhapsReturning } from './model.ts';
import type { Rules } from './rules.ts';

export interface Joining {
  readonly userId: string;
  readonly membership: string;
  readonly joinedAt: number | null;
  readonly joinedBy: number;
  readonly joinedAfter: bigint;
}

export function join(group: Group, joining: Joining, learned: Learned, rules: Rules): Group {
  const { userId, joinedAfter } = joining;
  const from = rules.viewOnJoining(group, userId, joinedAfter);
  const isFirst = group.former.every((former) => former.userId !== userId);
  return withMember(group, {
    ...joining,
    leftAt: null,
    base: rules.revisionOnJoining(revisionOfFormer(group, userId, learned)),
    raises: 0,
    own: from,
    ownAt: null,
    shown: from,
    shownAt: null,
    delivered: from,
    deliveredAt: null,
    preferences: {
      ...rules.preferencesOnJoining(group, userId),
      changedAt: null,
      // What they begin with after a departure or a deletion is not promised.
      base: isFirst && beginsAtZero(group, userId) ? 0 : { above: -1, isNone: [] },
      raises: 0,
    },
    sentPrivately: [],
  });
}

/** The largest revision of all memberships of the user. Null if there was none. */
function revisionOfFormer(group: Group, userId: string, learned: Learned): number | null {
  const former = group.former.findLast((member) => member.userId === userId);
  if (former === undefined) return beginsAtZero(group, userId) ? null : -1;
  const known = revisionOf(former, learned);
  if (known !== null || typeof former.base === 'number') return known;
  return former.base.above + 1 + former.raises;
}

/** Whether the contract promises that the next membership of the user begins with revision 0 if there was none before. */
const beginsAtZero = ({ perhapsReturning, deletions }: Group, userId: string) =>
  deletions === 0 && !perhapsReturning.includes(userId);

export function leave(group: Group, userId: string, leftAt: Moment): Group {
  const member = memberOf(group, userId);
  if (member === undefined) return withPerhapsReturning(group, userId);
  return {
    ...group,
    members: group.members.filter((other) => other !== member),
    former: [...group.former, { ...member, leftAt }],
  };
}
