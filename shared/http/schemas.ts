import * as v from 'valibot';
import { parseGroupId, parseUserId } from '../domain/ids.ts';
import { type Position, parseMessageId } from '../domain/position.ts';

/** Arrays have at most 100 entries. */
const MAX_ENTRIES = 100;

const ID_RULE = 'must be 1 to 128 characters out of A-Z a-z 0-9 . _ : @ ! + = ~ -';

export const groupId = parsed(parseGroupId, ID_RULE);
export const userId = parsed(parseUserId, ID_RULE);
export const messageId: v.GenericSchema<unknown, Position> = parsed(
  parseMessageId,
  'must be an integer from 1 to 18446744073709551615, as a decimal string without leading zeros or, up to 2^53-1, as a JSON integer',
);

/** An RFC 3339 time, as milliseconds since the epoch. */
export const time = parsed(
  (value) =>
    typeof value === 'string' && RFC_3339.test(value) && isDay(value) ? validTime(Date.parse(value)) : null,
  'must be an RFC 3339 time such as 2026-01-31T12:00:00.000Z',
);

export const listOf = <T>(entry: v.GenericSchema<unknown, T>) =>
  v.pipe(
    v.array(entry, 'must be an array'),
    v.minLength(1, 'must have at least 1 entry'),
    v.maxLength(MAX_ENTRIES, `must have at most ${MAX_ENTRIES} entries`),
  );

/** How many entries a page may have, from a query parameter. */
export const limit = v.optional(
  parsed(
    (value) => (typeof value === 'string' && /^([1-9][0-9]?|100)$/.test(value) ? Number(value) : null),
    `must be an integer from 1 to ${MAX_ENTRIES}`,
  ),
  String(MAX_ENTRIES),
);

/** Where a page goes on: a user id in base64url, which a caller takes as opaque. */
export const userCursor = v.optional(
  parsed(
    (value) => (typeof value === 'string' ? decodeCursor(value) : null),
    'must be a cursor that an earlier page returned',
  ),
);

export function encodeCursor(id: string): string {
  return Buffer.from(id).toString('base64url');
}

function decodeCursor(cursor: string) {
  const id = parseUserId(Buffer.from(cursor, 'base64url').toString());
  return id && encodeCursor(id) === cursor ? id : null;
}

const RFC_3339 = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/;

/** `Date.parse` takes 30 February for 2 March. */
function isDay(time: string): boolean {
  const [year, month, day] = time.slice(0, 10).split('-').map(Number);
  return new Date(Date.UTC(year ?? 0, (month ?? 0) - 1, day)).getUTCDate() === day;
}

function validTime(ms: number): number | null {
  return Number.isNaN(ms) || ms < 0 ? null : ms;
}

/** A schema out of one of the domain's parsers, which return null for what they refuse. */
function parsed<T>(parse: (value: unknown) => T | null, rule: string): v.GenericSchema<unknown, T> {
  return v.pipe(
    v.unknown(),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const value = parse(dataset.value);
      if (value === null) {
        addIssue({ message: rule });
        return NEVER;
      }
      return value;
    }),
  ) as v.GenericSchema<unknown, T>;
}
