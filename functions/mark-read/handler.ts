import * as v from 'valibot';
import { notFound } from '../../shared/domain/errors.ts';
import { ok, route } from '../../shared/http/route.ts';
import { groupId, messageId, userId } from '../../shared/http/schemas.ts';
import { markRead } from '../../shared/watermarks/mark-read.ts';
import { createStores, membershipMode } from '../composition.ts';
import { watermarkAnswer } from '../watermark-answer.ts';

const stores = createStores();
const mode = membershipMode();

const input = {
  // The service's route names the user in its path; a user's own route has no such parameter.
  params: v.object({ groupId, userId: v.optional(userId) }),
  body: v.strictObject({ messageId }),
};

export const handler = route(input, async ({ params, body, caller }) => {
  const user = params.userId ?? caller();
  const marked = await markRead(stores, params.groupId, user, body.messageId, mode);
  if (!marked) throw notFound();
  const { view, advanced, clamped } = marked;
  return ok({ ...watermarkAnswer(params.groupId, user, view), advanced, clamped });
});
