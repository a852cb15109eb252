import { Duration } from 'aws-cdk-lib';
import { EventSourceMapping, StartingPosition } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { DeadLetterQueue } from './dead-letter-queue.ts';
import type { TidemarkFunction } from './function.ts';
import type { Ledger } from './ledger.ts';

export interface StreamSourceProps {
  readonly ledger: Ledger;
  readonly consumer: TidemarkFunction;
  /** Lambda's filters: a record must match one of them. Without filters every record is delivered. */
  readonly filters?: Record<string, unknown>[];
}

/**
 * The ledger's stream as the event source of a function, with a dead-letter queue. Each source reads at its own pace: a
 * function that fails delays only itself. A shard of a DynamoDB stream supports two readers.
 */
export class StreamSource extends EventSourceMapping {
  readonly consumer: TidemarkFunction;

  constructor(scope: Construct, id: string, { ledger, consumer, filters }: StreamSourceProps) {
    ledger.allowReadingStream(consumer);
    const deadLetters = new DeadLetterQueue(scope, 'DeadLetters', `${consumer.node.id}-dead-letters`);
    // The function itself sends a record that it cannot read. Lambda would give it up only after all retries.
    deadLetters.allowSending(consumer);
    super(scope, id, {
      target: consumer,
      eventSourceArn: ledger.streamArn,
      // Includes records that were written after the table was created and before this source was.
      startingPosition: StartingPosition.TRIM_HORIZON,
      batchSize: 100,
      maxBatchingWindow: Duration.seconds(0),
      // One batch of a shard at a time: parallel batches would be smaller, with fewer records to coalesce.
      parallelizationFactor: 1,
      reportBatchItemFailures: true,
      bisectBatchOnError: true,
      // By default Lambda retries without limit: one record that always fails would block its shard until the stream
      // drops it. The record's age is the limit here: 10,000 tries, the largest allowed number, always take longer.
      retryAttempts: 10_000,
      maxRecordAge: Duration.hours(6),
      onFailure: deadLetters.failureDestination(consumer),
      ...(filters && { filters }),
    });
    this.consumer = consumer;
  }
}
