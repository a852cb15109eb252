import * as requests from '../shared/contract/requests.ts';
import { NOBODY } from '../shared/domain/ids.ts';
import { END } from '../shared/domain/position.ts';
import { markDelivered } from '../shared/operations/mark-delivered.ts';
import { createTidemark, membershipMode } from './runtime/composition.ts';
import { answerMarkDelivered } from './runtime/mark-answers.ts';
import { prepare } from './runtime/prepare.ts';
import { serve } from './runtime/serve.ts';

const tidemark = createTidemark(membershipMode());

export const handler = serve(requests.markDelivered, (call) => answerMarkDelivered(tidemark, call));

await prepare({
  tidemark,
  operation: () => markDelivered({ ...tidemark, mode: 'strict' }, NOBODY, END),
  writes: true,
  others: [handler.rehearse],
});
