import * as v from 'valibot';
import { groupId, messageId } from '../shared/contract/schemas.ts';
import { NOBODY, NOBODYS_GROUP } from '../shared/domain/ids.ts';
import { END, formatMessageId } from '../shared/domain/position.ts';
import { markDelivered } from '../shared/operations/mark-delivered.ts';
import { createStores, membershipMode } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { ok } from './runtime/route.ts';
import { userRoute } from './runtime/user-route.ts';

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
