import * as requests from '../shared/contract/requests.ts';
import { NOBODY } from '../shared/domain/ids.ts';
import { readGroup } from '../shared/operations/groups.ts';
import { createTidemark } from './runtime/composition.ts';
import { groupAnswer } from './runtime/group-answer.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serve } from './runtime/serve.ts';

const tidemark = createTidemark();

export const handler = serve(requests.getGroup, async ({ groupId }) =>
  ok(groupAnswer(groupId, await readGroup(tidemark, groupId))),
);

await prepare({
  tidemark,
  operation: () => readGroup(tidemark, NOBODY.groupId),
  others: [handler.rehearse],
});
