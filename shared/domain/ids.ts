declare const groupBrand: unique symbol;
declare const userBrand: unique symbol;

/** A conversation. A one-to-one chat is a group of two. */
export type GroupId = string & { readonly [groupBrand]: true };
export type UserId = string & { readonly [userBrand]: true };

/**
 * What an id may look like. Neither `#` (ledger keys, cache entries) nor braces (Redis hash tags) nor `/`, `?` and `%`
 * (paths) are in it, so ids never need escaping in a key. `.` and `..` are none: a URL would lose them.
 */
export const ID_PATTERN = /^(?!\.{1,2}$)[A-Za-z0-9._:@!+=~|$*-]{1,128}$/;

/**
 * A group and a user that there cannot be, since `.` is no id: what is asked about them touches nobody. A function
 * rehearses with them before its first request.
 */
export const NOBODYS_GROUP = '.' as GroupId;
export const NOBODY = '.' as UserId;

/** What a caller who gives another id is told. */
export const ID_RULE =
  'must be 1 to 128 characters out of A-Z a-z 0-9 . _ : @ ! + = ~ | $ * -, and neither . nor ..';

export function parseGroupId(value: unknown): GroupId | null {
  return isId(value) ? (value as GroupId) : null;
}

export function parseUserId(value: unknown): UserId | null {
  return isId(value) ? (value as UserId) : null;
}

function isId(value: unknown): boolean {
  return typeof value === 'string' && ID_PATTERN.test(value);
}
