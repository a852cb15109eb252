const ELLIPSIS = '…';
const ELLIPSIS_BYTES = 3;

/** JSON writes one UTF-16 unit in at most this many bytes, as in `\u0000`. */
const MOST_BYTES_A_UNIT = 6;

/**
 * The text, or as much of its beginning as takes at most `maxBytes` bytes inside a JSON string, with an ellipsis at
 * the end. It costs time for what is kept, not for what is cut off.
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

/** What a character, or half a surrogate pair, takes inside a JSON string. */
function jsonBytes(character: string): number {
  return Buffer.byteLength(JSON.stringify(character)) - '""'.length;
}
