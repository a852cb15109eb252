import type { Head } from './head.ts';
import type { Membership } from './membership.ts';
import { isArchived } from './preferences.ts';
import { formatTime } from './time.ts';

/** Where a list of groups shows a group, as answers and frames hold it: its parent, and what the member wants of it. */
export function formatPlace({ settings, loud }: Head, { preferences }: Membership) {
  const { notify, mutedUntil } = preferences;
  return {
    parentId: settings.parentId,
    notify,
    mutedUntil: formatTime(mutedUntil),
    archived: isArchived(preferences, loud),
  };
}
