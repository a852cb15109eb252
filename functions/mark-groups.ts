import * as requests from '../shared/contract/requests.ts';
import { NOBODY } from '../shared/domain/ids.ts';
import { END, formatMessageId } from '../shared/domain/position.ts';
import { type GroupMark, markGroups } from '../shared/operations/mark-groups.ts';
import { createTidemark, membershipMode } from './runtime/composition.ts';
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
    if (!('position' in result)) return { groupId, outcome: result.outcome };
    const { outcome, position, revision, clamped } = result;
    return { groupId, outcome, messageId: formatMessageId(position), revision, clamped };
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
