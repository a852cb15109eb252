import * as v from 'valibot';
import { groupId, messageId } from '../shared/contract/schemas.ts';
import { NOBODY, NOBODYS_GROUP } from '../shared/domain/ids.ts';
import { END } from '../shared/domain/position.ts';
import { markUnread } from '../shared/operations/mark-unread.ts';
import { createStores } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { ok } from './runtime/route.ts';
import { userRoute } from './runtime/user-route.ts';
import { viewAnswer } from './runtime/watermark-answer.ts';

const stores = createStores();

const input = { params: v.object({ groupId }), body: v.strictObject({ messageId }) };

export const handler = userRoute(input, async ({ params, body, user, notFound }) => {
  const view = await markUnread(stores, params.groupId, user, body.messageId);
  if (!view) throw notFound();
  return ok(viewAnswer(params.groupId, user, view));
});

await prepare({
  stores,
  operation: () => markUnread(stores, NOBODYS_GROUP, NOBODY, END),
  writes: true,
  others: [handler.rehearse],
});
