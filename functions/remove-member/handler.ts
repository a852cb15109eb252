import * as v from 'valibot';
import { noContent, serviceRoute } from '../../shared/http/route.ts';
import { groupId, userId } from '../../shared/http/schemas.ts';
import { removeMember } from '../../shared/watermarks/members.ts';
import { createStores } from '../composition.ts';
import { prepare } from '../prepare.ts';

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
