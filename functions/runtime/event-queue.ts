import middy from '@middy/core';
import type { EventBridgeEvent, SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda';
import { callUntil } from '../../shared/aws/deadline.ts';
import { DEAD_LETTER_QUEUE_URL, QUEUE_URL } from '../../shared/contract/environment.ts';
import { inParallel } from '../../shared/domain/in-parallel.ts';
import { loggedError } from '../../shared/domain/logged-error.ts';
import { variable } from './environment.ts';
import { countMetric } from './metric.ts';
import { retryPauseSeconds } from './retry-pause.ts';
import { endAt, REHEARSAL, withDeadline } from './with-deadline.ts';

export type QueuedEvent = EventBridgeEvent<string, unknown>;

/** Throw this for an event that would fail at every try: it goes to the dead-letter queue at once. */
export class HopelessEvent extends Error {
  override readonly name = 'HopelessEvent';
}

export interface EventQueueOptions {
  /** Events of one lane are handled one after the other, in the order of the batch. Lanes are handled in parallel. */
  readonly laneOf: (event: QueuedEvent) => string;
  /** The longest time that one event can take. If less time is left, its handling does not begin. */
  readonly longestMs: number;
}

/**
 * The part of the function's time that is kept for the calls to the queues at the end: two calls, one after the other,
 * with two tries of 2 s each (./sqs.ts).
 */
const SETTLING_MS = 9_000;

/** The most failures in one log line. */
const MOST_LOGGED = 3;

/** The longest reason in the attribute of a message. */
const MAX_REASON_CHARACTERS = 500;

type Outcome =
  | { readonly kind: 'done' }
  | { readonly kind: 'failed'; readonly error: unknown }
  | { readonly kind: 'hopeless'; readonly error: unknown };

interface Settled {
  readonly record: SQSRecord;
  readonly outcome: Outcome;
}

const DONE: Outcome = { kind: 'done' };

/**
 * Returns a handler of the events of a queue. If the handling of an event throws, only its record is reported as
 * failed, and the queue delivers it again after a pause that grows each time. After a day the queue sends it to its
 * dead-letter queue.
 *
 * If the function times out, Lambda fails the whole batch. So the events have an earlier deadline: an event that is not
 * done by then fails, and so do its calls.
 */
export function eventQueue(handle: (event: QueuedEvent) => Promise<void>, options: EventQueueOptions) {
  const handler = middy<SQSEvent, SQSBatchResponse>().handler(async ({ Records }, context) => {
    const leftMs = () => context.getRemainingTimeInMillis() - SETTLING_MS;
    const hasTime = () => leftMs() >= options.longestMs;
    const settled = await withDeadline(leftMs(), (deadline) =>
      handleAll(
        Records,
        (event) =>
          endAt(
            deadline,
            callUntil(deadline, () => handle(event)),
          ),
        options.laneOf,
        hasTime,
      ),
    );
    const setAside = await setAsideHopeless(settled);
    const failed = setAside.filter(({ outcome }) => outcome.kind !== 'done');
    if (failed.length > 0) {
      report(failed, Records.length);
      await pause(failed.map(({ record }) => record));
    }
    return { batchItemFailures: failed.map(({ record }) => ({ itemIdentifier: record.messageId })) };
  });
  /** Handles an empty batch. */
  const rehearse = () => handler({ Records: [] }, REHEARSAL);
  return Object.assign(handler, { rehearse });
}

async function handleAll(
  records: readonly SQSRecord[],
  handle: (event: QueuedEvent) => Promise<void>,
  laneOf: (event: QueuedEvent) => string,
  hasTime: () => boolean,
): Promise<Settled[]> {
  const settled: Settled[] = [];
  const lanes = new Map<string, { readonly record: SQSRecord; readonly event: QueuedEvent }[]>();
  for (const record of records) {
    try {
      const event = eventIn(record.body);
      const lane = laneOf(event);
      lanes.set(lane, [...(lanes.get(lane) ?? []), { record, event }]);
    } catch (error) {
      settled.push({ record, outcome: { kind: 'hopeless', error } });
    }
  }
  await inParallel([...lanes.values()], records.length, async (lane) => {
    for (const { record, event } of lane) {
      const outcome = hasTime()
        ? await outcomeOf(() => handle(event))
        : { kind: 'failed' as const, error: new Error('there was no time left for it') };
      settled.push({ record, outcome });
    }
  });
  return settled;
}

async function outcomeOf(run: () => Promise<void>): Promise<Outcome> {
  try {
    await run();
    return DONE;
  } catch (error) {
    return { kind: error instanceof HopelessEvent ? 'hopeless' : 'failed', error };
  }
}

function eventIn(body: string): QueuedEvent {
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    throw new HopelessEvent('the message is no JSON');
  }
  const { id, 'detail-type': detailType } = (parsed ?? {}) as Partial<QueuedEvent>;
  if (typeof id !== 'string' || typeof detailType !== 'string') {
    throw new HopelessEvent('the message is no event');
  }
  return parsed as QueuedEvent;
}

/** Sends hopeless events to the dead-letter queue. Those that it accepts are done, the others have failed. */
async function setAsideHopeless(settled: readonly Settled[]): Promise<Settled[]> {
  return inParallel(settled, settled.length, async ({ record, outcome }) => {
    if (outcome.kind !== 'hopeless') return { record, outcome };
    const reason = outcome.error instanceof Error ? outcome.error.message : String(outcome.error);
    console.error({ message: 'an event goes to the dead-letter queue', id: record.messageId, reason });
    const sent = await outcomeOf(async () => {
      const { sendMessage } = await import('./sqs.ts');
      await sendMessage(variable(DEAD_LETTER_QUEUE_URL), record.body, {
        reason: attributeText(reason),
      });
    });
    return { record, outcome: sent };
  });
}

function attributeText(reason: string): string {
  return reason.replace(/[^\x20-\x7e]/g, '?').slice(0, MAX_REASON_CHARACTERS);
}

/** If the pauses cannot be set, the queue's own visibility timeout is the pause. */
async function pause(records: readonly SQSRecord[]): Promise<void> {
  try {
    // Loaded here: most instances never need the client, and loading it would make every start slower.
    const { pauseMessages } = await import('./sqs.ts');
    const refused = await pauseMessages(
      variable(QUEUE_URL),
      records.map(({ receiptHandle, attributes }) => ({
        receiptHandle,
        seconds: retryPauseSeconds(Number(attributes.ApproximateReceiveCount), Math.random()),
      })),
    );
    if (refused.length > 0) console.warn({ message: 'the queue refused pauses', refused });
  } catch (error) {
    console.warn({ message: 'the pauses could not be set', error: loggedError(error) });
  }
}

function report(failed: readonly Settled[], ofBatch: number): void {
  console.error({
    message: 'events failed, and are tried again after a pause',
    count: failed.length,
    ofBatch,
    failures: failed.slice(0, MOST_LOGGED).map(({ record, outcome }) => ({
      id: record.messageId,
      receives: Number(record.attributes.ApproximateReceiveCount),
      error: 'error' in outcome ? loggedError(outcome.error) : null,
    })),
  });
  // Lambda counts no error if records are reported as failed, so an alarm needs this metric.
  countMetric('FailedRecords', failed.length);
}
