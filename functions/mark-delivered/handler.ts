import * as v from 'valibot';
import { notFound } from '../../shared/domain/errors.ts';
import { formatMessageId } from '../../shared/domain/position.ts';
import { ok, route } from '../../shared/http/route.ts';
import { groupId, messageId } from '../../shared/http/schemas.ts';
import { markDelivered } from '../../shared/watermarks/mark-delivered.ts';
import { createStores, membershipMode } from '../composition.ts';

const stores = createStores();
const mode = membershipMode();

const input = { params: v.object({ groupId }), body: v.strictObject({ messageId }) };

export const handler = route(input, async ({ params, body, caller }) => {
  const marked = await markDelivered(stores, params.groupId, caller(), body.messageId, mode);
  if (!marked) throw notFound();
  const { position, advanced, clamped } = marked;
  const userId = caller();
  return ok({ groupId: params.groupId, userId, messageId: formatMessageId(position), advanced, clamped });
});
