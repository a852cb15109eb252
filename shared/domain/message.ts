import type { UserId } from './ids.ts';
import type { Position } from './position.ts';

/** Whom a message mentions: everybody in the group, or these users. */
export type Mentions = 'all' | readonly UserId[];

/** A message. The sender is null if the service knows only of its deletion. */
export interface Message {
  readonly position: Position;
  readonly senderId: UserId | null;
  readonly deleted: boolean;
  /**
   * When the service first received it, in milliseconds since the epoch; 0 for a message of an earlier version. It counts only
   * if this is after the group was last deleted.
   */
  readonly recordedAt: number;
  /** It raises the head, and is never unread. */
  readonly isSilent: boolean;
  /** Without its sender. A silent message mentions nobody. */
  readonly mentions: Mentions;
}

/** The mentions of a message that count. */
export function countedMentions(senderId: UserId, isSilent: boolean, mentions: Mentions): Mentions {
  if (isSilent) return [];
  return mentions === 'all' ? mentions : mentions.filter((userId) => userId !== senderId);
}

export function isMentioned({ mentions }: Message, userId: UserId): boolean {
  return mentions === 'all' || mentions.includes(userId);
}

/** How many have read one message. The audience is all current members who joined before it, without its sender. */
export interface Receipt {
  readonly position: Position;
  readonly senderId: UserId;
  readonly audience: number;
  readonly readCount: number;
  readonly deliveredCount: number;
}

/** Whether the whole audience has read the message. If there is nobody to read it, nobody has. */
export function isReadByAll({ audience, readCount }: Receipt): boolean {
  return audience > 0 && readCount === audience;
}

export type ReceiptState = 'read' | 'unread' | 'delivered';
