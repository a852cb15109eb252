import { type Expected, type Learned, Moment } from './expected.ts';
import {
  type Group,
  keyOfPreferences,
  type Member,
  newestLoud,
  type PreferencesPatch,
  type View,
  withMember,
} from './model.ts';
import { type Change, expectedRevision } from './part.ts';
import type { Rules } from './rules.ts';

/** The answer of the routes. */
export function expectedPreferences(groupId: string, member: Member, view: View, rules: Rules): Expected {
  const { notify, mutedUntil, hideReceipts, archive } = member.preferences;
  return {
    status: 200,
    body: {
      groupId,
      notify,
      mutedUntil,
      hideReceipts,
      archive,
      archived: rules.isArchived(member.preferences, view),
      revision: expectedRevision(member.preferences, keyOfPreferences(member.membership)),
    },
  };
}

/**
 * The possible changes when a member sets its preferences. While messages are recorded, the newest one that is not silent is
 * that of either moment.
 */
export function setPreferences(
  group: Group,
  member: Member,
  patch: PreferencesPatch,
  view: View,
  learned: Learned,
  number: number,
  rules: Rules,
): readonly Change[] {
  const changedAt = new Moment(number, `${group.groupId} ${member.userId} preferences`);
  const louds = new Set([newestLoud(view.messages), newestLoud(group.messages)]);
  return [...louds].map((loud) => {
    const after = afterSetting(member, patch, loud, changedAt, rules);
    const expected = expectedPreferences(group.groupId, after, view, rules);
    return { group: withMember(group, after), learned, expected };
  });
}

const NAMES = ['notify', 'mutedUntil', 'hideReceipts', 'archive'] as const;

function afterSetting(
  member: Member,
  patch: PreferencesPatch,
  loud: bigint,
  changedAt: Moment,
  rules: Rules,
): Member {
  const before = member.preferences;
  const changed = rules.withPreferences(member, patch, loud);
  const isDifferent = NAMES.some((name) => patch[name] !== undefined && patch[name] !== before[name]);
  // The group came back, and is archived once more.
  const isBack = patch.archive === 'untilNew' && before.archivedAt < changed.preferences.archivedAt;
  const hasNews = isDifferent || isBack;
  if (rules.raisesPreferences({ isDifferent: hasNews })) {
    const { preferences } = changed;
    return { ...changed, preferences: { ...preferences, changedAt, raises: preferences.raises + 1 } };
  }
  return hasNews ? changed : member;
}
