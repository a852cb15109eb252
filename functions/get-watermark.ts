import * as requests from '../shared/contract/requests.ts';
import { NOBODY } from '../shared/domain/ids.ts';
import { readOwnView } from '../shared/operations/own-view.ts';
import { createTidemark } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serve } from './runtime/serve.ts';
import { viewAnswer } from './runtime/watermark-answer.ts';

const tidemark = createTidemark();

export const handler = serve(requests.getWatermark, async (member) => {
  const view = await readOwnView(tidemark, member);
  return view && ok(viewAnswer(member, view));
});

await prepare({
  tidemark,
  operation: () => readOwnView(tidemark, NOBODY),
  others: [handler.rehearse],
});
