import * as v from 'valibot';
import { notFound } from '../../shared/domain/errors.ts';
import { formatMessageId } from '../../shared/domain/position.ts';
import { ok, route } from '../../shared/http/route.ts';
import { groupId } from '../../shared/http/schemas.ts';
import { lookAt } from '../../shared/watermarks/own-view.ts';
import { createStores } from '../composition.ts';
import { watermarkAnswer } from '../watermark-answer.ts';

const stores = createStores();

export const handler = route({ params: v.object({ groupId }) }, async ({ params, caller }) => {
  const view = await lookAt(stores, params.groupId, caller());
  if (!view) throw notFound();
  const head = view.head && formatMessageId(view.head);
  return ok({ ...watermarkAnswer(params.groupId, caller(), view), head });
});
