import * as v from 'valibot';
import { cursor, flag, limitUpTo } from '../shared/contract/schemas.ts';
import { NOBODY, parseGroupId } from '../shared/domain/ids.ts';
import { readInbox } from '../shared/operations/inbox.ts';
import { createStores } from './runtime/composition.ts';
import { readCursor, writeCursor } from './runtime/cursor.ts';
import { prepare } from './runtime/prepare.ts';
import { ok } from './runtime/route.ts';
import { userRoute } from './runtime/user-route.ts';
import { viewAnswer } from './runtime/watermark-answer.ts';

const stores = createStores();

/** More than other lists: what a client shows at its start should be one call. */
const MAX_GROUPS = 200;

const input = {
  query: v.object({ unreadOnly: flag, limit: limitUpTo(MAX_GROUPS), cursor }),
};

export const handler = userRoute(input, async ({ query, user }) => {
  const unreadOnly = query.unreadOnly.isSet;
  const list = `inbox ${user} ${unreadOnly ? 'unread' : 'all'}`;
  const { groups, next } = await readInbox(stores, user, {
    unreadOnly,
    limit: query.limit,
    after: readCursor(list, query.cursor, parseGroupId),
  });
  return ok({
    groups: groups.map((group) => {
      const { groupId, messageId, head, revision, unread } = viewAnswer(group.groupId, user, group);
      return { groupId, messageId, head, revision, unread };
    }),
    cursor: next && writeCursor(list, next),
  });
});

await prepare({
  stores,
  operation: () => readInbox(stores, NOBODY, { unreadOnly: false, limit: 1, after: null }),
  others: [handler.rehearse],
});
