import { invalidFields } from '../../shared/domain/errors.ts';

const RULE = 'must be a cursor that an earlier page of the same list returned';

/**
 * Returns a cursor: where the next page of a list begins. Callers must not interpret it. `list` names the list with
 * everything that distinguishes it from others, such as the group or the user: a cursor is valid for that list only.
 */
export function writeCursor(list: string, text: string): string {
  return Buffer.from(`${list} ${text}`).toString('base64url');
}

/** Returns what `parse` reads in a cursor of this list; null for the first page. Throws `invalid_request`. */
export function readCursor<T>(list: string, cursor: unknown, parse: (text: string) => T | null): T | null {
  if (cursor === undefined) return null;
  const decoded = typeof cursor === 'string' ? Buffer.from(cursor, 'base64url').toString() : '';
  const text = decoded.slice(list.length + 1);
  // If it is not the same when written again, it is a cursor of another list, or one of several texts that decode
  // alike.
  const read = writeCursor(list, text) === cursor ? parse(text) : null;
  if (read === null) throw invalidFields([{ path: 'cursor', message: RULE }]);
  return read;
}
