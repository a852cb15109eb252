import * as requests from '../shared/contract/requests.ts';
import { NOBODY } from '../shared/domain/ids.ts';
import { countBadge } from '../shared/operations/badge.ts';
import { createTidemark } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serve } from './runtime/serve.ts';

const tidemark = createTidemark();

export const handler = serve(requests.getBadge, async ({ userId }) => ok(await countBadge(tidemark, userId)));

await prepare({
  tidemark,
  operation: () => countBadge(tidemark, NOBODY.userId),
  others: [handler.rehearse],
});
