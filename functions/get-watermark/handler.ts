import * as v from 'valibot';
import { notFound } from '../../shared/domain/errors.ts';
import { ok, route } from '../../shared/http/route.ts';
import { groupId } from '../../shared/http/schemas.ts';
import { lookAt } from '../../shared/watermarks/own-view.ts';
import { createStores } from '../composition.ts';
import { viewAnswer } from '../watermark-answer.ts';

const stores = createStores();

export const handler = route({ params: v.object({ groupId }) }, async ({ params, caller }) => {
  const view = await lookAt(stores, params.groupId, caller());
  if (!view) throw notFound();
  return ok(viewAnswer(params.groupId, caller(), view));
});
