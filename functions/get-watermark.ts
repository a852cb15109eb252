import * as requests from '../shared/contract/requests.ts';
import { NOBODY } from '../shared/domain/ids.ts';
import { lookAt } from '../shared/operations/own-view.ts';
import { createTidemark } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serve } from './runtime/serve.ts';
import { viewAnswer } from './runtime/watermark-answer.ts';

const tidemark = createTidemark();

export const handler = serve(requests.getWatermark, async (member) => {
  const view = await lookAt(tidemark, member);
  return view && ok(viewAnswer(member, view));
});

await prepare({
  tidemark,
  operation: () => lookAt(tidemark, NOBODY),
  others: [handler.rehearse],
});
