import * as requests from '../shared/contract/requests.ts';
import { removeMember } from '../shared/operations/members.ts';
import { createStores } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { noContent, serve } from './runtime/serve.ts';

const stores = createStores();

export const handler = serve(requests.removeMember, async ({ groupId, userId }) => {
  await removeMember(stores, groupId, userId);
  return noContent;
});

await prepare({
  stores,
  writes: true,
  others: [handler.rehearse],
});
