import type { Position } from '../domain/position.ts';

/**
 * A position in the cache has thirteen base-36 digits instead of twenty decimal ones, since memory is what a cache
 * costs. The order as text is the same. The first digit is at most 3.
 */
const WIDTH = 13;
const LOWER_WIDTH = 7;
const LOWER_RANGE = 36n ** 7n;

const POSITION_TEXT = /^[0-3][0-9a-z]{12}$/;

/** The position of the largest message id. */
const LARGEST = '3w5e11264sgsf';

export function encodePosition(position: Position): string {
  return BigInt(position).toString(36).padStart(WIDTH, '0');
}

/** Throws on a text that `encodePosition` does not return. */
export function decodePosition(text: string): Position {
  if (!POSITION_TEXT.test(text) || text > LARGEST)
    throw new Error(`not a position of the cache: ${JSON.stringify(text)}`);
  // Decodes two halves: a double holds each of them exactly, but not the whole.
  const [upper, lower] = [text.slice(0, -LOWER_WIDTH), text.slice(-LOWER_WIDTH)].map((half) =>
    BigInt(Number.parseInt(half, 36)),
  ) as [bigint, bigint];
  return String(upper * LOWER_RANGE + lower).padStart(20, '0') as Position;
}
