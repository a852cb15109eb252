import * as v from 'valibot';
import { notFound } from '../../shared/domain/errors.ts';
import { formatMessageId } from '../../shared/domain/position.ts';
import { ok, route } from '../../shared/http/route.ts';
import { groupId, listOf, messageId } from '../../shared/http/schemas.ts';
import { readWatermark } from '../../shared/watermarks/message-status.ts';
import { createStores } from '../composition.ts';

const stores = createStores();

const input = { params: v.object({ groupId }), body: v.strictObject({ messageIds: listOf(messageId) }) };

export const handler = route(input, async ({ params, body, caller }) => {
  const watermark = await readWatermark(stores, params.groupId, caller());
  if (!watermark) throw notFound();
  const statuses = body.messageIds.map((position) => ({
    messageId: formatMessageId(position),
    read: position <= watermark,
  }));
  return ok({ groupId: params.groupId, watermark: formatMessageId(watermark), statuses });
});
