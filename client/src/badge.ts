import type { Badge, InboxGroup } from './answers.ts';

/**
 * What is unread in these groups together, by the rules of the service's badge: nothing of a group that is archived or
 * muted, and only mentions of one with `notify: 'mentions'`. The service counts at most 500 messages of a group, this function all.
 */
export function countBadge(
  views: readonly Pick<InboxGroup, 'unread' | 'notify' | 'mutedUntil' | 'archived'>[],
  isComplete: boolean,
): Badge {
  const badge: Badge = { groups: 0, messages: 0, mentions: 0, exact: isComplete };
  for (const view of views) {
    const { unread, notify } = view;
    if (view.archived || notify === 'none' || muteLeftMs(view) > 0) continue;
    const messages = notify === 'all' ? unread.count : unread.mentions;
    if (messages > 0) badge.groups += 1;
    badge.messages += messages;
    badge.mentions += unread.mentions;
    badge.exact &&= unread.exact;
  }
  return badge;
}

/** How long a group is still muted, in milliseconds: 0 or less if that is over, NaN if it was never muted. */
export function muteLeftMs({ mutedUntil }: Pick<InboxGroup, 'mutedUntil'>): number {
  return Date.parse(mutedUntil ?? '') - Date.now();
}
