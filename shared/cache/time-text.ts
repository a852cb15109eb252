/** Nine base-36 digits are enough for milliseconds up to the year 5188. The order as text is that of the times. */
export const TIME_WIDTH = 9;

const TIME_TEXT = /^[0-9a-z]{9}$/;

/** A time in milliseconds as the cache compares it. */
export function encodeTime(ms: number): string {
  return ms.toString(36).padStart(TIME_WIDTH, '0');
}

/** Throws on a text that `encodeTime` does not return. */
export function decodeTime(text: string): number {
  if (!TIME_TEXT.test(text)) throw new Error(`not a time of the cache: ${text}`);
  return Number.parseInt(text, 36);
}
