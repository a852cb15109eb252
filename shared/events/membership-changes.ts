import type { GroupId, UserId } from '../domain/ids.ts';
import { isPast, type Membership, type Register } from '../domain/membership.ts';
import { formatMessageId } from '../domain/position.ts';
import type { TidemarkEvent } from './event.ts';

/** How one membership moved, in one write or in several that follow each other. Joining and leaving are no move. */
export interface MembershipChange {
  readonly groupId: GroupId;
  readonly userId: UserId;
  readonly before: Membership;
  readonly after: Membership;
}

/**
 * The events that a move gives rise to. Where others see the own view move as far, there is one event for all; what
 * they do not see has an event of its own.
 */
export function eventsOf(change: MembershipChange): TidemarkEvent[] {
  return [readingOf(change), ownViewOf(change), deliveryOf(change)].filter((event) => event !== null);
}

function readingOf({ groupId, userId, before, after }: MembershipChange): TidemarkEvent | null {
  const move = moveOf(before.public, after.public);
  return (
    move && { type: 'WatermarkAdvanced', groupId, userId, from: move.from, to: move.to, readAt: move.at }
  );
}

function ownViewOf({ groupId, userId, before, after }: MembershipChange): TidemarkEvent | null {
  const { position, revision, at } = after.self;
  if (!isPast(after.self, before.self) || at === null) return null;
  const isTold =
    isPast(after.public, before.public) &&
    position === after.public.position &&
    revision === before.self.revision;
  if (isTold) return null;
  const messageId = formatMessageId(position);
  return { type: 'OwnWatermarkMoved', groupId, userId, messageId, revision, readAt: timeText(at) };
}

function deliveryOf({ groupId, userId, before, after }: MembershipChange): TidemarkEvent | null {
  const move = moveOf(before.delivered, after.delivered);
  // Reading implies delivery.
  if (!move || after.delivered.position === after.public.position) return null;
  return { type: 'DeliveryAdvanced', groupId, userId, ...move };
}

function moveOf(before: Register, after: Register) {
  const to = formatMessageId(after.position);
  if (!isPast(after, before) || after.at === null || to === null) return null;
  return { from: formatMessageId(before.position), to, at: timeText(after.at) };
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
