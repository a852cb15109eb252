import * as v from 'valibot';
import { NOBODY, NOBODYS_GROUP } from '../../shared/domain/ids.ts';
import { END } from '../../shared/domain/position.ts';
import { ok } from '../../shared/http/route.ts';
import { groupId, messageId } from '../../shared/http/schemas.ts';
import { userRoute } from '../../shared/http/user-route.ts';
import { markUnread } from '../../shared/watermarks/mark-unread.ts';
import { createStores } from '../composition.ts';
import { prepare } from '../prepare.ts';
import { viewAnswer } from '../watermark-answer.ts';

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
