import * as v from 'valibot';
import type { ListEntry } from '../shared/cache/receipts-index.ts';
import { cursor, groupId, limitUpTo, messageId } from '../shared/contract/schemas.ts';
import { messageNotFound } from '../shared/domain/errors.ts';
import { NOBODY, NOBODYS_GROUP, parseUserId } from '../shared/domain/ids.ts';
import type { ReceiptState } from '../shared/domain/message.ts';
import { END, formatMessageId, parsePosition } from '../shared/domain/position.ts';
import { listReceipts } from '../shared/operations/receipts.ts';
import { createStores } from './runtime/composition.ts';
import { readCursor, writeCursor } from './runtime/cursor.ts';
import { prepare } from './runtime/prepare.ts';
import { ok } from './runtime/route.ts';
import { userRoute } from './runtime/user-route.ts';
import { timeAnswer } from './runtime/watermark-answer.ts';

const stores = createStores();

const STATES = ['read', 'unread', 'delivered'] as const satisfies readonly ReceiptState[];

const MAX_MEMBERS = 500;

const input = {
  params: v.object({ groupId, messageId }),
  query: v.object({
    state: v.optional(v.picklist(STATES, `must be one of ${STATES.join(', ')}`), 'read'),
    limit: limitUpTo(MAX_MEMBERS),
    cursor,
  }),
};

export const handler = userRoute(input, async ({ params, query, user, notFound }) => {
  const { state } = query;
  const name = `receipts ${params.groupId} ${params.messageId} ${state}`;
  const parse = (text: string) => {
    const entry = parseEntry(text);
    // Who has read a message is at or above it, who has not below.
    const isInList = entry && entry.position < params.messageId === (state === 'unread');
    return isInList ? entry : null;
  };
  const list = { state, limit: query.limit, after: readCursor(name, query.cursor, parse) };
  const listed = await listReceipts(stores, params.groupId, user, params.messageId, list);
  if (listed === 'no-member') throw notFound();
  if (listed === 'no-message') throw messageNotFound();
  const { receipt, page } = listed;
  const { senderId, audience, readCount, deliveredCount } = receipt;
  return ok({
    groupId: params.groupId,
    messageId: formatMessageId(params.messageId),
    ...{ senderId, audience, readCount, deliveredCount },
    members: page.members.map(({ userId, membership }) => {
      const { at } = state === 'delivered' ? membership.delivered : membership.public;
      return { userId, at: timeAnswer(at) };
    }),
    cursor: page.next && writeCursor(name, `${page.next.position}|${page.next.userId}`),
  });
});

function parseEntry(text: string): ListEntry | null {
  // A user id may hold a bar, a position holds none.
  const bar = text.indexOf('|');
  const position = parsePosition(text.slice(0, bar));
  const userId = parseUserId(text.slice(bar + 1));
  return position && userId ? { position, userId } : null;
}

await prepare({
  stores,
  operation: () => listReceipts(stores, NOBODYS_GROUP, NOBODY, END, { state: 'read', limit: 1, after: null }),
  others: [handler.rehearse],
});
