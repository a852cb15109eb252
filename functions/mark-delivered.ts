import * as requests from '../shared/contract/requests.ts';
import { NOBODY, NOBODYS_GROUP } from '../shared/domain/ids.ts';
import { END, formatMessageId } from '../shared/domain/position.ts';
import { markDelivered } from '../shared/operations/mark-delivered.ts';
import { createStores, membershipMode } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serve } from './runtime/serve.ts';

const stores = createStores();
const mode = membershipMode();

export const handler = serve(requests.markDelivered, async ({ groupId, messageId, user }) => {
  const marked = await markDelivered(stores, groupId, user, messageId, mode);
  if (!marked) return null;
  const { position, advanced, clamped } = marked;
  return ok({ groupId, userId: user, messageId: formatMessageId(position), advanced, clamped });
});

await prepare({
  stores,
  operation: () => markDelivered(stores, NOBODYS_GROUP, NOBODY, END, 'strict'),
  writes: true,
  others: [handler.rehearse],
});
