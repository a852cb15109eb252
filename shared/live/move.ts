import type { MessageRange } from '../cache/message-range.ts';
import type { TidemarkEvent } from '../contract/event.ts';
import { type GroupId, parseGroupId, parseUserId, type UserId } from '../domain/ids.ts';
import { isPast, type Membership, type MembershipState, preferencesRevision } from '../domain/membership.ts';
import { type Position, parseMessageId, START } from '../domain/position.ts';

/** How a member moved, as far as frames are concerned. */
export interface Move {
  readonly groupId: GroupId;
  readonly userId: UserId;
  /** The messages newly read or delivered. Null if others may see nothing of the move. */
  readonly range: MessageRange | null;
  /** The own view moved, or the preferences changed: the member's own devices get a `view`. */
  readonly isOwn: boolean;
  /** Whether a state that was read is at least as new as the move. */
  readonly isIn: (state: MembershipState) => boolean;
}

/** The move that an event reports; null if it reports none. Throws on an event whose fields cannot be read. */
export function moveIn(event: TidemarkEvent): Move | null {
  switch (event.type) {
    case 'WatermarkAdvanced': {
      const { from, to, ownRevision } = event;
      const range = rangeOf(from, to);
      return moveOf(event, range, ownRevision !== null, ({ self, public: { position } }) => {
        const isOwnIn = ownRevision === null || isAtLeast(self, ownRevision, range.to);
        return position >= range.to && isOwnIn;
      });
    }
    case 'DeliveryAdvanced': {
      const range = rangeOf(event.from, event.to);
      return moveOf(event, range, false, ({ delivered }) => delivered.position >= range.to);
    }
    case 'OwnWatermarkMoved': {
      const { messageId, revision } = event;
      const position = positionOf(messageId);
      return moveOf(event, null, true, ({ self }) => isAtLeast(self, revision, position));
    }
    case 'PreferencesChanged': {
      const { revision } = event;
      return moveOf(event, null, true, (membership) => preferencesRevision(membership) >= revision);
    }
    case 'GroupFullyRead':
    case 'MessageStillUnread':
    case 'GroupDeleted':
    case 'UserErased':
      return null;
  }
}

function moveOf(
  event: { readonly groupId: string; readonly userId: string; readonly membership: number },
  range: MessageRange | null,
  isOwn: boolean,
  isReached: (membership: Membership) => boolean,
): Move {
  const [groupId, userId] = [parseGroupId(event.groupId), parseUserId(event.userId)];
  if (!groupId || !userId) throw new Error('an event names no member');
  const isIn = (state: MembershipState) => {
    if (state.generation !== event.membership) return state.generation > event.membership;
    return state.kind === 'departed' || isReached(state);
  };
  return { groupId, userId, range, isOwn, isIn };
}

function isAtLeast(self: Membership['self'], revision: number, position: Position): boolean {
  return !isPast({ revision, position, at: null }, self);
}

function rangeOf(from: string | null, to: string): MessageRange {
  return { from: positionOf(from), to: positionOf(to) };
}

function positionOf(messageId: string | null): Position {
  if (messageId === null) return START;
  const position = parseMessageId(messageId);
  if (!position) throw new Error('an event names no message');
  return position;
}
