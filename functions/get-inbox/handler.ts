import * as v from 'valibot';
import { parseGroupId } from '../../shared/domain/ids.ts';
import { ok, route } from '../../shared/http/route.ts';
import { cursorOf, encodeCursor, flag, limitUpTo } from '../../shared/http/schemas.ts';
import { readInbox } from '../../shared/watermarks/inbox.ts';
import { createStores } from '../composition.ts';
import { viewAnswer } from '../watermark-answer.ts';

const stores = createStores();

/** More than other lists: what a client shows at its start should be one call. */
const MAX_GROUPS = 200;

const LIST = 'inbox';

const input = {
  query: v.object({ unreadOnly: flag, limit: limitUpTo(MAX_GROUPS), cursor: cursorOf(LIST, parseGroupId) }),
};

export const handler = route(input, async ({ query, caller }) => {
  const { groups, next } = await readInbox(stores, caller(), {
    unreadOnly: query.unreadOnly.isSet,
    limit: query.limit,
    after: query.cursor ?? null,
  });
  return ok({
    groups: groups.map((group) => {
      const { groupId, messageId, head, revision, unread } = viewAnswer(group.groupId, caller(), group);
      return { groupId, messageId, head, revision, unread };
    }),
    cursor: next && encodeCursor(LIST, next),
  });
});
