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

/** How many entries there are is checked first, so that a list that is too long costs nothing for each of them. */
export const listOf = <T>(entry: v.GenericSchema<unknown, T>) =>
  v.pipe(
    v.array(v.unknown(), 'must be an array'),
    v.minLength(1, 'must have at least 1 entry'),
    v.maxLength(MAX_ENTRIES, `must have at most ${MAX_ENTRIES} entries`),
    v.array(entry),
  );

/** Reads only move the own view; what others see stays. */
export const isPrivate = v.optional(v.boolean('must be true or false'), false);

/** The revision of the own view that a caller knows. */
export const revision = parsed(
  (value) => (Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : null),
  'must be an integer from 0',
);

/** How many entries a page may have, from a query parameter. 100 where it is not said. */
export const limitUpTo = (most: number) =>
  v.optional(
    parsed((value) => {
      const number = typeof value === 'string' && /^[1-9][0-9]{0,3}$/.test(value) ? Number(value) : null;
      return number !== null && number <= most ? number : null;
    }, `must be an integer from 1 to ${most}`),
    String(MAX_ENTRIES),
  );

export const limit = limitUpTo(MAX_ENTRIES);

export const flag = v.optional(
  parsed(
    (value) => (value === 'true' || value === 'false' ? { isSet: value === 'true' } : null),
    'must be true or false',
  ),
  'false',
);

/** Where a page of a list goes on: what `parse` takes, in base64url, which a caller takes as opaque. */
export const cursorOf = <T>(list: string, parse: (text: string) => T | null) =>
  v.optional(parsed((value) => decodeCursor(list, value, parse), CURSOR_RULE));

const CURSOR_RULE = 'must be a cursor that an earlier page of the same list returned';

export function encodeCursor(list: string, text: string): string {
  return Buffer.from(`${list} ${text}`).toString('base64url');
}

function decodeCursor<T>(list: string, cursor: unknown, parse: (text: string) => T | null): T | null {
  if (typeof cursor !== 'string') return null;
  const text = Buffer.from(cursor, 'base64url')
    .toString()
    .slice(list.length + 1);
  return encodeCursor(list, text) === cursor ? parse(text) : null;
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
