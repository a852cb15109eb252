import * as v from 'valibot';
import { flagInBody, groupId, messageId, revision } from '../shared/contract/schemas.ts';
import { revisionConflict } from '../shared/domain/errors.ts';
import { NOBODY, NOBODYS_GROUP } from '../shared/domain/ids.ts';
import { END } from '../shared/domain/position.ts';
import { markRead } from '../shared/operations/mark-read.ts';
import { createStores, membershipMode } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { ok } from './runtime/route.ts';
import { userRoute } from './runtime/user-route.ts';
import { watermarkAnswer } from './runtime/watermark-answer.ts';

const stores = createStores();
const mode = membershipMode();

const input = {
  params: v.object({ groupId }),
  body: v.strictObject({ messageId, private: flagInBody, ifRevision: v.optional(revision) }),
};

export const handler = userRoute(input, async ({ params, body, user, notFound }) => {
  const reading = { isPrivate: body.private, ifRevision: body.ifRevision ?? null };
  const marked = await markRead(stores, params.groupId, user, body.messageId, mode, reading);
  if (!marked) throw notFound();
  const { view, advanced, clamped, isConflict } = marked;
  const state = { ...watermarkAnswer(params.groupId, user, view), advanced, clamped };
  if (isConflict) throw revisionConflict(state);
  return ok(state);
});

await prepare({
  stores,
  // Strict whatever the deployment is: nobody must not become a member.
  operation: () => markRead(stores, NOBODYS_GROUP, NOBODY, END, 'strict'),
  writes: true,
  others: [handler.rehearse],
});
