import { SendMessageBatchCommand, type SQSClient } from '@aws-sdk/client-sqs';
import { loggedError } from '../../shared/domain/logged-error.ts';
import { storedKey } from '../../shared/ledger/keys.ts';
import type { ReminderJob, ReminderQueue } from '../../shared/reminders/reminder-job.ts';
import { HopelessEvent, type QueuedEvent } from './event-queue.ts';
import { jobDetail, jobMessage } from './job-message.ts';
import { createSqsClient } from './sqs-client.ts';

const TYPE = 'ReminderDue';

/** The most messages that SQS accepts in one call. */
const MAX_ENTRIES = 10;

/** The queue of reminders that are due. Two tries of 2 s: what it does not accept stays due, or is tried again. */
export function createReminderQueue(url: string): ReminderQueue {
  const client = createSqsClient(2_000);
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
  return jobMessage(TYPE, { PK: key.PK.S, SK: key.SK.S, atMs });
}

/** The reminder in a message of the queue. */
export function reminderIn(event: QueuedEvent): ReminderJob {
  const { PK, SK, atMs } = jobDetail(event, TYPE);
  if (typeof PK !== 'string' || typeof SK !== 'string' || typeof atMs !== 'number') {
    throw new HopelessEvent('the message is no due reminder');
  }
  return { key: storedKey(PK, SK), atMs };
}
