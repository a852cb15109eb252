import * as v from 'valibot';
import { notFound } from '../../shared/domain/errors.ts';
import { ok, route } from '../../shared/http/route.ts';
import { groupId, messageId } from '../../shared/http/schemas.ts';
import { markUnread } from '../../shared/watermarks/mark-unread.ts';
import { createStores } from '../composition.ts';
import { viewAnswer } from '../watermark-answer.ts';

const stores = createStores();

const input = { params: v.object({ groupId }), body: v.strictObject({ messageId }) };

export const handler = route(input, async ({ params, body, caller }) => {
  const view = await markUnread(stores, params.groupId, caller(), body.messageId);
  if (!view) throw notFound();
  return ok(viewAnswer(params.groupId, caller(), view));
});
