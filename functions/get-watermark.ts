import * as v from 'valibot';
import { groupId } from '../shared/contract/schemas.ts';
import { NOBODY, NOBODYS_GROUP } from '../shared/domain/ids.ts';
import { lookAt } from '../shared/operations/own-view.ts';
import { createStores } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { ok } from './runtime/route.ts';
import { userRoute } from './runtime/user-route.ts';
import { viewAnswer } from './runtime/watermark-answer.ts';

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
