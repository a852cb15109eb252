import type { GroupId } from '../../shared/domain/ids.ts';
import { preferencesRevision } from '../../shared/domain/membership.ts';
import { formatTime } from '../../shared/domain/time.ts';
import type { MemberPreferences } from '../../shared/operations/preferences.ts';

/** The answer of the routes that return a member's preferences. */
export function preferencesAnswer(groupId: GroupId, { membership, archived }: MemberPreferences) {
  const { notify, mutedUntil, hideReceipts, archive } = membership.preferences;
  return {
    groupId,
    notify,
    mutedUntil: formatTime(mutedUntil),
    hideReceipts,
    archive,
    archived,
    revision: preferencesRevision(membership),
  };
}
