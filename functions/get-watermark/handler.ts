import * as v from 'valibot';
import { NOBODY, NOBODYS_GROUP } from '../../shared/domain/ids.ts';
import { ok } from '../../shared/http/route.ts';
import { groupId } from '../../shared/http/schemas.ts';
import { userRoute } from '../../shared/http/user-route.ts';
import { lookAt } from '../../shared/watermarks/own-view.ts';
import { createStores } from '../composition.ts';
import { prepare } from '../prepare.ts';
import { viewAnswer } from '../watermark-answer.ts';

const stores = createStores();

export const handler = userRoute({ params: v.object({ groupId }) }, async ({ params, user, notFound }) => {
  const view = await lookAt(stores, params.groupId, user);
  if (!view) throw notFound();
  return ok(viewAnswer(params.groupId, user, view));
});

await prepare({
  stores,
  operation: () => lookAt(stores, NOBODYS_GROUP, NOBODY),
  others: [handler.rehearse],
});
