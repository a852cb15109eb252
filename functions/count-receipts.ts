import * as v from 'valibot';
import { groupId, listOf, messageId } from '../shared/contract/schemas.ts';
import { NOBODY, NOBODYS_GROUP } from '../shared/domain/ids.ts';
import { END, formatMessageId, type Position } from '../shared/domain/position.ts';
import { countReceipts } from '../shared/operations/receipts.ts';
import { createStores } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { ok } from './runtime/route.ts';
import { userRoute } from './runtime/user-route.ts';

const stores = createStores();

const input = { params: v.object({ groupId }), body: v.strictObject({ messageIds: listOf(messageId) }) };

export const handler = userRoute(input, async ({ params, body, user, notFound }) => {
  const counted = await countReceipts(stores, params.groupId, user, body.messageIds);
  if (!counted) throw notFound();
  const receipts = counted.map((receipt, index) => {
    const messageId = formatMessageId(body.messageIds[index] as Position);
    if (!receipt) return { messageId, known: false };
    const { audience, readCount, deliveredCount } = receipt;
    // Where there is nobody to read it, nobody has.
    const readByAll = audience > 0 && readCount === audience;
    return { messageId, known: true, audience, readCount, deliveredCount, readByAll };
  });
  return ok({ groupId: params.groupId, receipts });
});

await prepare({
  stores,
  operation: () => countReceipts(stores, NOBODYS_GROUP, NOBODY, [END]),
  others: [handler.rehearse],
});
