import * as requests from '../shared/contract/requests.ts';
import { NOBODY, parseGroupId } from '../shared/domain/ids.ts';
import { markAll } from '../shared/operations/mark-all.ts';
import { createTidemark } from './runtime/composition.ts';
import { readCursor, writeCursor } from './runtime/cursor.ts';
import { markOutcomeAnswer } from './runtime/mark-answers.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serve } from './runtime/serve.ts';

const tidemark = createTidemark();

export const handler = serve(requests.markAll, async ({ parentId, unmutedOnly, cursor, userId }) => {
  const list = `mark all ${userId} ${parentId ?? ''} ${unmutedOnly}`;
  const after = readCursor(list, cursor, parseGroupId);
  const { results, next } = await markAll(tidemark, userId, { parentId, unmutedOnly, after });
  return ok({
    results: results.map(({ groupId, outcome }) => markOutcomeAnswer(groupId, outcome)),
    cursor: next && writeCursor(list, next),
  });
});

await prepare({
  tidemark,
  operation: () => markAll(tidemark, NOBODY.userId, { unmutedOnly: false, after: null }),
  writes: true,
  others: [handler.rehearse],
});
