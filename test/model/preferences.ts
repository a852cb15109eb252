import {
  type Expected,
  type Group,
  keyOfPreferences,
  type Learned,
  type Member,
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

/** The possible states after a member sets its preferences. */
export function setPreferences(
  group: Group,
  member: Member,
  patch: PreferencesPatch,
  view: View,
  learned: Learned,
  rules: Rules,
): readonly Set[] {
  const before = member.preferences;
  const changed = rules.withPreferences(member, patch, view.headBefore);
  const raised = {
    ...changed,
    preferences: { ...changed.preferences, raises: changed.preferences.raises + 1 },
  };
  const withAnswer = (after: Member): Set => ({
    group: withMember(group, after),
    learned,
    expected: expectedPreferences(group.groupId, after, view, rules),
  });
  const names = ['notify', 'mutedUntil', 'hideReceipts', 'archive'] as const;
  const isDifferent = names.some((name) => patch[name] !== undefined && patch[name] !== before[name]);
  const isLater = patch.archive === 'untilNew' && before.archivedAt < changed.preferences.archivedAt;
  const isBack = isLater && newestLoud(view.messages) > before.archivedAt;
  if (isDifferent || isBack) {
    return [withAnswer(rules.raisesPreferences({ isDifferent: true }) ? raised : changed)];
  }
  const same = rules.raisesPreferences({ isDifferent: false }) ? withAnswer(raised) : withAnswer(member);
  // It is archived already, and only silent messages came: the contract does not say whether this changes something.
  return isLater ? [same, withAnswer(raised)] : [same];
}
