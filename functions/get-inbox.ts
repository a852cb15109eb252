import * as requests from '../shared/contract/requests.ts';
import { NOBODY, parseGroupId } from '../shared/domain/ids.ts';
import { formatPlace } from '../shared/domain/place.ts';
import { readInbox } from '../shared/operations/inbox.ts';
import { createTidemark } from './runtime/composition.ts';
import { readCursor, writeCursor } from './runtime/cursor.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serve } from './runtime/serve.ts';
import { viewAnswer } from './runtime/watermark-answer.ts';

const tidemark = createTidemark();

export const handler = serve(requests.getInbox, async (call) => {
  const { unreadOnly, archived, parentId, limit, cursor, userId } = call;
  const list = `inbox ${userId} ${unreadOnly} ${archived} ${parentId ?? ''}`;
  const after = readCursor(list, cursor, parseGroupId);
  const { groups, next } = await readInbox(tidemark, userId, {
    ...{ unreadOnly, archived, parentId },
    ...{ limit, after },
  });
  return ok({
    groups: groups.map((group) => {
      const { groupId, messageId, head, revision, unread } = viewAnswer(
        { groupId: group.groupId, userId },
        group,
      );
      return { groupId, messageId, head, revision, unread, ...formatPlace(group.head, group.membership) };
    }),
    cursor: next && writeCursor(list, next),
  });
});

await prepare({
  tidemark,
  operation: () => readInbox(tidemark, NOBODY.userId, { unreadOnly: false, limit: 1, after: null }),
  others: [handler.rehearse],
});
