import { type Expected, Optional } from './expected.ts';
import { type Group, keyOfPreferences, type Member, type View } from './model.ts';
import { expectedRevision } from './part.ts';
import type { Rules } from './rules.ts';

export interface InboxWanted {
  readonly unreadOnly: boolean | undefined;
  readonly parentId: string | undefined;
  readonly archived: boolean | undefined;
}

/** Whether the member's inbox lists the group. */
export function isListed(
  group: Group,
  member: Member,
  wanted: InboxWanted,
  view: View,
  rules: Rules,
): boolean {
  const { unreadOnly, parentId, archived: asked } = wanted;
  if (unreadOnly === true && !view.messages.some((message) => rules.isUnread(message, member))) return false;
  if (parentId !== undefined && group.parentId !== parentId) return false;
  return rules.isListed({ isArchived: rules.isArchived(member.preferences, view), asked });
}

/** What an entry has in addition to the member's watermark. */
export function fieldsOfEntry(
  { parentId }: Group,
  { preferences, membership }: Member,
  view: View,
  rules: Rules,
): { readonly [name: string]: Expected } {
  const { notify, mutedUntil, archive } = preferences;
  const archived = rules.isArchived(preferences, view);
  const preferencesRevision = expectedRevision(preferences, keyOfPreferences(membership));
  return {
    ...{ parentId, notify, archived },
    // The contract does not name these. If an entry has one, it is the preference.
    mutedUntil: new Optional(mutedUntil),
    archive: new Optional(archive),
    preferencesRevision: new Optional(preferencesRevision),
  };
}
