import { randomUUID } from 'node:crypto';
import { SendMessageBatchCommand, SQSClient } from '@aws-sdk/client-sqs';
import { boundsOf } from '../../shared/aws/bounds.ts';
import { lean } from '../../shared/aws/lean.ts';
import { loggedError } from '../../shared/domain/logged-error.ts';
import { storedKey } from '../../shared/ledger/keys.ts';
import type { ReminderJob, ReminderQueue } from '../../shared/reminders/reminder-job.ts';
import { HopelessEvent, type QueuedEvent } from './event-queue.ts';

const DETAIL_TYPE = 'ReminderDue';

/** The most messages that SQS accepts in one call. */
const MAX_ENTRIES = 10;

/** The queue of reminders that are due. Two tries of 2 s: what it does not accept stays due, or is tried again. */
export function createReminderQueue(url: string): ReminderQueue {
  const client = lean(
    new SQSClient({
      ...boundsOf({ attempts: 2, timeoutMs: 2_000 }),
      // Calls go to the endpoint of the environment, not to the host in the queue's URL. On AWS both are the same.
      useQueueUrlAsEndpoint: false,
    }),
  );
  return {
    async add(jobs) {
      const parts = Array.from({ length: Math.ceil(jobs.length / MAX_ENTRIES) }, (_, index) =>
        jobs.slice(index * MAX_ENTRIES, (index + 1) * MAX_ENTRIES),
      );
      return (await Promise.all(parts.map((part) => addBatch(client, url, part)))).flat();
    },
  };
}

async function addBatch(
  client: SQSClient,
  QueueUrl: string,
  jobs: readonly ReminderJob[],
): Promise<readonly ReminderJob[]> {
  try {
    const Entries = jobs.map((job, index) => ({ Id: String(index), MessageBody: messageOf(job) }));
    const { Failed = [] } = await client.send(new SendMessageBatchCommand({ QueueUrl, Entries }));
    if (Failed.length > 0) console.error({ message: 'the queue refused reminders', refused: Failed });
    const refused = new Set(Failed.map(({ Id }) => Id));
    return jobs.filter((_, index) => refused.has(String(index)));
  } catch (error) {
    console.error({ message: 'the queue did not take reminders', error: loggedError(error) });
    return jobs;
  }
}

function messageOf({ key, atMs }: ReminderJob): string {
  const detail = { PK: key.PK.S, SK: key.SK.S, atMs };
  return JSON.stringify({ id: randomUUID(), 'detail-type': DETAIL_TYPE, detail });
}

/** The reminder in a message of the queue. */
export function reminderIn({ detail, 'detail-type': type }: QueuedEvent): ReminderJob {
  const { PK, SK, atMs } = (detail ?? {}) as Readonly<Record<string, unknown>>;
  const isKnown = type === DETAIL_TYPE && typeof PK === 'string' && typeof SK === 'string';
  if (!isKnown || typeof atMs !== 'number') throw new HopelessEvent('the message is no due reminder');
  return { key: storedKey(PK, SK), atMs };
}
