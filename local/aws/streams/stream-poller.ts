import { setTimeout as delay } from 'node:timers/promises';
import type { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { DescribeTableCommand } from '@aws-sdk/client-dynamodb';
import {
  DescribeStreamCommand,
  type DynamoDBStreamsClient,
  GetRecordsCommand,
  GetShardIteratorCommand,
  type Shard,
  type _Record as StreamsRecord,
} from '@aws-sdk/client-dynamodb-streams';
import type { Log } from '../../command/log.ts';
import type { EventSource, StreamSource } from '../cloudformation/properties.ts';
import { REGION, TemplateError } from '../cloudformation/template.ts';
import { compilePattern } from '../events/event-pattern.ts';
import { authorize } from '../iam/authorize.ts';
import type { Callers } from '../iam/callers.ts';
import type { Lambda } from '../lambda/lambda.ts';
import { giveUp } from '../queues/give-up.ts';
import type { Queue } from '../queues/queue.ts';
import type { Queues } from '../queues/queues.ts';
import { deliverBatch, type RetryPolicy, type StreamItem } from './batch-delivery.ts';
import type { Checkpoints } from './checkpoints.ts';
import { streamEventRecord } from './stream-event-record.ts';

/** The pauses between reads of a shard. They are short while records come, so that batches stay small: their moves coalesce. */
const BUSY_POLL_MS = 20;
const IDLE_POLL_MS = 100;
const IDLE_AFTER_MS = 2_000;
const SHARDS_MS = 1_000;

/**
 * The permissions that a function's role needs for its stream, because Lambda reads the stream under that role.
 * https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html
 */
const READING = ['DescribeStream', 'GetRecords', 'GetShardIterator', 'ListStreams'].map(
  (name) => `dynamodb:${name}`,
);

/** A record in the form that a function receives. */
interface PolledRecord extends StreamItem {
  readonly event: Record<string, unknown>;
}

interface Place {
  readonly streamArn: string;
  readonly shardId: string;
}

export interface StreamPollerOptions {
  readonly dynamodb: DynamoDBClient;
  readonly streams: DynamoDBStreamsClient;
  readonly tableName: string;
  readonly lambda: Lambda;
  readonly queues: Queues;
  readonly callers: Pick<Callers, 'ofFunction'>;
  readonly checkpoints: Checkpoints;
  readonly log: Log;
}

/** An event source of the template: delivers the table's stream to its function, each shard in order, parents first. */
export class StreamPoller {
  readonly #options: StreamPollerOptions;
  readonly #logicalId: string;
  readonly #source: StreamSource;
  readonly #deadLetters: Queue;
  readonly #matches: (record: unknown) => boolean;
  readonly #shards = new Map<string, Promise<void>>();
  readonly #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();

  constructor({ logicalId, properties }: EventSource<StreamSource>, options: StreamPollerOptions) {
    if (!properties.EventSourceArn.includes(`:table/${options.tableName}/stream/`)) {
      throw new TemplateError(`${logicalId}: ${properties.EventSourceArn} is not the stream of the table`);
    }
    options.lambda.pool(properties.FunctionName);
    this.#deadLetters = options.queues.get(properties.DestinationConfig.OnFailure.Destination);
    const tests = properties.FilterCriteria.Filters.map(({ Pattern }) => compilePattern(JSON.parse(Pattern)));
    this.#matches = (record) => tests.length === 0 || tests.some((test) => test(record));
    this.#logicalId = logicalId;
    this.#source = properties;
    this.#options = options;
  }

  /** @throws AccessDenied if the function's role may not read the stream: AWS refuses to create such a source */
  async start(): Promise<void> {
    const { principal } = this.#options.callers.ofFunction(this.#source.FunctionName);
    for (const action of READING) authorize(principal, action, this.#source.EventSourceArn);
    const { dynamodb, tableName } = this.#options;
    const { Table } = await dynamodb.send(new DescribeTableCommand({ TableName: tableName }));
    if (!Table?.LatestStreamArn) throw new TemplateError(`the table ${tableName} has no stream`);
    this.#running = this.#watch(Table.LatestStreamArn);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await Promise.all(this.#shards.values());
    this.#options.checkpoints.save();
  }

  /** Finds new shards while the stack runs. */
  async #watch(streamArn: string): Promise<void> {
    while (!this.#isStopped()) {
      try {
        for (const shard of await this.#describe(streamArn)) {
          if (shard.ShardId && !this.#shards.has(shard.ShardId)) {
            this.#shards.set(shard.ShardId, this.#follow(streamArn, shard.ShardId, shard.ParentShardId));
          }
        }
      } catch (error) {
        this.#complain('the stream cannot be read', error);
      }
      await this.#wait(SHARDS_MS);
    }
  }

  async #describe(streamArn: string): Promise<Shard[]> {
    const shards: Shard[] = [];
    let after: string | undefined;
    do {
      const command = new DescribeStreamCommand({
        StreamArn: streamArn,
        ...(after && { ExclusiveStartShardId: after }),
      });
      const { StreamDescription } = await this.#options.streams.send(command);
      shards.push(...(StreamDescription?.Shards ?? []));
      after = StreamDescription?.LastEvaluatedShardId;
    } while (after);
    return shards;
  }

  /** Reads one shard to its end, after its parent's. */
  async #follow(streamArn: string, shardId: string, parentId: string | undefined): Promise<void> {
    if (parentId) await this.#shards.get(parentId);
    let busyUntilMs = 0;
    while (!this.#isStopped()) {
      try {
        let iterator = await this.#iterator(streamArn, shardId);
        while (iterator && !this.#isStopped()) {
          const command = new GetRecordsCommand({ ShardIterator: iterator, Limit: this.#source.BatchSize });
          const { Records = [], NextShardIterator } = await this.#options.streams.send(command);
          if (!(await this.#handle({ streamArn, shardId }, Records))) return;
          iterator = NextShardIterator;
          if (Records.length > 0) busyUntilMs = Date.now() + IDLE_AFTER_MS;
          else await this.#wait(Date.now() < busyUntilMs ? BUSY_POLL_MS : IDLE_POLL_MS);
        }
        return;
      } catch (error) {
        // The iterator has expired or the engine is restarting: continue from the checkpoint.
        this.#complain('the stream cannot be read', error);
        await this.#wait(SHARDS_MS);
      }
    }
  }

  async #iterator(streamArn: string, shardId: string): Promise<string | undefined> {
    const { checkpoints, streams } = this.#options;
    const sequenceNumber = checkpoints.get(this.#logicalId, shardId);
    const from = sequenceNumber
      ? ({ ShardIteratorType: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: sequenceNumber } as const)
      : ({ ShardIteratorType: 'TRIM_HORIZON' } as const);
    const command = new GetShardIteratorCommand({ StreamArn: streamArn, ShardId: shardId, ...from });
    return (await streams.send(command)).ShardIterator;
  }

  async #handle(place: Place, polled: readonly StreamsRecord[]): Promise<boolean> {
    const last = polled.at(-1)?.dynamodb?.SequenceNumber;
    if (!last) return true;
    const { lambda, checkpoints } = this.#options;
    const { FunctionName } = this.#source;
    const records = polled
      .map((record) => recordOf(record, this.#source.EventSourceArn))
      .filter(({ event }) => this.#matches(event));
    const isHandled = await deliverBatch(
      {
        policy: this.#policy(),
        invoke: (batch) =>
          lambda.invoke(FunctionName, JSON.stringify({ Records: batch.map(({ event }) => event) })),
        giveUp: (given, reason) => {
          const { principal } = this.#options.callers.ofFunction(FunctionName);
          const body = JSON.stringify(this.#failureOf(given, place));
          giveUp(principal, this.#deadLetters, { body, reason }, this.#options.log);
          this.#options.log.line(`stream gave up ${given.length} records: ${reason}`);
        },
        isStopped: () => this.#isStopped(),
        wait: (ms) => this.#wait(ms),
      },
      records,
    );
    if (isHandled) checkpoints.set(this.#logicalId, place.shardId, last);
    return isHandled;
  }

  /**
   * Sends the records' place in the stream, where they stay for a day, as Lambda does.
   * https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html
   */
  #failureOf(given: readonly PolledRecord[], { streamArn, shardId }: Place) {
    const [first, last] = [given.at(0), given.at(-1)];
    const arrival = (record: PolledRecord | undefined) => new Date(record?.createdAtMs ?? 0).toISOString();
    return {
      requestContext: {
        requestId: crypto.randomUUID(),
        functionArn: this.#options.lambda.pool(this.#source.FunctionName).definition.arn,
        condition: 'RetryAttemptsExhausted',
      },
      version: '1.0',
      timestamp: new Date().toISOString(),
      DDBStreamBatchInfo: {
        shardId,
        startSequenceNumber: first?.sequenceNumber,
        endSequenceNumber: last?.sequenceNumber,
        approximateArrivalOfFirstRecord: arrival(first),
        approximateArrivalOfLastRecord: arrival(last),
        batchSize: given.length,
        streamArn,
      },
    };
  }

  #policy(): RetryPolicy {
    return {
      maxRetries: this.#source.MaximumRetryAttempts,
      maxAgeSeconds: this.#source.MaximumRecordAgeInSeconds,
    };
  }

  #isStopped(): boolean {
    return this.#stop.signal.aborted;
  }

  async #wait(ms: number): Promise<void> {
    await delay(ms, undefined, { signal: this.#stop.signal }).catch(() => undefined);
  }

  #complain(what: string, error: unknown): void {
    if (!this.#isStopped())
      this.#options.log.line(`${what}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function recordOf(record: StreamsRecord, streamArn: string): PolledRecord {
  const { SequenceNumber: sequenceNumber = '', ApproximateCreationDateTime: createdAt } =
    record.dynamodb ?? {};
  const createdAtMs = createdAt?.getTime() ?? Date.now();
  return {
    ...{ sequenceNumber, createdAtMs },
    event: streamEventRecord(record, { streamArn, region: REGION, createdAtMs }),
  };
}
