/**
 * Message ids are unsigned 64-bit integers as decimal text without leading zeros. A JavaScript number would round them,
 * so they are compared as text: the longer one is larger, and of the same length the later one in text order.
 */

/** The largest id. A mark of it means "everything"; no message has it. */
export const LARGEST_ID = '18446744073709551615';

/** Orders ids, the smallest first. Null is before every message. */
export function compareIds(a: string | null, b: string | null): number {
  const one = a ?? '';
  const other = b ?? '';
  return one.length - other.length || (one < other ? -1 : Number(one > other));
}

/** Whether `a` is larger than `b`. */
export function isAbove(a: string | null, b: string | null): boolean {
  return compareIds(a, b) > 0;
}

export function laterOf(a: string | null, b: string | null): string | null {
  return compareIds(a, b) < 0 ? b : a;
}

/** Throws a RangeError for anything else, such as the temporary id of a message that is still being sent. */
export function checkMessageId(id: string): void {
  if (!/^[1-9]\d{0,19}$/.test(id) || isAbove(id, LARGEST_ID)) throw new RangeError(`not an id: ${id}`);
}
