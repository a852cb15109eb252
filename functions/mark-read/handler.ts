import * as v from 'valibot';
import { notFound, revisionConflict } from '../../shared/domain/errors.ts';
import { ok, route } from '../../shared/http/route.ts';
import { groupId, isPrivate, messageId, revision, userId } from '../../shared/http/schemas.ts';
import { markRead } from '../../shared/watermarks/mark-read.ts';
import { createStores, membershipMode } from '../composition.ts';
import { watermarkAnswer } from '../watermark-answer.ts';

const stores = createStores();
const mode = membershipMode();

const input = {
  // The service's route names the user in its path; a user's own route has no such parameter.
  params: v.object({ groupId, userId: v.optional(userId) }),
  body: v.strictObject({ messageId, private: isPrivate, ifRevision: v.optional(revision) }),
};

export const handler = route(input, async ({ params, body, caller }) => {
  const user = params.userId ?? caller();
  const reading = { isPrivate: body.private, ifRevision: body.ifRevision ?? null };
  const marked = await markRead(stores, params.groupId, user, body.messageId, mode, reading);
  if (!marked) throw notFound();
  const { view, advanced, clamped, isConflict } = marked;
  const state = { ...watermarkAnswer(params.groupId, user, view), advanced, clamped };
  if (isConflict) throw revisionConflict(state);
  return ok(state);
});
