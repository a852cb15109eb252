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
  /** The factor by which the batching window is shorter than on AWS. */
  readonly speed: number;
  readonly log: Log;
}

/**
 * The permissions that a function's role needs for its queue, because Lambda reads the queue under that role.
 * https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
 */
const READING = ['DeleteMessage', 'GetQueueAttributes', 'ReceiveMessage'].map((name) => `sqs:${name}`);

/** An event source of the template: delivers a queue's messages to its function, with a limited number of batches at once. */
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

  /** @throws AccessDenied if the function's role lacks a permission: AWS refuses to create such a source */
  async start(): Promise<void> {
    const { principal } = this.#options.callers.ofFunction(this.#source.FunctionName);
    for (const action of READING) authorize(principal, action, this.#source.EventSourceArn);
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
        // Messages that are sent together come in one batch.
        await new Promise((resolve) => setImmediate(resolve));
        continue;
      }
      await this.#gatherMore(batch);
      const work = this.#handle(batch).finally(() => this.#underWay.delete(work));
      this.#underWay.add(work);
    }
  }

  /** Adds messages to the batch that arrive within the batching window, until the batch is full. */
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
    // The stack ended the function, so the result shows nothing about its messages.
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
  // If a reported id is not in the batch, the whole batch has failed.
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
