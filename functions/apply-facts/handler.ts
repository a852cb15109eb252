import middy from '@middy/core';
import type { EventBridgeEvent } from 'aws-lambda';
import * as v from 'valibot';
import { groupId, messageId, time, userId } from '../../shared/http/schemas.ts';
import { validate } from '../../shared/http/validate.ts';
import { applyJoin, applyLeave } from '../../shared/watermarks/members.ts';
import { deleteMessage, recordMessage } from '../../shared/watermarks/messages.ts';
import { createStores } from '../composition.ts';

const stores = createStores();

/** A chat back end's events may say more than Tidemark needs: what is not named here is left alone. */
const sent = v.object({ groupId, messageId, senderId: userId, sentAt: v.optional(time) });
const deleted = v.object({ groupId, messageId });
/** The events' own times have whole seconds; who joins and leaves within one says exactly when. */
const joined = v.object({ groupId, userId, joinedAt: v.optional(time) });
const left = v.object({ groupId, userId, leftAt: v.optional(time) });

/** Each fact does what its route does, in any order and more than once. A fact that is not valid fails. */
export const handler = middy<EventBridgeEvent<string, unknown>, void>().handler(async (event) => {
  const happenedAtMs = Date.parse(event.time);
  switch (event['detail-type']) {
    case 'MessageSent': {
      const { messageId: position, sentAt: sentAtMs, ...rest } = validate(sent, event.detail);
      await recordMessage(stores, { ...rest, position, sentAtMs });
      return;
    }
    case 'MessageDeleted': {
      const fact = validate(deleted, event.detail);
      await deleteMessage(stores, fact.groupId, fact.messageId);
      return;
    }
    case 'MemberJoined': {
      const fact = validate(joined, event.detail);
      await applyJoin(stores, fact.groupId, fact.userId, fact.joinedAt ?? happenedAtMs);
      return;
    }
    case 'MemberLeft': {
      const fact = validate(left, event.detail);
      await applyLeave(stores, fact.groupId, fact.userId, fact.leftAt ?? happenedAtMs);
      return;
    }
    default:
      throw new Error(`not a fact: ${event['detail-type']}`);
  }
});
