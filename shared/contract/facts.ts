import * as v from 'valibot';
import { groupId, joinedAfter, position, time, userId } from './schemas.ts';

/**
 * What a chat back end reports over the bus, by the event's `detail-type`. A detail may hold more than this: a back end's
 * events are its own, and other fields are left alone. The event's own time has whole seconds; `sentAt`, `joinedAt` and
 * `leftAt` say exactly when.
 */
export const facts = {
  MessageSent: v.object({ groupId, messageId: position, senderId: userId, sentAt: v.optional(time) }),
  MessageDeleted: v.object({ groupId, messageId: position }),
  MemberJoined: v.object({ groupId, userId, joinedAt: v.optional(time), joinedAfter }),
  MemberLeft: v.object({ groupId, userId, leftAt: v.optional(time) }),
};
