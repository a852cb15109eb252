import * as requests from '../shared/contract/requests.ts';
import { deleteMessage } from '../shared/operations/messages.ts';
import { createStores } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { noContent, serve } from './runtime/serve.ts';

const stores = createStores();

export const handler = serve(requests.deleteMessage, async ({ groupId, messageId }) => {
  await deleteMessage(stores, groupId, messageId);
  return noContent;
});

await prepare({
  stores,
  writes: true,
  others: [handler.rehearse],
});
