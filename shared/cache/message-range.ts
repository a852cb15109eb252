import { type Position, START } from '../domain/position.ts';
import { encodePosition } from './position-text.ts';

/** The messages above `from`, up to and with `to`. */
export interface MessageRange {
  readonly from: Position;
  readonly to: Position;
}

/** The range of a frame that is about no messages. */
export const NO_MESSAGES: MessageRange = { from: START, to: START };

/** The two ends of a range, as the scripts take them. */
export function endsOf({ from, to }: MessageRange): [from: string, to: string] {
  return [encodePosition(from), encodePosition(to)];
}
