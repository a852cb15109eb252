import * as v from 'valibot';
import { NOBODY, NOBODYS_GROUP } from '../../shared/domain/ids.ts';
import { END, formatMessageId } from '../../shared/domain/position.ts';
import { ok } from '../../shared/http/route.ts';
import { groupId, messageId } from '../../shared/http/schemas.ts';
import { userRoute } from '../../shared/http/user-route.ts';
import { markDelivered } from '../../shared/watermarks/mark-delivered.ts';
import { createStores, membershipMode } from '../composition.ts';
import { prepare } from '../prepare.ts';

const stores = createStores();
const mode = membershipMode();

const input = { params: v.object({ groupId }), body: v.strictObject({ messageId }) };

export const handler = userRoute(input, async ({ params, body, user, notFound }) => {
  const marked = await markDelivered(stores, params.groupId, user, body.messageId, mode);
  if (!marked) throw notFound();
  const { position, advanced, clamped } = marked;
  return ok({
    groupId: params.groupId,
    userId: user,
    messageId: formatMessageId(position),
    advanced,
    clamped,
  });
});

await prepare({
  stores,
  operation: () => markDelivered(stores, NOBODYS_GROUP, NOBODY, END, 'strict'),
  writes: true,
  others: [handler.rehearse],
});
