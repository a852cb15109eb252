import * as requests from '../shared/contract/requests.ts';
import { removeMember } from '../shared/operations/members.ts';
import { createTidemark } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { noContent, serve } from './runtime/serve.ts';

const tidemark = createTidemark();

export const handler = serve(requests.removeMember, async (member) => {
  await removeMember(tidemark, member);
  return noContent;
});

await prepare({
  tidemark,
  writes: true,
  others: [handler.rehearse],
});
