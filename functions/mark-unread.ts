import * as requests from '../shared/contract/requests.ts';
import { NOBODY, NOBODYS_GROUP } from '../shared/domain/ids.ts';
import { END } from '../shared/domain/position.ts';
import { markUnread } from '../shared/operations/mark-unread.ts';
import { createStores } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serve } from './runtime/serve.ts';
import { viewAnswer } from './runtime/watermark-answer.ts';

const stores = createStores();

export const handler = serve(requests.markUnread, async ({ groupId, messageId, user }) => {
  const view = await markUnread(stores, groupId, user, messageId);
  return view && ok(viewAnswer(groupId, user, view));
});

await prepare({
  stores,
  operation: () => markUnread(stores, NOBODYS_GROUP, NOBODY, END),
  writes: true,
  others: [handler.rehearse],
});
