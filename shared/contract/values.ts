import * as v from 'valibot';
import { MESSAGE_ID_PATTERN } from '../domain/position.ts';
import { ARCHIVE_MODES, NOTIFY_LEVELS } from '../domain/preferences.ts';

/* What answers and events hold. Ids and times are text. */

export const groupId = v.pipe(v.string(), v.description('A group, as the chat names it'));

export const userId = v.pipe(v.string(), v.description('A user, as the chat names it'));

export const messageId = v.pipe(
  v.string(),
  v.regex(MESSAGE_ID_PATTERN),
  v.description('A message id: an unsigned 64-bit integer in decimal digits'),
);

/** Null if nothing is read, or if there is no message. */
export const messageIdOrNone = v.nullable(messageId);

export const time = v.pipe(v.string(), v.isoTimestamp(), v.description('RFC 3339, in UTC'));

export const timeOrNone = v.nullable(time);

export const count = v.pipe(v.number(), v.integer(), v.minValue(0));

export const revision = v.pipe(
  v.number(),
  v.integer(),
  v.minValue(0),
  v.description('Grows when the user marks unread: the larger one is the later view'),
);

/** The values of a member's preferences, as answers and events hold them. */
export const preferences = {
  notify: v.pipe(v.picklist(NOTIFY_LEVELS), v.description('Which messages to notify the user of')),
  mutedUntil: v.pipe(timeOrNone, v.description('Not muted where it is null or has passed')),
  hideReceipts: v.pipe(
    v.boolean(),
    v.description('True where every reading and sending of the user is private'),
  ),
  archive: v.pipe(
    v.picklist(ARCHIVE_MODES),
    v.description('`untilNew`: until a message comes that is not silent'),
  ),
  revision: v.pipe(
    v.number(),
    v.integer(),
    v.minValue(0),
    v.description('Grows with each change: the larger one has the later preferences'),
  ),
};
