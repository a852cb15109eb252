import { randomUUID } from 'node:crypto';
import type { ErasureJob, ErasureQueue } from '../../shared/erasure/erasure-job.ts';
import { storedKey } from '../../shared/ledger/keys.ts';
import { HopelessEvent, type QueuedEvent } from './event-queue.ts';

const DETAIL_TYPE = 'ErasureDue';

/** The queue of erasures. The client of SQS is loaded with the first job: most instances never send one. */
export function createErasureQueue(url: string): ErasureQueue {
  return {
    async add({ key, waitedSinceMs }, delaySeconds) {
      const detail = { PK: key.PK.S, SK: key.SK.S, waitedSinceMs };
      const message = { id: randomUUID(), 'detail-type': DETAIL_TYPE, detail };
      const { sendMessage } = await import('./sqs.ts');
      await sendMessage(url, JSON.stringify(message), { delaySeconds });
    },
  };
}

/** The job in a message of the queue. */
export function erasureJobIn({ detail, 'detail-type': type }: QueuedEvent): ErasureJob {
  const { PK, SK, waitedSinceMs } = (detail ?? {}) as Readonly<Record<string, unknown>>;
  const isKnown = type === DETAIL_TYPE && typeof PK === 'string' && typeof SK === 'string';
  const isTime = waitedSinceMs === null || typeof waitedSinceMs === 'number';
  if (!isKnown || !isTime) throw new HopelessEvent('the message is no job of an erasure');
  return { key: storedKey(PK, SK), waitedSinceMs };
}
