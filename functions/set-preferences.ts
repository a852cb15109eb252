import * as requests from '../shared/contract/requests.ts';
import { invalidFields } from '../shared/domain/errors.ts';
import { NOBODY } from '../shared/domain/ids.ts';
import { setPreferences } from '../shared/operations/preferences.ts';
import { createTidemark } from './runtime/composition.ts';
import { preferencesAnswer } from './runtime/preferences-answer.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serve } from './runtime/serve.ts';

const tidemark = createTidemark();

export const handler = serve(requests.setPreferences, async ({ groupId, userId, ...changed }) => {
  if (Object.keys(changed).length === 0) {
    const names = Object.keys(requests.setPreferences.body).join(', ');
    throw invalidFields([{ path: '', message: `must have at least one of ${names}` }]);
  }
  const preferences = await setPreferences(tidemark, { groupId, userId }, changed);
  return preferences && ok(preferencesAnswer(groupId, preferences));
});

await prepare({
  tidemark,
  // For nobody this writes nothing.
  operation: () => setPreferences(tidemark, NOBODY, { hideReceipts: false, archive: 'untilNew' }),
  writes: true,
  others: [handler.rehearse],
});
