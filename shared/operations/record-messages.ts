import { isUnavailable } from '../domain/errors.ts';
import { inParallel } from '../domain/in-parallel.ts';
import { loggedError } from '../domain/logged-error.ts';
import { type Recorded, recordInGroup, type Sent } from './messages.ts';
import type { Tidemark } from './tidemark.ts';

/** `failed`: nothing is acknowledged. The message may be sent again. */
export type RecordOutcome = Recorded['outcome'] | 'failed';

/** Groups of one batch that are written at the same time. */
const CONCURRENT_GROUPS = 10;

/**
 * Records messages in several groups. Returns one outcome for each, in their order. The result is that of recording them one
 * after the other, but messages of one group share the write of the head, one write for each sender, and the call of the
 * cache. Only a message that is among them again waits for its first recording. A group that fails does not affect the
 * others.
 */
export async function recordMessages(
  tidemark: Tidemark,
  messages: readonly Sent[],
): Promise<RecordOutcome[]> {
  const groups = [...Map.groupBy(messages, ({ groupId }) => groupId)];
  const outcomes = new Map<Sent, RecordOutcome>();
  await inParallel(groups, CONCURRENT_GROUPS, async ([groupId, ofGroup]) => {
    for (const different of withoutRepetitions(ofGroup)) {
      const recorded = await recordInGroup(tidemark, groupId, different).catch(failed);
      for (const [index, sent] of different.entries()) {
        outcomes.set(sent, recorded?.[index]?.outcome ?? 'failed');
      }
    }
  });
  return messages.map((sent) => outcomes.get(sent) ?? 'failed');
}

/** Lists without two messages of one position, to be recorded one after the other. Usually there is one list. */
function withoutRepetitions(messages: readonly Sent[]): Sent[][] {
  const ofPositions = [...Map.groupBy(messages, ({ position }) => position).values()];
  const times = Math.max(...ofPositions.map(({ length }) => length));
  return Array.from({ length: times }, (_, time) => ofPositions.flatMap((sent) => sent[time] ?? []));
}

function failed(error: unknown): null {
  console[isUnavailable(error) ? 'warn' : 'error']({
    message: 'messages of a batch were not recorded',
    error: loggedError(error),
  });
  return null;
}
