import * as requests from '../shared/contract/requests.ts';
import { NOBODY } from '../shared/domain/ids.ts';
import { END } from '../shared/domain/position.ts';
import { markUnread } from '../shared/operations/mark-unread.ts';
import { createTidemark } from './runtime/composition.ts';
import { answerMarkUnread } from './runtime/mark-answers.ts';
import { prepare } from './runtime/prepare.ts';
import { serve } from './runtime/serve.ts';

const tidemark = createTidemark();

export const handler = serve(requests.markUnread, (call) => answerMarkUnread(tidemark, call));

await prepare({
  tidemark,
  operation: () => markUnread(tidemark, NOBODY, END),
  writes: true,
  others: [handler.rehearse],
});
