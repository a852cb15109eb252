import * as v from 'valibot';
import { RECEIPTS_POLICIES } from '../domain/head.ts';
import { ID_RULE, parseGroupId, parseUserId } from '../domain/ids.ts';
import type { Mentions, ReceiptState } from '../domain/message.ts';
import { type Position, parseMessageId, START } from '../domain/position.ts';
import { ARCHIVE_MODES, LAST_TIME_MS, NOTIFY_LEVELS } from '../domain/preferences.ts';

/** Arrays have at most 100 entries. */
const MAX_ENTRIES = 100;

export const groupId = parsed(parseGroupId, ID_RULE);
export const userId = parsed(parseUserId, ID_RULE);
/** A message id on the way in. Its output is a position. */
export const position: v.GenericSchema<unknown, Position> = parsed(
  parseMessageId,
  'must be an integer from 1 to 18446744073709551615, as a decimal string without leading zeros or, up to 2^53-1, as a JSON integer',
);

/** The schemas of the names in paths. */
export const parameters = { groupId, messageId: position, userId };

/** The message that a member starts after; null is before the first one. Without it the member starts at the head. */
export const joinedAfter = /* @__PURE__ */ v.optional(
  parsed((value) => (value === null ? START : parseMessageId(value)), 'must be a message id, or null'),
);

/** An RFC 3339 time, as `instantOf` reads it. */
export const time = parsed(
  (value) => (typeof value === 'string' ? instantOf(value) : null),
  'must be an RFC 3339 time such as 2026-01-31T12:00:00.000Z, from 1970 on and at most a day ahead',
);

/** An RFC 3339 time that may be far ahead, exactly as it is written. */
export const timeAhead = parsed(
  (value) => (typeof value === 'string' ? millisecondsIn(value) : null),
  'must be an RFC 3339 time such as 2026-01-31T12:00:00.000Z, from the year 1970 to the year 9999',
);

/**
 * A list of 1 to 100 entries. Their number is checked first, so that a list that is too long costs little.
 *
 * @__NO_SIDE_EFFECTS__
 */
export function listOf<T>(entry: v.GenericSchema<unknown, T>, rule = 'must be an array') {
  return v.pipe(
    v.array(v.unknown(), rule),
    v.minLength(1, 'must have at least 1 entry'),
    v.maxLength(MAX_ENTRIES, `must have at most ${MAX_ENTRIES} entries`),
    v.array(entry),
  );
}

/** A boolean in a body; false if it is missing. */
export const flag = /* @__PURE__ */ v.optional(/* @__PURE__ */ v.boolean('must be true or false'), false);

/** The revision of the own view that the caller knows. */
export const revision = parsed(
  (value) => (Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : null),
  'must be an integer from 0',
);

export const ifRevision = /* @__PURE__ */ v.optional(revision);

export const notify = /* @__PURE__ */ v.optional(
  /* @__PURE__ */ v.picklist(NOTIFY_LEVELS, 'must be one of all, mentions, none'),
);

/** Null means not muted. */
export const mutedUntil = /* @__PURE__ */ v.optional(/* @__PURE__ */ v.nullable(timeAhead));

export const hideReceipts = /* @__PURE__ */ v.optional(/* @__PURE__ */ v.boolean('must be true or false'));

export const archive = /* @__PURE__ */ v.optional(
  /* @__PURE__ */ v.picklist(ARCHIVE_MODES, 'must be one of no, untilNew, always'),
);

export const sentAt = /* @__PURE__ */ v.optional(time);

/** How long after a message was sent its unread readers are named in an event: a minute to a week. */
export const remindAfterSeconds = /* @__PURE__ */ v.optional(
  parsed(
    (value) =>
      Number.isSafeInteger(value) && (value as number) >= 60 && (value as number) <= 604_800
        ? (value as number)
        : null,
    'must be an integer from 60 to 604800',
  ),
);

export const positions = listOf(position);

export const userIds = listOf(userId);

/** The group that a thread belongs to; null for none. */
export const parentId = /* @__PURE__ */ v.optional(/* @__PURE__ */ v.nullable(groupId));

/** Only groups of this parent. */
export const parentFilter = /* @__PURE__ */ v.optional(groupId);

/** Who may see receipts. */
export const receiptsPolicy = /* @__PURE__ */ v.optional(
  /* @__PURE__ */ v.picklist(RECEIPTS_POLICIES, 'must be one of members, sender, off'),
);

const everybody = /* @__PURE__ */ v.literal('all');

