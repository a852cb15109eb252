import * as requests from '../shared/contract/requests.ts';
import { revisionConflict } from '../shared/domain/errors.ts';
import { NOBODY, NOBODYS_GROUP } from '../shared/domain/ids.ts';
import { END } from '../shared/domain/position.ts';
import { markRead } from '../shared/operations/mark-read.ts';
import { createStores, membershipMode } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serve } from './runtime/serve.ts';
import { watermarkAnswer } from './runtime/watermark-answer.ts';

const stores = createStores();
const mode = membershipMode();

export const handler = serve(
  requests.markRead,
  async ({ groupId, messageId, private: isPrivate, ifRevision = null, user }) => {
    const marked = await markRead(stores, groupId, user, messageId, mode, { isPrivate, ifRevision });
    if (!marked) return null;
    const { view, advanced, clamped, isConflict } = marked;
    const state = { ...watermarkAnswer(groupId, user, view), advanced, clamped };
    if (isConflict) throw revisionConflict(state);
    return ok(state);
  },
);

await prepare({
  stores,
  // Strict whatever the deployment is: nobody must not become a member.
  operation: () => markRead(stores, NOBODYS_GROUP, NOBODY, END, 'strict'),
  writes: true,
  others: [handler.rehearse],
});
