import type { InvocationResult } from '../lambda/instance.ts';

/** The limits after which an event source gives up a record. */
export interface RetryPolicy {
  readonly maxRetries: number;
  readonly maxAgeSeconds: number;
}

export interface StreamItem {
  readonly sequenceNumber: string;
  readonly createdAtMs: number;
}

export interface BatchDelivery<R extends StreamItem> {
  readonly policy: RetryPolicy;
  readonly invoke: (records: readonly R[]) => Promise<InvocationResult>;
  /** Called with records that are given up. */
  readonly giveUp: (records: readonly R[], reason: string) => void;
  readonly isStopped: () => boolean;
  readonly wait: (ms: number) => Promise<void>;
}

const FIRST_BACKOFF_MS = 100;
const LAST_BACKOFF_MS = 1_000;

/**
 * Delivers one batch of a shard, like an event source that splits batches and whose function reports failed records. It
 * delivers in order, and again from the first failed record. At the limits it gives up only the failed records. Returns
 * true if all records were handled, false if the stack stops before.
 * https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-eventsourcemapping.html
 */
export async function deliverBatch<R extends StreamItem>(
  delivery: BatchDelivery<R>,
  batch: readonly R[],
): Promise<boolean> {
  const { policy, invoke, giveUp, isStopped, wait } = delivery;
  let records = batch;
  let retries = 0;
  let backoffMs = FIRST_BACKOFF_MS;
  while (records.length > 0) {
    if (isStopped()) return false;
    const tooOld = records.filter((record) => isTooOld(record, policy));
    if (tooOld.length > 0) {
      giveUp(tooOld, 'older than the maximum record age');
      records = records.filter((record) => !tooOld.includes(record));
      continue;
    }
    const outcome = outcomeOf(await invoke(records), records);
    if (isStopped()) return false;
    if (outcome.failedFrom >= records.length) return true;
    if (outcome.failedFrom > 0) retries = 0;
    records = records.slice(outcome.failedFrom);
    retries += 1;
    if (outcome.isWhole && records.length > 1) {
      // Splitting finds the record that makes the batch fail. It does not count as a try.
      const middle = Math.ceil(records.length / 2);
      if (!(await deliverBatch(delivery, records.slice(0, middle)))) return false;
      records = records.slice(middle);
      retries = 0;
      continue;
    }
    if (retries > policy.maxRetries) {
      giveUp(records.slice(0, 1), outcome.reason);
      records = records.slice(1);
      retries = 0;
      continue;
    }
    await wait(backoffMs);
    backoffMs = Math.min(backoffMs * 2, LAST_BACKOFF_MS);
  }
  return true;
}

interface Outcome {
  /** The index of the first failed record; the number of records if none failed. */
  readonly failedFrom: number;
  /** Whether the function failed without reporting a record. */
  readonly isWhole: boolean;
  readonly reason: string;
}

function outcomeOf(result: InvocationResult, records: readonly StreamItem[]): Outcome {
  const whole = (reason: string): Outcome => ({ failedFrom: 0, isWhole: true, reason });
  if (!result.ok) return whole(result.errorMessage);
  const reply = JSON.parse(result.payload) as { batchItemFailures?: { itemIdentifier?: string }[] } | null;
  const failures = reply?.batchItemFailures ?? [];
  const failed = failures.map(({ itemIdentifier }) =>
    records.findIndex(({ sequenceNumber }) => sequenceNumber === itemIdentifier),
  );
  if (failed.includes(-1)) return whole('the function reported a record that is not in the batch');
  return {
    failedFrom: Math.min(records.length, ...failed),
    isWhole: false,
    reason: 'the function reported a failure',
  };
}

function isTooOld({ createdAtMs }: StreamItem, { maxAgeSeconds }: RetryPolicy): boolean {
  return Date.now() - createdAtMs > maxAgeSeconds * 1000;
}
