import * as requests from '../shared/contract/requests.ts';
import { NOBODY, NOBODYS_GROUP } from '../shared/domain/ids.ts';
import { END, formatMessageId, messageIdAt } from '../shared/domain/position.ts';
import { readStatuses } from '../shared/operations/message-statuses.ts';
import { createStores } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serve } from './runtime/serve.ts';

const stores = createStores();

export const handler = serve(requests.getMessageStatus, async ({ groupId, messageIds, user }) => {
  const found = await readStatuses(stores, groupId, user, messageIds);
  if (!found) return null;
  return ok({
    groupId,
    watermark: formatMessageId(found.watermark),
    statuses: found.statuses.map(({ position, isRead }) => ({
      messageId: messageIdAt(position),
      read: isRead,
    })),
  });
});

await prepare({
  stores,
  operation: () => readStatuses(stores, NOBODYS_GROUP, NOBODY, [END]),
  others: [handler.rehearse],
});
