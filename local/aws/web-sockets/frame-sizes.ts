/** The bytes before a frame's length field ends, by the code that stands in the second byte. */
const LENGTH_ENDS: Readonly<Record<number, number>> = { 126: 4, 127: 10 };

const MASK_BYTES = 4;

/**
 * Reads the sizes of the frames in the bytes that a client sends, since `ws` bounds messages and not frames.
 * https://www.rfc-editor.org/rfc/rfc6455#section-5.2
 */
export class FrameSizes {
  /** The bytes of a header that is not complete yet. */
  #header: number[] = [];
  /** The bytes until the next header. */
  #left = 0;

  /** Returns the size of the largest frame whose header ends in these bytes; 0 where none does. */
  largestIn(bytes: Buffer): number {
    let largest = 0;
    let at = 0;
    while (at < bytes.length) {
      if (this.#left > 0) {
        const skipped = Math.min(this.#left, bytes.length - at);
        this.#left -= skipped;
        at += skipped;
        continue;
      }
      this.#header.push(bytes[at] ?? 0);
      at += 1;
      const [, second = 0] = this.#header;
      const code = second & 0x7f;
      if (this.#header.length < (LENGTH_ENDS[code] ?? 2)) continue;
      const size = this.#header.length === 2 ? code : numberIn(this.#header.slice(2));
      largest = Math.max(largest, size);
      this.#left = size + ((second & 0x80) === 0 ? 0 : MASK_BYTES);
      this.#header = [];
    }
    return largest;
  }
}

function numberIn(bytes: readonly number[]): number {
  return bytes.reduce((sum, byte) => sum * 256 + byte, 0);
}
