import * as v from 'valibot';
import { groupId, listOf, messageId } from '../shared/contract/schemas.ts';
import { NOBODY, NOBODYS_GROUP } from '../shared/domain/ids.ts';
import { END, formatMessageId } from '../shared/domain/position.ts';
import { readStatuses } from '../shared/operations/message-statuses.ts';
import { createStores } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { ok } from './runtime/route.ts';
import { userRoute } from './runtime/user-route.ts';

const stores = createStores();

const input = { params: v.object({ groupId }), body: v.strictObject({ messageIds: listOf(messageId) }) };

export const handler = userRoute(input, async ({ params, body, user, notFound }) => {
  const read = await readStatuses(stores, params.groupId, user, body.messageIds);
  if (!read) throw notFound();
  return ok({
    groupId: params.groupId,
    watermark: formatMessageId(read.watermark),
    statuses: read.statuses.map(({ position, isRead }) => ({
      messageId: formatMessageId(position),
      read: isRead,
    })),
  });
});

await prepare({
  stores,
  operation: () => readStatuses(stores, NOBODYS_GROUP, NOBODY, [END]),
  others: [handler.rehearse],
});
