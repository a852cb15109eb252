import type { Key } from '../ledger/keys.ts';

/** The reminder of one message, which is due. */
export interface ReminderJob {
  /** The key of the message's item. */
  readonly key: Key;
  /** The time by which it is due, in ms. Whether a member is muted is decided for this time. */
  readonly atMs: number;
}

/** The queue of reminders that are due. Each comes at least once. */
export interface ReminderQueue {
  /** Resolves to the jobs that the queue did not accept. */
  add(jobs: readonly ReminderJob[]): Promise<readonly ReminderJob[]>;
}
