const ELLIPSIS = '…';
const ELLIPSIS_BYTES = 3;

/** JSON needs at most this many bytes for one UTF-16 unit, as in `\u0000`. */
const MOST_BYTES_A_UNIT = 6;

/**
 * Returns the text if it takes at most `maxBytes` bytes inside a JSON string, otherwise its beginning with an ellipsis.
 * The time that it takes depends on the part that is kept, not on the part that is cut off.
 */
export function shortened(text: string, maxBytes: number): string {
  if (text.length * MOST_BYTES_A_UNIT <= maxBytes) return text;
  let bytes = 0;
  let end = 0;
  let endWithEllipsis = 0;
  for (const character of text) {
    bytes += jsonBytes(character);
    if (bytes > maxBytes) return text.slice(0, endWithEllipsis) + ELLIPSIS;
    end += character.length;
    if (bytes <= maxBytes - ELLIPSIS_BYTES) endWithEllipsis = end;
  }
  return text;
}

/** The bytes that a character, or half a surrogate pair, takes inside a JSON string. */
function jsonBytes(character: string): number {
  return Buffer.byteLength(JSON.stringify(character)) - '""'.length;
}
