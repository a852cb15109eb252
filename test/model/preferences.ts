import {
  type Expected,
  type Group,
  keyOfPreferences,
  type Learned,
  type Member,
  Moment,
  newestLoud,
  type PreferencesPatch,
  type Rules,
  type View,
  withMember,
} from './model.ts';
import { expectedRevision } from './part.ts';

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

interface Set {
  readonly group: Group;
  readonly learned: Learned;
  readonly expected: Expected;
}

/**
 * The possible states after a member sets its preferences. While messages are recorded, the newest one that is not silent is
 * that of either moment.
 */
export function setPreferences(
  group: Group,
  member: Member,
  patch: PreferencesPatch,
  view: View,
  { learned, number, rules }: Pick<Setting, 'learned' | 'number' | 'rules'>,
): readonly Set[] {
  const louds = new Set([newestLoud(view.messages), newestLoud(group.messages)]);
  return [...louds].flatMap((loud) => setAt(loud, { group, member, patch, view, learned, number, rules }));
}

interface Setting {
  readonly group: Group;
  readonly member: Member;
  readonly patch: PreferencesPatch;
  readonly view: View;
  readonly learned: Learned;
  readonly number: number;
  readonly rules: Rules;
}

function setAt(
  loud: bigint,
  { group, member, patch, view, learned, number, rules }: Setting,
): readonly Set[] {
  const before = member.preferences;
  const changed = rules.withPreferences(member, patch, loud);
  const raised = {
    ...changed,
    preferences: {
      ...changed.preferences,
      changedAt: new Moment(number, `${group.groupId} ${member.userId} preferences`),
      raises: changed.preferences.raises + 1,
    },
  };
  const withAnswer = (after: Member): Set => ({
    group: withMember(group, after),
    learned,
    expected: expectedPreferences(group.groupId, after, view, rules),
  });
  const names = ['notify', 'mutedUntil', 'hideReceipts', 'archive'] as const;
  const isDifferent = names.some((name) => patch[name] !== undefined && patch[name] !== before[name]);
  // It came back, and is archived once more.
  const isBack = patch.archive === 'untilNew' && before.archivedAt < changed.preferences.archivedAt;
  const hasNews = isDifferent || isBack;
  return [
    withAnswer(rules.raisesPreferences({ isDifferent: hasNews }) ? raised : hasNews ? changed : member),
  ];
}
