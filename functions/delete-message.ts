import * as v from 'valibot';
import { groupId, messageId } from '../shared/contract/schemas.ts';
import { deleteMessage } from '../shared/operations/messages.ts';
import { createStores } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { noContent, serviceRoute } from './runtime/route.ts';

const stores = createStores();

export const handler = serviceRoute({ params: v.object({ groupId, messageId }) }, async ({ params }) => {
  await deleteMessage(stores, params.groupId, params.messageId);
  return noContent;
});

await prepare({
  stores,
  writes: true,
  others: [handler.rehearse],
});
