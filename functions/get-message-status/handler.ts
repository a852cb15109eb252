import * as v from 'valibot';
import { NOBODY, NOBODYS_GROUP } from '../../shared/domain/ids.ts';
import { END, formatMessageId } from '../../shared/domain/position.ts';
import { ok } from '../../shared/http/route.ts';
import { groupId, listOf, messageId } from '../../shared/http/schemas.ts';
import { userRoute } from '../../shared/http/user-route.ts';
import { readStatuses } from '../../shared/watermarks/message-statuses.ts';
import { createStores } from '../composition.ts';
import { prepare } from '../prepare.ts';

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
