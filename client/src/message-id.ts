/**
 * Message ids are unsigned 64-bit integers as decimal text without leading zeros. A JavaScript number would round them,
 * so they are compared as text of the same length: a space is before every digit.
 */

/** The largest id. A mark of it means "everything"; no message has it. */
export const LARGEST_ID = '18446744073709551615';

/** Whether `a` is larger than `b`. A missing id is smaller than every id. */
export function isAbove(a: string | null | undefined, b: string | null | undefined): boolean {
  return padded(a) > padded(b);
}

/** Negative where `a` is smaller than `b`, 0 where they are equal, positive where `a` is larger. */
export function compareIds(a: string | null, b: string | null): number {
  return +isAbove(a, b) - +isAbove(b, a);
}

function padded(id: string | null | undefined): string {
  return (id ?? '').padStart(20);
}

export function laterOf(a: string | null, b: string | null): string | null {
  return isAbove(b, a) ? b : a;
}

/** Throws a RangeError for anything else, such as the temporary id of a message that is still being sent. */
export function checkMessageId(id: string): void {
  if (!/^[1-9]\d{0,19}$/.test(id) || isAbove(id, LARGEST_ID)) throw new RangeError(`not an id: ${id}`);
}
