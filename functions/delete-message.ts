import * as requests from '../shared/contract/requests.ts';
import { deleteMessage } from '../shared/operations/messages.ts';
import { createTidemark } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { noContent, serve } from './runtime/serve.ts';

const tidemark = createTidemark();

export const handler = serve(requests.deleteMessage, async ({ groupId, messageId: position }) => {
  await deleteMessage(tidemark, groupId, position);
  return noContent;
});

await prepare({
  tidemark,
  writes: true,
  others: [handler.rehearse],
});
