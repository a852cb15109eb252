import * as requests from '../shared/contract/requests.ts';
import { NOBODY } from '../shared/domain/ids.ts';
import { END, formatMessageId } from '../shared/domain/position.ts';
import { markDelivered } from '../shared/operations/mark-delivered.ts';
import { createTidemark, membershipMode } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serve } from './runtime/serve.ts';

const tidemark = createTidemark(membershipMode());

export const handler = serve(requests.markDelivered, async ({ messageId: position, ...member }) => {
  const marked = await markDelivered(tidemark, member, position);
  if (!marked) return null;
  const { groupId, userId } = member;
  const { advanced, clamped } = marked;
  return ok({ groupId, userId, messageId: formatMessageId(marked.position), advanced, clamped });
});

await prepare({
  tidemark,
  operation: () => markDelivered({ ...tidemark, mode: 'strict' }, NOBODY, END),
  writes: true,
  others: [handler.rehearse],
});
