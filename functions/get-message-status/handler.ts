import * as v from 'valibot';
import { notFound } from '../../shared/domain/errors.ts';
import { formatMessageId } from '../../shared/domain/position.ts';
import { ok, route } from '../../shared/http/route.ts';
import { groupId, listOf, messageId } from '../../shared/http/schemas.ts';
import { readStatuses } from '../../shared/watermarks/message-statuses.ts';
import { createStores } from '../composition.ts';

const stores = createStores();

const input = { params: v.object({ groupId }), body: v.strictObject({ messageIds: listOf(messageId) }) };

export const handler = route(input, async ({ params, body, caller }) => {
  const read = await readStatuses(stores, params.groupId, caller(), body.messageIds);
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
