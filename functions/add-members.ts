import * as requests from '../shared/contract/requests.ts';
import { NOBODY } from '../shared/domain/ids.ts';
import { formatMessageId } from '../shared/domain/position.ts';
import { addMembers } from '../shared/operations/members.ts';
import { createTidemark } from './runtime/composition.ts';
import { prepare } from './runtime/prepare.ts';
import { ok, reply, serve } from './runtime/serve.ts';

const tidemark = createTidemark();

const one = serve(requests.addMember, async ({ groupId, userId, joinedAfter = null }) => {
  const [joined] = await addMembers(tidemark, groupId, [userId], joinedAfter);
  if (!joined) throw new Error('a join had no outcome');
  const { membership, isNew } = joined;
  const startsAfter = formatMessageId(membership.joinedAfter);
  return reply(isNew ? 201 : 200, { groupId, userId, joinedAfter: startsAfter });
});

const several = serve(requests.addMembers, async ({ groupId, userIds }) => {
  const joined = await addMembers(tidemark, groupId, [...new Set(userIds)]);
  const added = joined.filter(({ isNew }) => isNew).length;
  return ok({ added, existing: joined.length - added });
});

/** Serves two endpoints: the path names one member, or the body names several. */
export const handler: typeof one = ((event, context) =>
  event.pathParameters?.userId === undefined ? several(event, context) : one(event, context)) as typeof one;

await prepare({
  tidemark,
  operation: () => tidemark.ledger.heads.read(NOBODY.groupId),
  writes: true,
  others: [one.rehearse, several.rehearse],
});
