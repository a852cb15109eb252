import * as v from 'valibot';

/*
 * The shapes of the answers. Ids and times are text. The functions use the types alone: the schemas are for the OpenAPI
 * document, and stay out of the bundles.
 */

const id = v.string();
/** Null before the first message. */
const idOrNone = v.nullable(id);
const timeOrNone = v.nullable(v.string());
const count = v.number();
const cursor = v.nullable(v.string());

const unread = v.strictObject({ count, exact: v.boolean() });

const ownWatermark = {
  groupId: id,
  userId: id,
  messageId: idOrNone,
  readAt: timeOrNone,
  revision: v.number(),
  unread,
};

/** Where a member's own view stands after a mark, and what became of the mark. */
export const watermarkMoved = v.strictObject({
  ...ownWatermark,
  advanced: v.boolean(),
  clamped: v.boolean(),
});

/** Where a member's own view stands. */
export const watermark = v.strictObject({ ...ownWatermark, head: idOrNone });

export const deliveredMoved = v.strictObject({
  groupId: id,
  userId: id,
  messageId: idOrNone,
  advanced: v.boolean(),
  clamped: v.boolean(),
});

export const markOutcomes = v.strictObject({
  results: v.array(
    v.variant('outcome', [
      v.strictObject({
        groupId: id,
        outcome: v.picklist(['advanced', 'unchanged', 'conflict']),
        messageId: idOrNone,
        revision: v.number(),
        clamped: v.boolean(),
      }),
      v.strictObject({ groupId: id, outcome: v.picklist(['not_found', 'failed']) }),
    ]),
  ),
});

export const messageStatuses = v.strictObject({
  groupId: id,
  watermark: idOrNone,
  statuses: v.array(v.strictObject({ messageId: id, read: v.boolean() })),
});

export const inboxPage = v.strictObject({
  groups: v.array(
    v.strictObject({ groupId: id, messageId: idOrNone, head: idOrNone, revision: v.number(), unread }),
  ),
  cursor,
});

const receiptCounts = { audience: count, readCount: count, deliveredCount: count };

export const receiptsPage = v.strictObject({
  groupId: id,
  messageId: id,
  senderId: id,
  ...receiptCounts,
  members: v.array(v.strictObject({ userId: id, at: timeOrNone })),
  cursor,
});

export const receipts = v.strictObject({
  groupId: id,
  receipts: v.array(
    v.variant('known', [
      v.strictObject({ messageId: id, known: v.literal(true), ...receiptCounts, readByAll: v.boolean() }),
      v.strictObject({ messageId: id, known: v.literal(false) }),
    ]),
  ),
});

export const memberJoined = v.strictObject({ groupId: id, userId: id, joinedAfter: idOrNone });

export const membersAdded = v.strictObject({ added: count, existing: count });

export const membersPage = v.strictObject({
  members: v.array(v.strictObject({ userId: id, messageId: idOrNone, joinedAfter: idOrNone })),
  cursor,
});

export const messageRecorded = v.strictObject({ groupId: id, messageId: id, head: id });

/** An answer without a body. */
export const nothing = v.undefined();

export const health = v.strictObject({
  status: v.picklist(['ok', 'degraded', 'unavailable']),
  ledger: v.picklist(['ok', 'unavailable']),
  cache: v.picklist(['ok', 'unavailable']),
});
