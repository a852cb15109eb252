import type { ListEntry } from '../shared/cache/receipts-index.ts';
import * as requests from '../shared/contract/requests.ts';
import { messageNotFound, receiptsOff } from '../shared/domain/errors.ts';
import { NOBODY, parseUserId } from '../shared/domain/ids.ts';
import { END, messageIdAt, parsePosition } from '../shared/domain/position.ts';
import { formatTime } from '../shared/domain/time.ts';
import { listReceipts } from '../shared/operations/receipts.ts';
import { createTidemark } from './runtime/composition.ts';
import { readCursor, writeCursor } from './runtime/cursor.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serve } from './runtime/serve.ts';

const tidemark = createTidemark();

export const handler = serve(
  requests.listReceipts,
  async ({ messageId: position, state, limit, cursor, ...caller }) => {
    const { groupId } = caller;
    const name = `receipts ${groupId} ${position} ${state}`;
    const parse = (text: string) => {
      const entry = parseEntry(text);
      // Members who have read the message are at or above it, the others below it.
      const isInList = entry && entry.position < position === (state === 'unread');
      return isInList ? entry : null;
    };
    const list = { state, limit, after: readCursor(name, cursor, parse) };
    const listed = await listReceipts(tidemark, caller, position, list);
    if (!listed) return null;
    if (listed === 'receipts-off') throw receiptsOff();
    if (listed === 'no-message') throw messageNotFound();
    const { receipt, page } = listed;
    const { senderId, audience, readCount, deliveredCount } = receipt;
    return ok({
      groupId,
      messageId: messageIdAt(position),
      ...{ senderId, audience, readCount, deliveredCount },
      members: page.members.map(({ userId, membership }) => {
        const { at } = state === 'delivered' ? membership.delivered : membership.public;
        return { userId, at: formatTime(at) };
      }),
      cursor: page.next && writeCursor(name, `${page.next.position}|${page.next.userId}`),
    });
  },
);

function parseEntry(text: string): ListEntry | null {
  // A user id may contain a bar, a position does not.
  const bar = text.indexOf('|');
  const position = parsePosition(text.slice(0, bar));
  const userId = parseUserId(text.slice(bar + 1));
  return position && userId ? { position, userId } : null;
}

await prepare({
  tidemark,
  operation: () => listReceipts(tidemark, NOBODY, END, { state: 'read', limit: 1, after: null }),
  others: [handler.rehearse],
});
