import * as requests from '../shared/contract/requests.ts';
import { NOBODY } from '../shared/domain/ids.ts';
import { END } from '../shared/domain/position.ts';
import { markRead } from '../shared/operations/mark-read.ts';
import { createTidemark, membershipMode } from './runtime/composition.ts';
import { answerMarkRead } from './runtime/mark-answers.ts';
import { prepare } from './runtime/prepare.ts';
import { serve } from './runtime/serve.ts';

const tidemark = createTidemark(membershipMode());

export const handler = serve(requests.markRead, (call) => answerMarkRead(tidemark, call));

await prepare({
  tidemark,
  // Always strict: in an open group the rehearsal would make a member.
  operation: () => markRead({ ...tidemark, mode: 'strict' }, NOBODY, END),
  writes: true,
  others: [handler.rehearse],
});
