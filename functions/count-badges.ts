import * as requests from '../shared/contract/requests.ts';
import { NOBODY } from '../shared/domain/ids.ts';
import { countBadges } from '../shared/operations/badge.ts';
import { createTidemark } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serve } from './runtime/serve.ts';

const tidemark = createTidemark();

export const handler = serve(requests.countBadges, async ({ userIds }) => {
  const badges = await countBadges(tidemark, userIds);
  return ok({ badges: badges.map(({ userId, badge }) => ({ userId, ...badge })) });
});

await prepare({
  tidemark,
  operation: () => countBadges(tidemark, [NOBODY.userId]),
  others: [handler.rehearse],
});
