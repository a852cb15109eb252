import type { TidemarkEvent } from '../contract/event.ts';
import type { GroupId, UserId } from '../domain/ids.ts';
import { isPast, type Membership, preferencesRevision, type Register } from '../domain/membership.ts';
import { formatMessageId } from '../domain/position.ts';

/** How one membership moved, in one write or in several consecutive ones. */
export interface MembershipChange {
  readonly groupId: GroupId;
  readonly userId: UserId;
  readonly before: Membership;
  readonly after: Membership;
}

/**
 * The events of a move. Subscribers can follow each own view, its revision, the public watermark and the preferences from
 * the events alone, in any order and with repetitions: the larger membership counts, then the larger
 * revision, then the larger position.
 */
export function eventsOf(change: MembershipChange): TidemarkEvent[] {
  const events = [readingOf(change), ownViewOf(change), deliveryOf(change), preferencesOf(change)];
  return events.filter((event) => event !== null);
}

function readingOf(change: MembershipChange): TidemarkEvent | null {
  const { before, after } = change;
  const move = moveOf(before.public, after.public);
  if (!move) return null;
  const { from, to, at } = move;
  const ownRevision = isOwnViewAlong(change) ? after.self.revision : null;
  return { type: 'WatermarkAdvanced', ...memberOf(change), from, to, readAt: at, ownRevision };
}

/** Whether the own view moved to the same position as the public watermark, without a new revision. */
function isOwnViewAlong({ before, after }: MembershipChange): boolean {
  return (
    isPast(after.public, before.public) &&
    isPast(after.self, before.self) &&
    after.self.revision === before.self.revision &&
    after.self.position === after.public.position
  );
}

function ownViewOf(change: MembershipChange): TidemarkEvent | null {
  const { before, after } = change;
  const { position, revision, at } = after.self;
  if (!isPast(after.self, before.self) || at === null || isOwnViewAlong(change)) return null;
  const messageId = formatMessageId(position);
  return { type: 'OwnWatermarkMoved', ...memberOf(change), messageId, revision, readAt: timeText(at) };
}

function deliveryOf(change: MembershipChange): TidemarkEvent | null {
  const { before, after } = change;
  const move = moveOf(before.delivered, after.delivered);
  // Reading implies delivery.
  if (!move || after.delivered.position === after.public.position) return null;
  return { type: 'DeliveryAdvanced', ...memberOf(change), ...move };
}

function preferencesOf(change: MembershipChange): TidemarkEvent | null {
  const { before, after } = change;
  const revision = preferencesRevision(after);
  const { at, notify, mutedUntil, hideReceipts, archive } = after.preferences;
  if (at === null || revision <= preferencesRevision(before)) return null;
  return {
    type: 'PreferencesChanged',
    ...memberOf(change),
    notify,
    mutedUntil: mutedUntil === null ? null : timeText(mutedUntil),
    hideReceipts,
    archive,
    revision,
  };
}

function memberOf({ groupId, userId, after }: MembershipChange) {
  return { groupId, userId, membership: after.generation };
}

function moveOf(before: Register, after: Register) {
  const to = formatMessageId(after.position);
  if (!isPast(after, before) || after.at === null || to === null) return null;
  return { from: formatMessageId(before.position), to, at: timeText(after.at) };
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
