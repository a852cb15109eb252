import * as requests from '../shared/contract/requests.ts';
import { NOBODY, parseUserId } from '../shared/domain/ids.ts';
import { formatMessageId } from '../shared/domain/position.ts';
import { listMembers } from '../shared/operations/members.ts';
import { createTidemark } from './runtime/composition.ts';
import { readCursor, writeCursor } from './runtime/cursor.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serve } from './runtime/serve.ts';

const tidemark = createTidemark();

export const handler = serve(requests.listMembers, async ({ groupId, limit, cursor }) => {
  const list = `members ${groupId}`;
  const after = readCursor(list, cursor, parseUserId);
  const { members, next } = await listMembers(tidemark, groupId, limit, after);
  return ok({
    members: members.map(({ userId, watermark, joinedAfter }) => ({
      userId,
      messageId: formatMessageId(watermark),
      joinedAfter: formatMessageId(joinedAfter),
    })),
    cursor: next && writeCursor(list, next),
  });
});

await prepare({
  tidemark,
  operation: () => listMembers(tidemark, NOBODY.groupId, 1, null),
  others: [handler.rehearse],
});
