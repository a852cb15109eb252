import * as v from 'valibot';
import { noContent, serviceRoute } from '../../shared/http/route.ts';
import { groupId, messageId } from '../../shared/http/schemas.ts';
import { deleteMessage } from '../../shared/watermarks/messages.ts';
import { createStores } from '../composition.ts';
import { prepare } from '../prepare.ts';

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
