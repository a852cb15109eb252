import type { Head } from './head.ts';
import { type Membership, preferencesRevision } from './membership.ts';
import { isArchived } from './preferences.ts';
import { formatTime } from './time.ts';

/** Where a list of groups shows a group, as answers and frames hold it: its parent, and what the member wants of it. */
export function formatPlace({ settings, loud }: Head, membership: Membership) {
  const { preferences } = membership;
  const { notify, mutedUntil, archive } = preferences;
  return {
    parentId: settings.parentId,
    notify,
    mutedUntil: formatTime(mutedUntil),
    archive,
    archived: isArchived(preferences, loud),
    preferencesRevision: preferencesRevision(membership),
  };
}
