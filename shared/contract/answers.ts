import * as v from 'valibot';
import { RECEIPTS_POLICIES } from '../domain/head.ts';
import {
  count,
  groupId,
  messageId,
  messageIdOrNone,
  preferences as preferenceValues,
  revision,
  time,
  timeOrNone,
  userId,
} from './values.ts';

/*
 * The answers of the endpoints and their parts. The functions use only the types. The schemas are for the OpenAPI
 * document, which has each of them under its name here; they stay out of the bundles.
 */

const audience = v.pipe(
  v.number(),
  v.integer(),
  v.minValue(0),
  v.description('Those who joined before the message and are still there, less its sender'),
);
const cursor = v.pipe(
  v.nullable(v.string()),
  v.description('For the next page, in the parameter `cursor`; null at the end'),
);

const clamped = v.pipe(
  v.boolean(),
  v.description('The mark was beyond the newest message, and counts as a mark of that message'),
);

const parentId = v.pipe(v.nullable(v.string()), v.description('The group that this one is a thread of'));
const archived = v.pipe(v.boolean(), v.description('Whether the group counts as archived now'));

export const unread = v.strictObject({
  count: v.pipe(
    v.number(),
    v.integer(),
    v.minValue(0),
    v.description('The messages of others above the own view that are not silent, at most 5,000'),
  ),
  mentions: v.pipe(count, v.description('How many of these messages mention the user')),
  firstId: v.pipe(
    messageIdOrNone,
    v.description(
      'The oldest of these messages: where the line of new messages belongs; null if there is none',
    ),
  ),
  exact: v.pipe(
    v.boolean(),
    v.description(
      'False where there are more, or where 8 MB of the ledger do not decide: there is at least one then',
    ),
  ),
});

const ownWatermark = {
  groupId,
  userId,
  messageId: messageIdOrNone,
  readAt: timeOrNone,
  revision,
  unread,
};

/** A member's own view after a mark, and the effect of the mark. */
export const watermarkMoved = v.strictObject({
  ...ownWatermark,
  advanced: v.pipe(v.boolean(), v.description('Whether the own view moved, or what others see')),
  clamped,
});

/** A member's own view. */
export const watermark = v.strictObject({ ...ownWatermark, head: messageIdOrNone });

export const deliveredMoved = v.strictObject({
  groupId,
  userId,
  messageId: messageIdOrNone,
  advanced: v.pipe(v.boolean(), v.description('Whether what is delivered moved')),
  clamped,
});

/** What became of a mark in a batch, and where the own view stands then. */
export const markOutcome = v.pipe(
  v.variant('outcome', [
    v.strictObject({
      groupId,
      outcome: v.pipe(
        v.picklist(['advanced', 'unchanged', 'conflict']),
        v.description(
          '`conflict`: `ifRevision` is not the current revision. `not_found`: there is no such group for this user. `failed`: send it again',
        ),
      ),
      messageId: messageIdOrNone,
      revision,
      clamped,
    }),
    v.strictObject({ groupId, outcome: v.picklist(['not_found', 'failed']) }),
  ]),
  v.description('Where the outcome is `not_found` or `failed`, it has no other field than the group'),
);

export const markOutcomes = v.strictObject({ results: v.array(markOutcome) });

export const markAllOutcomes = v.strictObject({ results: v.array(markOutcome), cursor });

export const messageStatus = v.strictObject({
  messageId,
  read: v.pipe(v.boolean(), v.description('Own messages are read')),
});

export const messageStatuses = v.strictObject({
  groupId,
  watermark: messageIdOrNone,
  statuses: v.array(messageStatus),
});

/** What the group and the user's preferences say of a group in lists. */
const placeOfGroup = {
  parentId,
  notify: preferenceValues.notify,
  mutedUntil: preferenceValues.mutedUntil,
  archive: preferenceValues.archive,
  archived,
  preferencesRevision: preferenceValues.revision,
};

export const inboxGroup = v.strictObject({
  groupId,
  messageId: messageIdOrNone,
  head: messageIdOrNone,
  revision,
  unread,
  ...placeOfGroup,
});

export const inboxPage = v.strictObject({ groups: v.array(inboxGroup), cursor });

/** What is unread in all groups of a user together. */
const badgeValues = {
  groups: v.pipe(count, v.description('The groups with something unread')),
  messages: v.pipe(
    count,
    v.description(
      'The messages in them, at most 500 of each. Archived and muted groups count nothing, and those with `notify: mentions` only what mentions the user',
    ),
  ),
  mentions: v.pipe(count, v.description('How many of these messages mention the user')),
  exact: v.pipe(v.boolean(), v.description('False if there may be more')),
};

export const badge = v.strictObject(badgeValues);

export const userBadge = v.strictObject({ userId, ...badgeValues });

export const badges = v.strictObject({ badges: v.array(userBadge) });

const receiptCounts = {
  audience,
  readCount: v.pipe(count, v.description('How many of them have read the message, without private reads')),
  deliveredCount: v.pipe(count, v.description('How many of them have received it')),
};

