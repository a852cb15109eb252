import * as requests from '../shared/contract/requests.ts';
import { messageIdAt } from '../shared/domain/position.ts';
import type { Sent } from '../shared/operations/messages.ts';
import { recordMessages } from '../shared/operations/record-messages.ts';
import { createTidemark } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serve } from './runtime/serve.ts';

const tidemark = createTidemark();

export const handler = serve(requests.recordMessages, async ({ messages }) => {
  const sent = messages.map(
    ({ messageId: position, sentAt: sentAtMs, silent: isSilent, ...fields }): Sent => {
      return { ...fields, position, sentAtMs, isSilent };
    },
  );
  const outcomes = await recordMessages(tidemark, sent);
  const results = sent.map(({ groupId, position }, index) => {
    const outcome = outcomes[index];
    if (!outcome) throw new Error('a message has no outcome');
    return { groupId, messageId: messageIdAt(position), outcome };
  });
  return ok({ results });
});

await prepare({
  tidemark,
  writes: true,
  others: [handler.rehearse],
});
