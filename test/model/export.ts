import { ANYTHING, type Expected, type Learned, Moment, OneOf, Revision, SOME_TEXT } from './expected.ts';
import { type Group, keyOfPreferences, larger, type Member, memberOf } from './model.ts';
import { expectedRevision, idText, shownRevision } from './part.ts';
import type { Rules } from './rules.ts';

/** What a user's export has of one group; null if nothing. */
export function exportedMembership(group: Group, userId: string, learned: Learned, rules: Rules): Expected {
  const { groupId } = group;
  const member = memberOf(group, userId);
  const last = group.former.findLast((former) => former.userId === userId);
  // The traces of a deleted group go later, and a departure without a membership may leave one.
  const isOpen = group.deletions > 0 || group.perhapsReturning.includes(userId);
  if (member === undefined) {
    if (isOpen) return ANYTHING;
    if (last === undefined) return null;
    return { groupId, current: null, history: historyOf(group, userId, []), expiresAt: SOME_TEXT };
  }
  return {
    groupId,
    current: currentOf(group, member, learned, rules),
    history: isOpen ? ANYTHING : historyOf(group, userId, [joiningOf(member)]),
    expiresAt: null,
  };
}

const keyOfMembership = (membership: string) => `number of ${membership}`;

function currentOf(group: Group, member: Member, learned: Learned, rules: Rules): Expected {
  const { membership, userId, joinedAfter } = member;
  const { own, ownAt, shown, shownAt, delivered, deliveredAt, preferences } = rules.exported(member);
  const earlier = group.former
    .filter((former) => former.userId === userId)
    .map((former) => Number(learned[keyOfMembership(former.membership)] ?? -1));
  const { notify, mutedUntil, hideReceipts, archive, archivedAt, changedAt } = preferences;
  return {
    membership: new Revision(keyOfMembership(membership), { above: Math.max(-1, ...earlier), isNone: [] }, 0),
    joinedAfter: idText(joinedAfter),
    own: { messageId: idText(own), at: ownAt, revision: shownRevision(member) },
    public: { messageId: idText(shown), at: shownAt },
    delivered: { messageId: idText(delivered), at: deliveredAt },
    preferences: {
      ...{ notify, mutedUntil, hideReceipts, archive },
      revision: expectedRevision(preferences, keyOfPreferences(membership)),
      archivedAt: archive === 'untilNew' ? idText(archivedAt) : null,
      at: changedAt,
    },
  };
}

const joiningOf = ({ membership, joinedBy, joinedAfter }: Member): Expected => ({
  at: new Moment(joinedBy, `${membership} joined`),
  joinedAfter: idText(joinedAfter),
  receivedAt: new Moment(joinedBy, `${membership} received`),
});

function historyOf(group: Group, userId: string, joinings: readonly Expected[]): Expected {
  const earlier = group.former.filter((former) => former.userId === userId);
  const last = earlier.at(-1);
  return {
    joinings,
    leftAt: last?.leftAt ?? null,
    lastRevision: last === undefined ? null : lastRevision(last, joinings.length > 0),
    sentHidden: sentHidden(group, userId),
  };
}

/** For a member that joined again it is below the revision that it began with, which only has a lower bound. */
function lastRevision(last: Member, hasJoinedAgain: boolean): Expected {
  if (!hasJoinedAgain) return shownRevision(last);
  const { membership, base, raises } = last;
  const first = typeof base === 'number' ? base : base.above + 1;
  return new Revision(`last revision of ${membership}`, { above: first + raises - 1, isNone: [] }, 0);
}

/**
 * The contract does not say whether messages count that do not advance their sender, that move no view, or that are of
 * earlier memberships.
 */
function sentHidden(group: Group, userId: string): Expected {
  const isOpen =
    group.former.some((former) => former.userId === userId && former.sentPrivately.length > 0) ||
    group.messages.some((message) => message.senderId === userId && !message.advancesSender);
  if (isOpen) return new OneOf(null, SOME_TEXT);
  const member = memberOf(group, userId);
  const newest = (member?.sentPrivately ?? []).reduce(larger, 0n);
  const movesNothing = member !== undefined && newest > 0n && newest <= member.shown;
  return movesNothing ? new OneOf(null, idText(newest)) : idText(newest);
}
