import * as requests from '../shared/contract/requests.ts';
import { NOBODY } from '../shared/domain/ids.ts';
import { END, formatMessageId } from '../shared/domain/position.ts';
import { markDelivered } from '../shared/operations/mark-delivered.ts';
import { createTidemark, membershipMode } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serve } from './runtime/serve.ts';

const tidemark = createTidemark(membershipMode());

export const handler = serve(requests.markDelivered, async ({ messageId, ...member }) => {
  const marked = await markDelivered(tidemark, member, messageId);
  if (!marked) return null;
  const { position, advanced, clamped } = marked;
  return ok({
    groupId: member.groupId,
    userId: member.userId,
    messageId: formatMessageId(position),
    advanced,
    clamped,
  });
});

await prepare({
  tidemark,
  operation: () => markDelivered({ ...tidemark, mode: 'strict' }, NOBODY, END),
  writes: true,
  others: [handler.rehearse],
});
