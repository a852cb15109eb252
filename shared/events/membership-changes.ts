import type { GroupId, UserId } from '../domain/ids.ts';
import { isPast, type Membership } from '../domain/membership.ts';
import { formatMessageId } from '../domain/position.ts';
import type { TidemarkEvent } from './event.ts';

/** How one membership moved, in one write or in several that follow each other. Joining and leaving are no move. */
export interface MembershipChange {
  readonly groupId: GroupId;
  readonly userId: UserId;
  readonly before: Membership;
  readonly after: Membership;
}

/** The events that a move gives rise to. */
export function eventsOf({ groupId, userId, before, after }: MembershipChange): TidemarkEvent[] {
  const { position, at } = after.public;
  const to = formatMessageId(position);
  if (!isPast(after.public, before.public) || at === null || to === null) return [];
  const from = formatMessageId(before.public.position);
  return [{ type: 'WatermarkAdvanced', groupId, userId, from, to, readAt: new Date(at).toISOString() }];
}
