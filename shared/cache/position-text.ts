import { type Position, storedPosition } from '../domain/position.ts';

/**
 * Positions in the cache: thirteen base-36 digits instead of twenty decimal ones. Their order as text is the same, the
 * first digit of the largest is a 3, and memory is what a cache costs.
 */
const WIDTH = 13;
const LOWER_WIDTH = 7;
const LOWER_RANGE = 36n ** 7n;

const POSITION_TEXT = /^[0-3][0-9a-z]{12}$/;

export function encodePosition(position: Position): string {
  return BigInt(position).toString(36).padStart(WIDTH, '0');
}

/** Throws where the text is none that `encodePosition` returns. */
export function decodePosition(text: string): Position {
  if (!POSITION_TEXT.test(text)) throw new Error(`not a position of the cache: ${JSON.stringify(text)}`);
  // In two halves that a double holds exactly.
  const [upper, lower] = [text.slice(0, -LOWER_WIDTH), text.slice(-LOWER_WIDTH)].map((half) =>
    BigInt(Number.parseInt(half, 36)),
  ) as [bigint, bigint];
  return storedPosition(String(upper * LOWER_RANGE + lower).padStart(20, '0'));
}
