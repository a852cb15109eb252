import * as v from 'valibot';
import { groupId, joinedAfter, listOf, userId } from '../shared/contract/schemas.ts';
import { NOBODYS_GROUP } from '../shared/domain/ids.ts';
import { formatMessageId } from '../shared/domain/position.ts';
import { addMembers } from '../shared/operations/members.ts';
import { createStores } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serviceRoute } from './runtime/route.ts';

const stores = createStores();

/** One member named in the path, or several in the body. */
const one = serviceRoute(
  { params: v.object({ groupId, userId }), body: v.optional(v.strictObject({ joinedAfter }), {}) },
  async ({ params, body }) => {
    const { groupId: group, userId: user } = params;
    const [joined] = await addMembers(stores, group, [user], body.joinedAfter ?? null);
    if (!joined) throw new Error('a join had no outcome');
    const startsAfter = formatMessageId(joined.membership.joinedAfter);
    return ok({ groupId: group, userId: user, joinedAfter: startsAfter }, joined.isNew ? 201 : 200);
  },
);

const several = serviceRoute(
  { params: v.object({ groupId }), body: v.strictObject({ userIds: listOf(userId) }) },
  async ({ params, body }) => {
    const joined = await addMembers(stores, params.groupId, [...new Set(body.userIds)]);
    const added = joined.filter(({ isNew }) => isNew).length;
    return ok({ added, existing: joined.length - added });
  },
);

export const handler: typeof one = ((event, context) =>
  event.pathParameters?.userId === undefined ? several(event, context) : one(event, context)) as typeof one;

await prepare({
  stores,
  operation: () => stores.ledger.messages.readHead(NOBODYS_GROUP),
  writes: true,
  others: [one.rehearse, several.rehearse],
});
