import * as v from 'valibot';
import { cursor, groupId, limitUpTo } from '../shared/contract/schemas.ts';
import { NOBODYS_GROUP, parseUserId } from '../shared/domain/ids.ts';
import { formatMessageId } from '../shared/domain/position.ts';
import { createStores } from './runtime/composition.ts';
import { readCursor, writeCursor } from './runtime/cursor.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serviceRoute } from './runtime/route.ts';

const stores = createStores();

const MAX_MEMBERS = 500;

const input = {
  params: v.object({ groupId }),
  query: v.object({ limit: limitUpTo(MAX_MEMBERS), cursor }),
};

export const handler = serviceRoute(input, async ({ params, query }) => {
  const list = `members ${params.groupId}`;
  const after = readCursor(list, query.cursor, parseUserId);
  const { members, next } = await stores.ledger.memberships.page(params.groupId, query.limit, after);
  return ok({
    members: members.map(({ userId, membership }) => ({
      userId,
      // What others may see: a private read does not show here.
      messageId: formatMessageId(membership.public.position),
      joinedAfter: formatMessageId(membership.joinedAfter),
    })),
    cursor: next && writeCursor(list, next),
  });
});

await prepare({
  stores,
  operation: () => stores.ledger.memberships.page(NOBODYS_GROUP, 1, null),
  others: [handler.rehearse],
});
