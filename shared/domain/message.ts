import type { UserId } from './ids.ts';
import type { Position } from './position.ts';

/** A message. The sender is null if the service knows only of its deletion. */
export interface Message {
  readonly position: Position;
  readonly senderId: UserId | null;
  readonly deleted: boolean;
}

/**
 * The number of messages above a member's own view that others sent. `exact` is false where the service stopped counting:
 * there are more than its limit, which `count` then is, or 8 MB of the ledger do not decide. Then `count` is at least 1.
 */
export interface Unread {
  readonly count: number;
  readonly exact: boolean;
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
