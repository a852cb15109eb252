import * as requests from '../shared/contract/requests.ts';
import { senderConflict } from '../shared/domain/errors.ts';
import { messageIdAt } from '../shared/domain/position.ts';
import { recordMessage } from '../shared/operations/messages.ts';
import { createTidemark } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { reply, serve } from './runtime/serve.ts';

const tidemark = createTidemark();

export const handler = serve(
  requests.recordMessage,
  async ({ groupId, messageId: position, sentAt: sentAtMs, silent: isSilent, ...sent }) => {
    const recorded = await recordMessage(tidemark, { ...sent, groupId, position, sentAtMs, isSilent });
    if (recorded.outcome === 'conflict') throw senderConflict();
    return reply(recorded.outcome === 'known' ? 200 : 201, {
      groupId,
      messageId: messageIdAt(position),
      head: messageIdAt(recorded.head),
    });
  },
);

await prepare({
  tidemark,
  writes: true,
  others: [handler.rehearse],
});