/** A user who is named twice is mentioned once. */
const mentionedUsers = /* @__PURE__ */ v.pipe(
  /* @__PURE__ */ listOf(userId, 'must be an array of user ids, or "all"'),
  /* @__PURE__ */ v.transform((userIds) => [...new Set(userIds)]),
);

/** Whom a message mentions; nobody if it is missing. */
export const mentions = /* @__PURE__ */ v.optional(
  /* @__PURE__ */ v.lazy((given): v.GenericSchema<unknown, Mentions> => {
    return given === 'all' ? everybody : mentionedUsers;
  }),
);

/** Whether the sender of a message moves to it; true if it is missing. */
export const advanceSender = /* @__PURE__ */ v.optional(
  /* @__PURE__ */ v.boolean('must be true or false'),
  true,
);

/** A mark in a batch. */
export const mark = /* @__PURE__ */ v.pipe(
  /* @__PURE__ */ v.strictObject({
    groupId,
    messageId: position,
    private: flag,
    ifRevision,
    delivered: flag,
  }),
  /* @__PURE__ */ v.check(
    (given) => !given.delivered || (!given.private && given.ifRevision === undefined),
    'must have neither private nor ifRevision where delivered is true: they are about the own view',
  ),
);

export const marks = listOf(mark);

/** The fields of a message that is recorded, beside its group. */
export const messageFields = {
  messageId: position,
  senderId: userId,
  sentAt,
  silent: flag,
  mentions,
  advanceSender,
  remindAfterSeconds,
};

/** A message in a batch. */
export const message = /* @__PURE__ */ v.strictObject({ groupId, ...messageFields });

export const messages = /* @__PURE__ */ listOf(message);

/**
 * The most entries of a page, as a query parameter; 100 if it is missing.
 *
 * @__NO_SIDE_EFFECTS__
 */
export function limitUpTo(most: number) {
  return v.optional(
    parsed((value) => {
      const number = typeof value === 'string' && /^[1-9][0-9]{0,3}$/.test(value) ? Number(value) : null;
      return number !== null && number <= most ? number : null;
    }, `must be an integer from 1 to ${most}`),
    String(MAX_ENTRIES),
  );
}

export const limitTo200 = limitUpTo(200);
export const limitTo500 = limitUpTo(500);

/** A boolean in the query; false if it is missing. */
export const flagParameter = /* @__PURE__ */ v.optional(
  parsed(
    (value) => (value === 'true' || value === 'false' ? value === 'true' : null),
    'must be true or false',
  ),
  'false',
);

const STATES: readonly ReceiptState[] = ['read', 'unread', 'delivered'];

/** Which members a list of receipts has; if it is missing, those who have read the message. */
export const state = /* @__PURE__ */ v.optional(
  /* @__PURE__ */ v.picklist(STATES, 'must be one of read, unread, delivered'),
  'read',
);

/** Anything: `readCursor` checks it later, since only the function knows which list it must belong to. */
export const cursor = /* @__PURE__ */ v.optional(/* @__PURE__ */ v.unknown());

const DAY_MS = 86_400_000;

/** Lower case and any offset of less than a day are valid RFC 3339. A leap second is refused: no clock here has one. */
const RFC_3339 =
  /^\d{4}-\d{2}-\d{2}T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(?<fraction>\.\d{1,9})?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)$/i;

/**
 * Returns an RFC 3339 time as milliseconds since 1970. Null for any other text, and for times before 1970 or more than
 * a day ahead. A time in whole seconds counts as the last millisecond of that second: the event may have happened at
 * any moment of it.
 */
export function instantOf(text: string, nowMs = Date.now()): number | null {
  const ms = millisecondsIn(text);
  if (ms === null || ms > nowMs + DAY_MS) return null;
  return RFC_3339.exec(text)?.groups?.fraction === undefined ? ms + 999 : ms;
}

/** Returns an RFC 3339 time as milliseconds since 1970. Null for any other text, and for times out of 1970 to 9999. */
function millisecondsIn(text: string): number | null {
  if (!RFC_3339.test(text) || !isDay(text)) return null;
  const ms = Date.parse(text.toUpperCase());
  return ms >= 0 && ms <= LAST_TIME_MS ? ms : null;
}

/** Whether the day exists: `Date.parse` reads 30 February as 2 March. */
function isDay(time: string): boolean {
  const [year, month, day] = time.slice(0, 10).split('-').map(Number);
  return new Date(Date.UTC(year ?? 0, (month ?? 0) - 1, day)).getUTCDate() === day;
}

/**
 * Makes a schema from one of the domain's parsers, which return null for an invalid value.
 *
 * @__NO_SIDE_EFFECTS__
 */
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
