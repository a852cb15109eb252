import type * as requests from '../../shared/contract/requests.ts';
import { revisionConflict } from '../../shared/domain/errors.ts';
import type { GroupId } from '../../shared/domain/ids.ts';
import { formatMessageId } from '../../shared/domain/position.ts';
import { markDelivered } from '../../shared/operations/mark-delivered.ts';
import type { GroupOutcome } from '../../shared/operations/mark-groups.ts';
import { markRead } from '../../shared/operations/mark-read.ts';
import { markUnread } from '../../shared/operations/mark-unread.ts';
import type { Tidemark } from '../../shared/operations/tidemark.ts';
import { type Call, ok } from './serve.ts';
import { viewAnswer, watermarkAnswer } from './watermark-answer.ts';

/* What marks answer, over HTTP and over a WebSocket. Null where there is no such group for the user. */

/** Throws `revision_conflict` with the same state. */
export async function answerMarkRead(tidemark: Tidemark, call: Call<typeof requests.markRead>) {
  const { messageId: position, private: isPrivate, ifRevision = null, ...member } = call;
  const marked = await markRead(tidemark, member, position, { isPrivate, ifRevision });
  if (!marked) return null;
  const { view, advanced, clamped, isConflict } = marked;
  const state = { ...watermarkAnswer(member, view), advanced, clamped };
  if (isConflict) throw revisionConflict(state);
  return ok(state);
}

/** What became of one mark of several. */
export function markOutcomeAnswer(groupId: GroupId, result: GroupOutcome) {
  if (!('position' in result)) return { groupId, outcome: result.outcome };
  const { outcome, position, revision, clamped } = result;
  return { groupId, outcome, messageId: formatMessageId(position), revision, clamped };
}

export async function answerMarkDelivered(tidemark: Tidemark, call: Call<typeof requests.markDelivered>) {
  const { messageId, groupId, userId } = call;
  const marked = await markDelivered(tidemark, { groupId, userId }, messageId);
  if (!marked) return null;
  const { position, advanced, clamped } = marked;
  return ok({ groupId, userId, messageId: formatMessageId(position), advanced, clamped });
}

export async function answerMarkUnread(tidemark: Tidemark, call: Call<typeof requests.markUnread>) {
  const { messageId, ...member } = call;
  const view = await markUnread(tidemark, member, messageId);
  return view && ok(viewAnswer(member, view));
}
