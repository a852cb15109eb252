import * as v from 'valibot';
import { groupId, messageId, time, userId } from '../shared/contract/schemas.ts';
import { senderConflict } from '../shared/domain/errors.ts';
import { formatMessageId } from '../shared/domain/position.ts';
import { recordMessage } from '../shared/operations/messages.ts';
import { createStores } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serviceRoute } from './runtime/route.ts';

const stores = createStores();

const input = {
  params: v.object({ groupId }),
  body: v.strictObject({ messageId, senderId: userId, sentAt: v.optional(time) }),
};

export const handler = serviceRoute(input, async ({ params, body }) => {
  const { messageId: position, senderId, sentAt: sentAtMs } = body;
  const sent = { groupId: params.groupId, position, senderId, sentAtMs };
  const recorded = await recordMessage(stores, sent);
  if (recorded.outcome === 'conflict') throw senderConflict();
  const { head, outcome } = recorded;
  return ok(
    { groupId: params.groupId, messageId: formatMessageId(position), head: formatMessageId(head) },
    outcome === 'known' ? 200 : 201,
  );
});

await prepare({
  stores,
  writes: true,
  others: [handler.rehearse],
});
