import * as v from 'valibot';
import { parseUserId } from '../../shared/domain/ids.ts';
import { formatMessageId } from '../../shared/domain/position.ts';
import { ok, route } from '../../shared/http/route.ts';
import { cursorOf, encodeCursor, groupId, limit } from '../../shared/http/schemas.ts';
import { createStores } from '../composition.ts';

const { ledger } = createStores();

const LIST = 'members';

const input = {
  params: v.object({ groupId }),
  query: v.object({ limit, cursor: cursorOf(LIST, parseUserId) }),
};

export const handler = route(input, async ({ params, query }) => {
  const { members, next } = await ledger.memberships.page(params.groupId, query.limit, query.cursor ?? null);
  return ok({
    members: members.map(({ userId, membership }) => ({
      userId,
      // What others may see: a private read does not show here.
      messageId: formatMessageId(membership.public.position),
      joinedAfter: formatMessageId(membership.joinedAfter),
    })),
    cursor: next && encodeCursor(LIST, next),
  });
});
