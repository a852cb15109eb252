import middy from '@middy/core';
import type { EventBridgeEvent } from 'aws-lambda';
import * as v from 'valibot';
import { groupId, joinedAfter, messageId, time, userId } from '../../shared/http/schemas.ts';
import { validate } from '../../shared/http/validate.ts';
import { applyJoin, applyLeave } from '../../shared/watermarks/members.ts';
import { deleteMessage, recordMessage } from '../../shared/watermarks/messages.ts';
import { createStores } from '../composition.ts';

const stores = createStores();

/** A chat back end's events may hold more than Tidemark needs: what is not named here is left alone. */
const sent = v.object({ groupId, messageId, senderId: userId, sentAt: v.optional(time) });
const deleted = v.object({ groupId, messageId });
/** The events' own times have whole seconds; `joinedAt` and `leftAt` say exactly when. */
const joined = v.object({ groupId, userId, joinedAt: v.optional(time), joinedAfter });
const left = v.object({ groupId, userId, leftAt: v.optional(time) });

/**
 * Each fact does what its route does, in any order and more than once. A fact that is not valid fails; one that
 * contradicts what is known is ignored and logged.
 */
export const handler = middy<EventBridgeEvent<string, unknown>, void>().handler(async (event) => {
  const { time: happenedAtMs } = validate(v.object({ time }), { time: event.time });
  switch (event['detail-type']) {
    case 'MessageSent': {
      const { messageId: position, sentAt: sentAtMs = happenedAtMs, ...rest } = validate(sent, event.detail);
      const recorded = await recordMessage(stores, { ...rest, position, sentAtMs, isFact: true });
      if (recorded.outcome === 'conflict') {
        console.warn({ message: 'a fact was ignored: the message is known under another sender', ...rest });
      }
      return;
    }
    case 'MessageDeleted': {
      const fact = validate(deleted, event.detail);
      await deleteMessage(stores, fact.groupId, fact.messageId);
      return;
    }
    case 'MemberJoined': {
      const fact = validate(joined, event.detail);
      await applyJoin(stores, fact.groupId, fact.userId, {
        joinedAtMs: fact.joinedAt ?? happenedAtMs,
        joinedAfter: fact.joinedAfter ?? null,
      });
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