export const receipt = v.strictObject({
  userId,
  at: v.pipe(
    timeOrNone,
    v.description(
      "When the member's public watermark last moved (with `state=delivered`: what is delivered); null if it never did. It may be later than the reading of this message, and with `state=unread` it is of an earlier one",
    ),
  ),
});

export const receiptsPage = v.strictObject({
  groupId,
  messageId,
  senderId: userId,
  ...receiptCounts,
  members: v.array(receipt),
  cursor,
});

export const messageReceipts = v.pipe(
  v.variant('known', [
    v.strictObject({
      messageId,
      known: v.pipe(v.literal(true), v.description('Whether the message is recorded and not deleted')),
      ...receiptCounts,
      readByAll: v.pipe(v.boolean(), v.description('Everybody has read it; false if there is nobody')),
    }),
    v.strictObject({ messageId, known: v.literal(false) }),
  ]),
  v.description('Where the message is not known, it has no counts'),
);

export const receipts = v.strictObject({ groupId, receipts: v.array(messageReceipts) });

export const preferences = v.strictObject({
  groupId,
  ...preferenceValues,
  archived,
});

export const memberJoined = v.strictObject({ groupId, userId, joinedAfter: messageIdOrNone });

export const membersAdded = v.strictObject({
  added: v.pipe(count, v.description('How many users became members')),
  existing: v.pipe(count, v.description('How many were members already')),
});

export const member = v.strictObject({ userId, messageId: messageIdOrNone, joinedAfter: messageIdOrNone });

export const membersPage = v.strictObject({ members: v.array(member), cursor });

export const messageRecorded = v.strictObject({ groupId, messageId, head: messageId });

/** What became of a message in a batch. */
export const recordOutcome = v.strictObject({
  groupId,
  messageId,
  outcome: v.pipe(
    v.picklist(['recorded', 'known', 'conflict', 'failed']),
    v.description('`conflict`: it is known under another sender. `failed`: send it again'),
  ),
});

export const recordOutcomes = v.strictObject({ results: v.array(recordOutcome) });

export const group = v.strictObject({
  groupId,
  head: messageIdOrNone,
  parentId,
  receipts: v.pipe(
    v.picklist(RECEIPTS_POLICIES),
    v.description('Who may see the receipts of a message: the members, only its sender, or nobody'),
  ),
});

const exportedMarkValues = { messageId: messageIdOrNone, at: timeOrNone };

export const exportedMark = v.strictObject(exportedMarkValues);

export const exportedOwnView = v.strictObject({ ...exportedMarkValues, revision });

export const exportedPreferences = v.strictObject({
  ...preferenceValues,
  archivedAt: v.pipe(
    messageIdOrNone,
    v.description('The newest message that is not silent, when it was archived'),
  ),
  at: timeOrNone,
});

export const exportedJoining = v.strictObject({ at: time, joinedAfter: messageIdOrNone, receivedAt: time });

export const exportedHistory = v.strictObject({
  joinings: v.pipe(
    v.array(exportedJoining),
    v.description('Since the last departure: when each happened, and when Tidemark received it'),
  ),
  leftAt: timeOrNone,
  lastRevision: v.pipe(
    v.nullable(revision),
    v.description('Not below any revision of the memberships before this one'),
  ),
  sentHidden: v.pipe(messageIdOrNone, v.description('The newest message sent while receipts were hidden')),
});

export const exportedState = v.strictObject({
  membership: v.pipe(v.number(), v.description('Grows with each joining')),
  joinedAfter: messageIdOrNone,
  own: exportedOwnView,
  public: exportedMark,
  delivered: exportedMark,
  preferences: exportedPreferences,
});

/** What is stored of a user and a group. */
export const exportedMembership = v.strictObject({
  groupId,
  current: v.pipe(v.nullable(exportedState), v.description('Null if the user has left the group')),
  history: exportedHistory,
  expiresAt: v.pipe(timeOrNone, v.description('When it is removed; null while the user is a member')),
});

export const exportedErasure = v.strictObject({ begunAt: time });

export const exportedConnection = v.strictObject({
  connectedAt: time,
  tokenExpiresAt: time,
  expiresAt: timeOrNone,
});

/** A page of all that is stored of a user. */
export const userExport = v.strictObject({
  userId,
  memberships: v.array(exportedMembership),
  connections: v.pipe(v.array(exportedConnection), v.description('Of clients with the WebSocket API')),
  erasures: v.pipe(v.array(exportedErasure), v.description('One if the user is being erased')),
  unreadable: v.pipe(
    v.array(v.string()),
    v.description('The sort keys of items in the ledger that this version cannot read'),
  ),
  cursor,
});

/** An answer without a body. */
export const nothing = v.undefined();

export const health = v.strictObject({
  status: v.pipe(
    v.picklist(['ok', 'degraded', 'unavailable']),
    v.description('`degraded`: there is no cache, so that answers are slower'),
  ),
  ledger: v.pipe(v.picklist(['ok', 'unavailable']), v.description('Whether DynamoDB answers')),
  cache: v.pipe(v.picklist(['ok', 'unavailable']), v.description('Whether Redis answers')),
});
