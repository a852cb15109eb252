import * as v from 'valibot';
import { facts } from '../shared/contract/facts.ts';
import { time } from '../shared/contract/schemas.ts';
import { TidemarkError } from '../shared/domain/errors.ts';
import { NOBODY } from '../shared/domain/ids.ts';
import { applyJoin, applyLeave } from '../shared/operations/members.ts';
import { deleteMessage, recordMessage } from '../shared/operations/messages.ts';
import { createTidemark } from './runtime/composition.ts';
import { eventQueue, HopelessEvent, type QueuedEvent } from './runtime/event-queue.ts';
import { prepare } from './runtime/prepare.ts';
import { validate } from './runtime/validate.ts';

const tidemark = createTidemark();

/** A fact makes up to three calls of the ledger in sequence, each with a bound of 6 s and its pauses. */
const LONGEST_MS = 20_000;

/**
 * Applies facts: those of one group one after the other, since they would meet at the same items. A fact that is not
 * valid will not be valid later: it goes to the dead-letter queue at once.
 */
export const handler = eventQueue(
  async (event) => {
    try {
      await apply(event);
    } catch (error) {
      if (error instanceof TidemarkError && error.code === 'invalid_request') {
        throw new HopelessEvent(error.message, { cause: error });
      }
      throw error;
    }
  },
  { laneOf, longestMs: LONGEST_MS },
);

await prepare({
  tidemark,
  operation: () => tidemark.ledger.messages.readHead(NOBODY.groupId),
  writes: true,
  others: [handler.rehearse],
});

function laneOf({ detail }: QueuedEvent): string {
  const { groupId: named } = (detail ?? {}) as { groupId?: unknown };
  return typeof named === 'string' ? named : '';
}

/**
 * Each fact does what its route does, in any order and more than once. One that contradicts what is known is ignored and
 * logged.
 */
async function apply(event: QueuedEvent): Promise<void> {
  const { time: happenedAtMs } = validate(v.object({ time }), { time: event.time });
  const type = event['detail-type'] as keyof typeof facts;
  switch (type) {
    case 'MessageSent': {
      const {
        messageId: position,
        sentAt: sentAtMs = happenedAtMs,
        ...rest
      } = validate(facts[type], event.detail);
      const recorded = await recordMessage(tidemark, { ...rest, position, sentAtMs, isFact: true });
      if (recorded.outcome === 'conflict') {
        console.warn({ message: 'a fact was ignored: the message is known under another sender', ...rest });
      }
      return;
    }
    case 'MessageDeleted': {
      const fact = validate(facts[type], event.detail);
      await deleteMessage(tidemark, fact.groupId, fact.messageId);
      return;
    }
    case 'MemberJoined': {
      const fact = validate(facts[type], event.detail);
      await applyJoin(tidemark, fact, {
        joinedAtMs: fact.joinedAt ?? happenedAtMs,
        joinedAfter: fact.joinedAfter ?? null,
      });
      return;
    }
    case 'MemberLeft': {
      const fact = validate(facts[type], event.detail);
      await applyLeave(tidemark, fact, fact.leftAt ?? happenedAtMs);
      return;
    }
    default:
      throw new HopelessEvent(`not a fact: ${type}`);
  }
}
