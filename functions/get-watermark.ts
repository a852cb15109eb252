import * as requests from '../shared/contract/requests.ts';
import { NOBODY, NOBODYS_GROUP } from '../shared/domain/ids.ts';
import { lookAt } from '../shared/operations/own-view.ts';
import { createStores } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serve } from './runtime/serve.ts';
import { viewAnswer } from './runtime/watermark-answer.ts';

const stores = createStores();

export const handler = serve(requests.getWatermark, async ({ groupId, user }) => {
  const view = await lookAt(stores, groupId, user);
  return view && ok(viewAnswer(groupId, user, view));
});

await prepare({
  stores,
  operation: () => lookAt(stores, NOBODYS_GROUP, NOBODY),
  others: [handler.rehearse],
});
