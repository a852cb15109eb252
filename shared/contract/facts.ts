import * as v from 'valibot';

import { groupId, joinedAfter, messageFields, position, time, userId } from './schemas.ts';

/**
 * The facts that a chat back end reports over the bus, by the event's `detail-type`. A detail may have other fields,
 * which are ignored: the event belongs to the back end. The event's own time has whole seconds; `sentAt`, `joinedAt`
 * and `leftAt` are exact.
 */
export const facts = {
  MessageSent: v.object({ groupId, ...messageFields }),
  MessageDeleted: v.object({ groupId, messageId: position }),
  MemberJoined: v.object({ groupId, userId, joinedAt: v.optional(time), joinedAfter }),
  MemberLeft: v.object({ groupId, userId, leftAt: v.optional(time) }),
};
