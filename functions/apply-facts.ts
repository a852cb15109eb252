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
import { sentOf } from './runtime/sent-message.ts';
import { validate } from './runtime/validate.ts';

const tidemark = createTidemark();

/**
 * A fact makes up to eight calls of the ledger in sequence, each of at most 6 s and its pauses; nearly always each takes some
 * milliseconds. The deadline ends the rest.
 */
const LONGEST_MS = 33_000;

/**
 * Applies facts. Those of one group are applied one after the other, since they write the same items. An invalid fact
 * stays invalid, so it goes to the dead-letter queue at once.
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
  operation: () => tidemark.ledger.heads.read(NOBODY.groupId),
  writes: true,
  others: [handler.rehearse],
});

function laneOf({ detail }: QueuedEvent): string {
  const { groupId: named } = (detail ?? {}) as { groupId?: unknown };
  return typeof named === 'string' ? named : '';
}

/**
 * Applies a fact, which has the effect of its route. Facts may come in any order and more than once. One that
 * contradicts a known fact is ignored and logged.
 */
async function apply(event: QueuedEvent): Promise<void> {
  const { time: happenedAtMs } = validate(v.object({ time }), { time: event.time });
  const type = event['detail-type'] as keyof typeof facts;
  switch (type) {
    case 'MessageSent': {
      const { sentAt = happenedAtMs, ...fact } = validate(facts[type], event.detail);
      const recorded = await recordMessage(tidemark, { ...sentOf({ ...fact, sentAt }), isFact: true });
      if (recorded.outcome === 'conflict') {
        const { groupId, senderId } = fact;
        const message = 'a fact was ignored: the message is known under another sender';
        console.warn({ message, groupId, senderId });
      }
      return;
    }
    case 'MessageDeleted': {
      const { groupId, messageId: position } = validate(facts[type], event.detail);
      await deleteMessage(tidemark, groupId, position, happenedAtMs);
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
