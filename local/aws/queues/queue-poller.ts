import type { Log } from '../../command/log.ts';
import type { EventSource, QueueSource } from '../cloudformation/properties.ts';
import { REGION, TemplateError } from '../cloudformation/template.ts';
import { authorize } from '../iam/authorize.ts';
import type { Callers } from '../iam/callers.ts';
import type { InvocationResult } from '../lambda/instance.ts';
import type { Lambda } from '../lambda/lambda.ts';
import type { Queue, Received } from './queue.ts';
import type { Queues } from './queues.ts';

export interface QueuePollerOptions {
  readonly queues: Queues;
  readonly lambda: Lambda;
  readonly callers: Pick<Callers, 'ofFunction'>;
  /** How many times faster than on AWS the time passes in which a batch is gathered. */
  readonly speed: number;
  readonly log: Log;
}

/**
 * What the role of a function must allow for its queue to be worked off, since Lambda does so under that role.
 * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
 */
const WORKING_OFF = ['DeleteMessage', 'GetQueueAttributes', 'ReceiveMessage'].map((name) => `sqs:${name}`);

/** An event source of the template: carries a queue's messages to its function, a bounded number of batches at once. */
export class QueuePoller {
  readonly #source: QueueSource;
  readonly #queue: Queue;
  readonly #options: QueuePollerOptions;
  readonly #stop = new AbortController();
  readonly #underWay = new Set<Promise<void>>();
  #running: Promise<void> = Promise.resolve();

  constructor({ logicalId, properties }: EventSource<QueueSource>, options: QueuePollerOptions) {
    const { timeoutMs } = options.lambda.pool(properties.FunctionName).definition;
    this.#source = properties;
    this.#queue = options.queues.get(properties.EventSourceArn);
    this.#options = options;
    if (this.#queue.definition.visibilityTimeoutSeconds * 1_000 < timeoutMs) {
      throw new TemplateError(
        `${logicalId}: the queue's visibility timeout is less than the function's timeout`,
      );
    }
  }

  /** @throws AccessDenied where the function's role does not allow it: AWS refuses to create such a source. */
  async start(): Promise<void> {
    const { principal } = this.#options.callers.ofFunction(this.#source.FunctionName);
    for (const action of WORKING_OFF) authorize(principal, action, this.#source.EventSourceArn);
    this.#running = this.#poll();
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await Promise.all(this.#underWay);
  }

  async #poll(): Promise<void> {
    const most = this.#source.ScalingConfig.MaximumConcurrency;
    while (!this.#stop.signal.aborted) {
      if (this.#underWay.size >= most) {
        await Promise.race(this.#underWay);
        continue;
      }
      const batch = this.#queue.receive({
        most: this.#source.BatchSize,
        isForFunction: true,
      });
      if (batch.length === 0) {
        await this.#queue.wait(Number.POSITIVE_INFINITY, this.#stop.signal);
        // What is sent in one go comes in one batch.
        await new Promise((resolve) => setImmediate(resolve));
        continue;
      }
      await this.#gatherMore(batch);
      const work = this.#handle(batch).finally(() => this.#underWay.delete(work));
      this.#underWay.add(work);
    }
  }

  /** What comes within the batching window goes with the batch, as long as there is room in it. */
  async #gatherMore(batch: Received[]): Promise<void> {
    const most = this.#source.BatchSize;
    const endMs = Date.now() + (this.#source.MaximumBatchingWindowInSeconds * 1_000) / this.#options.speed;
    while (batch.length < most && Date.now() < endMs && !this.#stop.signal.aborted) {
      await this.#queue.wait(endMs, this.#stop.signal);
      batch.push(...this.#queue.receive({ most: most - batch.length, isForFunction: true }));
    }
  }

  async #handle(batch: readonly Received[]): Promise<void> {
    const payload = JSON.stringify({
      Records: batch.map((received) => recordOf(received, this.#queue.definition.arn)),
    });
    const result = await this.#options.lambda.invoke(this.#source.FunctionName, payload);
    // A function that was ended with the stack has said nothing of its messages.
    if (this.#stop.signal.aborted) return;
    const failed = failedIn(result, batch);
    for (const received of batch) {
      const isFailed = failed.includes(received);
      if (isFailed) this.#queue.settle(received.receiptHandle);
      else this.#queue.delete(received.receiptHandle);
    }
    const reason = result.ok ? '' : `: ${result.errorMessage}`;
    this.#options.log.line(
      `queue ${this.#queue.definition.name} ${batch.length - failed.length} done, ${failed.length} failed${reason}`,
    );
  }
}

/** https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html */
function failedIn(result: InvocationResult, batch: readonly Received[]): readonly Received[] {
  if (!result.ok) return batch;
  const reply = JSON.parse(result.payload) as { batchItemFailures?: { itemIdentifier?: string }[] } | null;
  const named = (reply?.batchItemFailures ?? []).map(({ itemIdentifier }) => itemIdentifier);
  const failed = batch.filter(({ message }) => named.includes(message.id));
  // A name that is not of the batch fails all of it.
  return failed.length === new Set(named).size ? failed : batch;
}

function recordOf({ message, receiptHandle }: Received, eventSourceARN: string) {
  return {
    messageId: message.id,
    receiptHandle,
    body: message.body,
    attributes: {
      ApproximateReceiveCount: String(message.receiveCount),
      SentTimestamp: String(message.sentAtMs),
      SenderId: 'local',
      ApproximateFirstReceiveTimestamp: String(message.firstReceivedAtMs),
    },
    messageAttributes: Object.fromEntries(
      Object.entries(message.attributes).map(([name, stringValue]) => [
        name,
        { stringValue, dataType: 'String', stringListValues: [], binaryListValues: [] },
      ]),
    ),
    eventSource: 'aws:sqs',
    eventSourceARN,
    awsRegion: REGION,
  };
}
