import * as requests from '../shared/contract/requests.ts';
import { senderConflict } from '../shared/domain/errors.ts';
import { messageIdAt } from '../shared/domain/position.ts';
import { recordMessage } from '../shared/operations/messages.ts';
import { createTidemark } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { sentOf } from './runtime/sent-message.ts';
import { reply, serve } from './runtime/serve.ts';

const tidemark = createTidemark();

export const handler = serve(requests.recordMessage, async (message) => {
  const recorded = await recordMessage(tidemark, sentOf(message));
  if (recorded.outcome === 'conflict') throw senderConflict();
  return reply(recorded.outcome === 'known' ? 200 : 201, {
    groupId: message.groupId,
    messageId: messageIdAt(message.messageId),
    head: messageIdAt(recorded.head),
  });
});

await prepare({
  tidemark,
  writes: true,
  others: [handler.rehearse],
});
