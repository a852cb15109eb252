import * as requests from '../shared/contract/requests.ts';
import { NOBODY, parseUserId } from '../shared/domain/ids.ts';
import { formatMessageId } from '../shared/domain/position.ts';
import { createTidemark } from './runtime/composition.ts';
import { readCursor, writeCursor } from './runtime/cursor.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serve } from './runtime/serve.ts';

const tidemark = createTidemark();

export const handler = serve(requests.listMembers, async ({ groupId, limit, cursor }) => {
  const list = `members ${groupId}`;
  const after = readCursor(list, cursor, parseUserId);
  const { members, next } = await tidemark.ledger.memberships.page(groupId, limit, after);
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
  tidemark,
  operation: () => tidemark.ledger.memberships.page(NOBODY.groupId, 1, null),
  others: [handler.rehearse],
});
