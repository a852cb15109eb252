import type { UserId } from './ids.ts';
import type { Position } from './position.ts';

/** A recorded message. Its sender is unknown where only its deletion has been heard of. */
export interface Message {
  readonly position: Position;
  readonly senderId: UserId | null;
  readonly deleted: boolean;
}

/** Messages above a member's own view that others sent. Not exact when more are unread than the cache keeps. */
export interface Unread {
  readonly count: number;
  readonly exact: boolean;
}
