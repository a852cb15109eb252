import type { ErasureJob, ErasureQueue } from '../../shared/erasure/erasure-job.ts';
import { storedKey } from '../../shared/ledger/keys.ts';
import { HopelessEvent, type QueuedEvent } from './event-queue.ts';
import { jobDetail, jobMessage } from './job-message.ts';

const TYPE = 'ErasureDue';

/** The queue of erasures. The client of SQS is loaded with the first job: most instances never send one. */
export function createErasureQueue(url: string): ErasureQueue {
  return {
    async add({ key, waitedSinceMs }, delaySeconds) {
      const detail = { PK: key.PK.S, SK: key.SK.S, waitedSinceMs };
      const { sendMessage } = await import('./sqs.ts');
      await sendMessage(url, jobMessage(TYPE, detail), { delaySeconds });
    },
  };
}

/** The job in a message of the queue. */
export function erasureJobIn(event: QueuedEvent): ErasureJob {
  const { PK, SK, waitedSinceMs } = jobDetail(event, TYPE);
  const isTime = waitedSinceMs === null || typeof waitedSinceMs === 'number';
  if (typeof PK !== 'string' || typeof SK !== 'string' || !isTime) {
    throw new HopelessEvent('the message is no job of an erasure');
  }
  return { key: storedKey(PK, SK), waitedSinceMs };
}
