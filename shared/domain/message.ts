import type { UserId } from './ids.ts';
import type { Position } from './position.ts';

/** A recorded message. Its sender is unknown where only its deletion has been heard of. */
export interface Message {
  readonly position: Position;
  readonly senderId: UserId | null;
  readonly deleted: boolean;
}

/**
 * Messages above a member's own view that others sent: as many as are counted at most where there are more, which then
 * is not exact.
 */
export interface Unread {
  readonly count: number;
  readonly exact: boolean;
}

/** Who has read one message, in numbers. The audience: who joined before it and is still there, less its sender. */
export interface Receipt {
  readonly position: Position;
  readonly senderId: UserId;
  readonly audience: number;
  readonly readCount: number;
  readonly deliveredCount: number;
}

export type ReceiptState = 'read' | 'unread' | 'delivered';
