import * as requests from '../shared/contract/requests.ts';
import { NOBODY, NOBODYS_GROUP } from '../shared/domain/ids.ts';
import { END, formatMessageId } from '../shared/domain/position.ts';
import { type GroupMark, markGroups } from '../shared/operations/mark-groups.ts';
import { createStores, membershipMode } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, serve } from './runtime/serve.ts';

const stores = createStores();
const mode = membershipMode();

export const handler = serve(requests.markGroups, async ({ marks: given, user }) => {
  const marks = given.map(({ groupId, messageId, ifRevision = null, ...mark }): GroupMark => {
    const kind = mark.delivered ? 'delivered' : mark.private ? 'private' : 'read';
    return { groupId, position: messageId, kind, ifRevision };
  });
  const outcomes = await markGroups(stores, user, marks, mode);
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
  stores,
  operation: () =>
    markGroups(
      stores,
      NOBODY,
      [{ groupId: NOBODYS_GROUP, position: END, kind: 'read', ifRevision: null }],
      'strict',
    ),
  writes: true,
  others: [handler.rehearse],
});
