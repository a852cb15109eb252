import * as requests from '../shared/contract/requests.ts';
import { messageIdAt } from '../shared/domain/position.ts';
import { recordMessages } from '../shared/operations/record-messages.ts';
import { createTidemark } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { sentOf } from './runtime/sent-message.ts';
import { ok, serve } from './runtime/serve.ts';

const tidemark = createTidemark();

export const handler = serve(requests.recordMessages, async ({ messages }) => {
  const outcomes = await recordMessages(tidemark, messages.map(sentOf));
  const results = messages.map(({ groupId, messageId }, index) => {
    const outcome = outcomes[index];
    if (!outcome) throw new Error('a message has no outcome');
    return { groupId, messageId: messageIdAt(messageId), outcome };
  });
  return ok({ results });
});

await prepare({
  tidemark,
  writes: true,
  others: [handler.rehearse],
});
