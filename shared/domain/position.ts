declare const positionBrand: unique symbol;

/**
 * A message id as 20 zero-padded decimal digits, so that text order is numeric order in JavaScript, DynamoDB and Redis.
 * Ids are unsigned 64-bit integers: a number or a Redis score would round them.
 */
export type Position = string & { readonly [positionBrand]: true };

const DIGITS = 20;
/** Decimal digits without leading zeros. It does not bound the value. */
export const MESSAGE_ID_PATTERN = /^[1-9][0-9]{0,19}$/;

/** Before every message: nothing read, nothing recorded. */
export const START = '0'.repeat(DIGITS) as Position;

/** The position of the largest message id, 2^64-1. */
export const END = '18446744073709551615' as Position;

/**
 * The position of a message id, which is a decimal string or an integer up to 2^53-1. Null for anything else: zero,
 * signs, fractions, exponents, leading zeros, blanks, ids above 2^64-1.
 */
export function parseMessageId(value: unknown): Position | null {
  const text = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value;
  if (typeof text !== 'string' || !MESSAGE_ID_PATTERN.test(text)) return null;
  const position = text.padStart(DIGITS, '0') as Position;
  return position <= END ? position : null;
}

/** The decimal message id at a position; null at the start, where there is no message. */
export function formatMessageId(position: Position): string | null {
  return position === START ? null : messageIdAt(position);
}

/** The decimal message id at the position of a message, which is never the start. */
export function messageIdAt(position: Position): string {
  return position.replace(/^0+/, '');
}

/** The position just below that of a message; the start for the smallest id. */
export function before(position: Position): Position {
  return String(BigInt(position) - 1n).padStart(DIGITS, '0') as Position;
}

/** Returns null for anything that is not a position. */
export function parsePosition(value: unknown): Position | null {
  return typeof value === 'string' && /^[0-9]{20}$/.test(value) && value <= END ? (value as Position) : null;
}

export function laterOf<T extends string>(a: T, b: T): T {
  return a >= b ? a : b;
}

export function earlierOf<T extends string>(a: T, b: T): T {
  return laterOf(a, b) === a ? b : a;
}
