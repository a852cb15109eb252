import { type Expected, SOME_BOOLEAN } from './expected.ts';
import { isMuted, memberOf, type State, viewOf } from './model.ts';
import type { Rules } from './rules.ts';
import { unreadOf } from './unread.ts';

/** What a user's badge shows: the sum over the groups. */
export function badgeOf(state: State, userId: string, rules: Rules): { readonly [name: string]: Expected } {
  const badge = { groups: 0, messages: 0, mentions: 0 };
  let exact: boolean | typeof SOME_BOOLEAN = true;
  for (const group of state.groups) {
    const member = memberOf(group, userId);
    if (member === undefined) continue;
    const view = viewOf(state, group.groupId);
    const { preferences } = member;
    const counts = rules.countsInBadge({
      isArchived: rules.isArchived(preferences, view),
      isMuted: isMuted(preferences),
      notify: preferences.notify,
    });
    if (counts === 'nothing') continue;
    const unread = unreadOf(view, member, rules.badgeLimit, rules);
    const messages = counts === 'mentions' ? unread.mentions : unread.count;
    badge.groups += messages > 0 ? 1 : 0;
    badge.messages += messages;
    badge.mentions += unread.mentions;
    if (unread.exact) continue;
    // The contract does not say whether mentions alone are exact if not all messages were looked at.
    if (counts === 'messages') exact = false;
    else if (exact) exact = SOME_BOOLEAN;
  }
  return { ...badge, exact };
}
