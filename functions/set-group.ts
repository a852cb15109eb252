import * as requests from '../shared/contract/requests.ts';
import { invalidFields, parentConflict } from '../shared/domain/errors.ts';
import { setGroup } from '../shared/operations/groups.ts';
import { createTidemark } from './runtime/composition.ts';
import { groupAnswer } from './runtime/group-answer.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serve } from './runtime/serve.ts';

const tidemark = createTidemark();

export const handler = serve(requests.setGroup, async ({ groupId, parentId, receipts }) => {
  if (parentId === undefined && receipts === undefined) {
    throw invalidFields([{ path: '', message: 'must have parentId or receipts' }]);
  }
  if (parentId === groupId) throw invalidFields([{ path: 'parentId', message: 'must be another group' }]);
  const head = await setGroup(tidemark, groupId, { parentId, receipts });
  if (head === 'conflict') throw parentConflict();
  return ok(groupAnswer(groupId, head));
});

await prepare({
  tidemark,
  writes: true,
  others: [handler.rehearse],
});
