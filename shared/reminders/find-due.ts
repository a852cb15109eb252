import { inParallel } from '../domain/in-parallel.ts';
import { DUE_SHARDS, dueText } from '../ledger/due.ts';
import type { DueMessage, DueMessages } from '../ledger/reminders.ts';
import type { ReminderQueue } from './reminder-job.ts';

/** Messages read and queued in one step. */
const PAGE = 100;

/** Writes of one shard at the same time. */
const CONCURRENT_WRITES = 10;

/**
 * A reminder that is later than this is dropped: two weeks, twice the longest time of a reminder. Only a deployment that
 * published no events for so long has such reminders, and nobody waits for them.
 */
const LONGEST_DELAY_MS = 14 * 86_400_000;

/** A reminder that is found later than this counts as late. */
const LATE_MS = 5 * 60_000;

export interface Finding {
  readonly messages: DueMessages;
  readonly queue: ReminderQueue;
  /** Whether there is time for another page. */
  readonly hasTime: () => boolean;
}

export interface Found {
  readonly queued: number;
  readonly late: number;
  readonly dropped: number;
}

/**
 * Puts the reminders that are due by a time into the queue, then takes them out of the index:
 *
 *     find-reminders          index                       queue
 *     1 query      ─────────▶ what is due by now
 *     2 add        ──────────────────────────────────────▶ a job for each
 *     3 take       ─────────▶ what the queue has accepted
 *
 * What is due stays in the index until the queue has it. So a run that fails, is late or does not come loses nothing: the
 * next one finds it. If a run dies between 2 and 3, or two runs meet, a job comes twice, which send-reminder.ts notices. If
 * there is too much for one run, the next one continues. Throws after all other work if something failed.
 */
export async function findDue(finding: Finding, atMs: number): Promise<Found> {
  const shards = await Promise.allSettled(DUE_SHARDS.map((shard) => findInShard(finding, shard, atMs)));
  const failed = shards.find((outcome) => outcome.status === 'rejected');
  if (failed) throw failed.reason;
  const found = shards.flatMap((outcome) => (outcome.status === 'fulfilled' ? outcome.value : []));
  const sum = (name: keyof Found) => found.reduce((total, one) => total + one[name], 0);
  return { queued: sum('queued'), late: sum('late'), dropped: sum('dropped') };
}

/** The counts of each page. */
async function findInShard(
  { messages, queue, hasTime }: Finding,
  shard: string,
  atMs: number,
): Promise<Found[]> {
  const found: Found[] = [];
  let refused = 0;
  let page = await messages.dueBy(shard, atMs, PAGE, null);
  for (;;) {
    const { kept, dropped } = sortOut(page.due, atMs);
    const jobs = kept.map(({ key }) => ({ key, atMs }));
    const missing = new Set(jobs.length > 0 ? await queue.add(jobs) : []);
    refused += missing.size;
    const queued = kept.filter((_, index) => !missing.has(jobs[index] as (typeof jobs)[number]));
    await inParallel([...queued, ...dropped], CONCURRENT_WRITES, (message) => messages.take(message));
    const late = queued.filter(({ due }) => due <= dueText(atMs - LATE_MS));
    found.push({ queued: queued.length, late: late.length, dropped: dropped.length });
    if (!page.next || !hasTime()) break;
    page = await messages.dueBy(shard, atMs, PAGE, page.next);
  }
  if (refused > 0) throw new Error(`the queue did not accept ${refused} reminders`);
  return found;
}

function sortOut(due: readonly DueMessage[], atMs: number) {
  const bound = dueText(atMs - LONGEST_DELAY_MS);
  return {
    kept: due.filter((message) => message.due > bound),
    dropped: due.filter((message) => message.due <= bound),
  };
}
