import * as requests from '../shared/contract/requests.ts';
import { NOBODY } from '../shared/domain/ids.ts';
import { END } from '../shared/domain/position.ts';
import { type GroupMark, markGroups } from '../shared/operations/mark-groups.ts';
import { createTidemark, membershipMode } from './runtime/composition.ts';
import { markOutcomeAnswer } from './runtime/mark-answers.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serve } from './runtime/serve.ts';

const tidemark = createTidemark(membershipMode());

export const handler = serve(requests.markGroups, async ({ marks: given, userId }) => {
  const marks = given.map(({ groupId, messageId: position, ifRevision = null, ...mark }): GroupMark => {
    const kind = mark.delivered ? 'delivered' : mark.private ? 'private' : 'read';
    return { groupId, position, kind, ifRevision };
  });
  const outcomes = await markGroups(tidemark, userId, marks);
  const results = given.map(({ groupId }, index) => {
    const result = outcomes[index];
    if (!result) throw new Error('a mark has no outcome');
    return markOutcomeAnswer(groupId, result);
  });
  return ok({ results });
});

await prepare({
  tidemark,
  operation: () =>
    markGroups({ ...tidemark, mode: 'strict' }, NOBODY.userId, [
      { groupId: NOBODY.groupId, position: END, kind: 'read', ifRevision: null },
    ]),
  writes: true,
  others: [handler.rehearse],
});
