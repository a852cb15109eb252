declare const groupBrand: unique symbol;
declare const userBrand: unique symbol;

/** A conversation. A one-to-one chat is a group of two. */
export type GroupId = string & { readonly [groupBrand]: true };
export type UserId = string & { readonly [userBrand]: true };

/**
 * What an id may look like. Neither `#` (ledger keys), `|` (cache entries) nor braces (Redis hash tags)
 * are in it, so ids never need escaping in a key.
 */
export const ID_PATTERN = /^[A-Za-z0-9._:@!+=~-]{1,128}$/;

export function parseGroupId(value: unknown): GroupId | null {
  return typeof value === 'string' && ID_PATTERN.test(value) ? (value as GroupId) : null;
}

export function parseUserId(value: unknown): UserId | null {
  return typeof value === 'string' && ID_PATTERN.test(value) ? (value as UserId) : null;
}
