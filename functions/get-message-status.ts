import * as requests from '../shared/contract/requests.ts';
import { NOBODY } from '../shared/domain/ids.ts';
import { END, formatMessageId, messageIdAt } from '../shared/domain/position.ts';
import { readStatuses } from '../shared/operations/message-statuses.ts';
import { createTidemark } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serve } from './runtime/serve.ts';

const tidemark = createTidemark();

export const handler = serve(requests.getMessageStatus, async ({ messageIds: positions, ...member }) => {
  const found = await readStatuses(tidemark, member, positions);
  if (!found) return null;
  return ok({
    groupId: member.groupId,
    watermark: formatMessageId(found.watermark),
    statuses: found.statuses.map(({ position, isRead }) => ({
      messageId: messageIdAt(position),
      read: isRead,
    })),
  });
});

await prepare({
  tidemark,
  operation: () => readStatuses(tidemark, NOBODY, [END]),
  others: [handler.rehearse],
});
