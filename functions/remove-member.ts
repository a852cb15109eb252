import * as v from 'valibot';
import { groupId, userId } from '../shared/contract/schemas.ts';
import { removeMember } from '../shared/operations/members.ts';
import { createStores } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { noContent, serviceRoute } from './runtime/route.ts';

const stores = createStores();

export const handler = serviceRoute({ params: v.object({ groupId, userId }) }, async ({ params }) => {
  await removeMember(stores, params.groupId, params.userId);
  return noContent;
});

await prepare({
  stores,
  writes: true,
  others: [handler.rehearse],
});
