import * as requests from '../shared/contract/requests.ts';
import { NOBODY } from '../shared/domain/ids.ts';
import { readPreferences } from '../shared/operations/preferences.ts';
import { createTidemark } from './runtime/composition.ts';
import { preferencesAnswer } from './runtime/preferences-answer.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serve } from './runtime/serve.ts';

const tidemark = createTidemark();

export const handler = serve(requests.getPreferences, async (member) => {
  const preferences = await readPreferences(tidemark, member);
  return preferences && ok(preferencesAnswer(member.groupId, preferences));
});

await prepare({
  tidemark,
  operation: () => readPreferences(tidemark, NOBODY),
  others: [handler.rehearse],
});
