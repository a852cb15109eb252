import * as requests from '../shared/contract/requests.ts';
import { NOBODY } from '../shared/domain/ids.ts';
import { END } from '../shared/domain/position.ts';
import { markUnread } from '../shared/operations/mark-unread.ts';
import { createTidemark } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serve } from './runtime/serve.ts';
import { viewAnswer } from './runtime/watermark-answer.ts';

const tidemark = createTidemark();

export const handler = serve(requests.markUnread, async ({ messageId: position, ...member }) => {
  const view = await markUnread(tidemark, member, position);
  return view && ok(viewAnswer(member, view));
});

await prepare({
  tidemark,
  operation: () => markUnread(tidemark, NOBODY, END),
  writes: true,
  others: [handler.rehearse],
});
