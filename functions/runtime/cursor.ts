import { invalidFields } from '../../shared/domain/errors.ts';

const RULE = 'must be a cursor that an earlier page of the same list returned';

/**
 * Where the next page of a list begins, which a caller takes as opaque. `list` names the list with all that makes it
 * another one, such as the group or the user: a cursor is good for that list alone.
 */
export function writeCursor(list: string, text: string): string {
  return Buffer.from(`${list} ${text}`).toString('base64url');
}

/** What `parse` takes out of a cursor of this list; null for the first page. Throws `invalid_request`. */
export function readCursor<T>(
  list: string,
  cursor: string | undefined,
  parse: (text: string) => T | null,
): T | null {
  if (cursor === undefined) return null;
  const text = Buffer.from(cursor, 'base64url')
    .toString()
    .slice(list.length + 1);
  // Written again it is the same: neither another list's nor one that decodes in more than one way.
  const read = writeCursor(list, text) === cursor ? parse(text) : null;
  if (read === null) throw invalidFields([{ path: 'cursor', message: RULE }]);
  return read;
}
