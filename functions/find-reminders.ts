import type { Context } from 'aws-lambda';
import { REMINDERS_INDEX_NAME, REMINDERS_QUEUE_URL, TABLE_NAME } from '../shared/contract/environment.ts';
import { createLedgerClient } from '../shared/ledger/ledger.ts';
import { DueMessages } from '../shared/ledger/reminders.ts';
import { Table } from '../shared/ledger/table.ts';
import { findDue } from '../shared/reminders/find-due.ts';
import { variable } from './runtime/environment.ts';
import { inTime } from './runtime/in-time.ts';
import { countMetric } from './runtime/metric.ts';
import { createReminderQueue } from './runtime/reminder-queue.ts';

const table = new Table(createLedgerClient(), variable(TABLE_NAME));
const messages = new DueMessages(table, variable(REMINDERS_INDEX_NAME));
const queue = createReminderQueue(variable(REMINDERS_QUEUE_URL));

/** A page takes a few calls in sequence. If less time is left, the next run continues. */
const PAGE_MS = 15_000;

/** The input that the schedule gives: the time for which it invokes the function, maybe some seconds late. */
interface Minute {
  readonly scheduledAt: string;
}

/** Queues the reminders that are due. If it fails, the next minute does its work. */
export async function handler({ scheduledAt }: Minute, context: Context): Promise<void> {
  const atMs = Date.parse(scheduledAt);
  if (Number.isNaN(atMs)) throw new Error(`the schedule gave no time: ${scheduledAt}`);
  const hasTime = () => context.getRemainingTimeInMillis() > PAGE_MS;
  const { queued, late, dropped } = await inTime(context, () => findDue({ messages, queue, hasTime }, atMs));
  if (queued > 0) console.info({ message: 'reminders are queued', count: queued });
  if (late > 0) countMetric('LateReminders', late);
  if (dropped > 0) console.warn({ message: 'reminders were too late, and are dropped', count: dropped });
}
