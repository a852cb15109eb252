import * as requests from '../shared/contract/requests.ts';
import { NOBODY, parseGroupId } from '../shared/domain/ids.ts';
import { readInbox } from '../shared/operations/inbox.ts';
import { createStores } from './runtime/composition.ts';
import { readCursor, writeCursor } from './runtime/cursor.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serve } from './runtime/serve.ts';
import { viewAnswer } from './runtime/watermark-answer.ts';

const stores = createStores();

export const handler = serve(requests.getInbox, async ({ unreadOnly, limit, cursor, user }) => {
  const list = `inbox ${user} ${unreadOnly ? 'unread' : 'all'}`;
  const after = readCursor(list, cursor, parseGroupId);
  const { groups, next } = await readInbox(stores, user, { unreadOnly, limit, after });
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
