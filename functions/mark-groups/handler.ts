import * as v from 'valibot';
import { formatMessageId } from '../../shared/domain/position.ts';
import { ok, route } from '../../shared/http/route.ts';
import { groupId, isPrivate, listOf, messageId } from '../../shared/http/schemas.ts';
import { markGroups } from '../../shared/watermarks/mark-groups.ts';
import { createStores, membershipMode } from '../composition.ts';

const stores = createStores();
const mode = membershipMode();

const mark = v.strictObject({ groupId, messageId, private: isPrivate });

export const handler = route({ body: v.strictObject({ marks: listOf(mark) }) }, async ({ body, caller }) => {
  const marks = body.marks.map((entry) => ({
    groupId: entry.groupId,
    position: entry.messageId,
    isPrivate: entry.private,
  }));
  const outcomes = await markGroups(stores, caller(), marks, mode);
  const results = outcomes.map((result, index) => ({
    groupId: marks[index]?.groupId,
    outcome: result.outcome,
    ...('position' in result && { messageId: formatMessageId(result.position) }),
  }));
  return ok({ results });
});
