import * as v from 'valibot';
import { flagInBody, groupId, listOf, messageId, revision } from '../shared/contract/schemas.ts';
import { NOBODY, NOBODYS_GROUP } from '../shared/domain/ids.ts';
import { END, formatMessageId } from '../shared/domain/position.ts';
import { type GroupMark, markGroups } from '../shared/operations/mark-groups.ts';
import { createStores, membershipMode } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { ok } from './runtime/route.ts';
import { userRoute } from './runtime/user-route.ts';

const stores = createStores();
const mode = membershipMode();

const mark = v.pipe(
  v.strictObject({
    groupId,
    messageId,
    private: flagInBody,
    ifRevision: v.optional(revision),
    delivered: flagInBody,
  }),
  v.check(
    (entry) => !entry.delivered || (!entry.private && entry.ifRevision === undefined),
    'must have neither private nor ifRevision where delivered is true: they are about the own view',
  ),
);

export const handler = userRoute(
  { body: v.strictObject({ marks: listOf(mark) }) },
  async ({ body, user }) => {
    const marks = body.marks.map((entry): GroupMark => {
      const { groupId: group, messageId: position, ifRevision = null } = entry;
      const kind = entry.delivered ? 'delivered' : entry.private ? 'private' : 'read';
      return { groupId: group, position, kind, ifRevision };
    });
    const outcomes = await markGroups(stores, user, marks, mode);
    const results = outcomes.map((result, index) => ({
      groupId: marks[index]?.groupId,
      outcome: result.outcome,
      ...('position' in result && {
        messageId: formatMessageId(result.position),
        revision: result.revision,
        clamped: result.clamped,
      }),
    }));
    return ok({ results });
  },
);

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
