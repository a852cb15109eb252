declare const groupBrand: unique symbol;
declare const userBrand: unique symbol;

/** A conversation. A one-to-one chat is a group of two. */
export type GroupId = string & { readonly [groupBrand]: true };
export type UserId = string & { readonly [userBrand]: true };

/** A user in a group. A call about a member that does not exist finds that out, and changes nothing. */
export interface Member {
  readonly groupId: GroupId;
  readonly userId: UserId;
}

/**
 * The characters of an id. `#` (ledger keys, cache entries), braces (Redis hash tags), `/`, `?` and `%` (paths) are not
 * among them, so a key never has to escape an id. `.` and `..` are not ids: a URL would lose them.
 */
export const ID_PATTERN = /^(?!\.{1,2}$)[A-Za-z0-9._:@!+=~|$*-]{1,128}$/;

/**
 * A member that cannot exist, since `.` is not an id: calls about it affect nobody. A function rehearses with it before
 * its first request.
 */
export const NOBODY: Member = { groupId: '.' as GroupId, userId: '.' as UserId };

/** The message of the error for any other id. */
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
