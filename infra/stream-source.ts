import { Duration } from 'aws-cdk-lib';
import { EventSourceMapping, StartingPosition } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import { DeadLetterQueue } from './dead-letter-queue.ts';
import type { TidemarkFunction } from './function.ts';
import type { Ledger } from './ledger.ts';

export interface StreamSourceProps {
  readonly ledger: Ledger;
  readonly consumer: TidemarkFunction;
  /** Lambda's filters, of which a record must match one; every record where there are none. */
  readonly filters?: Record<string, unknown>[];
}

/**
 * The ledger's stream as the source of a function, with a dead-letter queue beside it. Each source reads at its own
 * pace: what one function fails at holds up none but itself. A shard of DynamoDB's stream bears two of them.
 */
export class StreamSource extends EventSourceMapping {
  readonly consumer: TidemarkFunction;

  constructor(scope: Construct, id: string, { ledger, consumer, filters }: StreamSourceProps) {
    ledger.allowReadingStream(consumer);
    const deadLetters = new DeadLetterQueue(scope, 'DeadLetters', `${consumer.node.id}-dead-letters`);
    // Lambda itself gives up only what was retried in vain; a record that cannot be read need not wait for that.
    deadLetters.allowSending(consumer);
    super(scope, id, {
      target: consumer,
      eventSourceArn: ledger.streamArn,
      // What was written between deploying the table and this is told too.
      startingPosition: StartingPosition.TRIM_HORIZON,
      batchSize: 100,
      maxBatchingWindow: Duration.seconds(0),
      // One batch of a shard at a time: cutting it up by keys would leave less of a batch to coalesce.
      parallelizationFactor: 1,
      reportBatchItemFailures: true,
      bisectBatchOnError: true,
      // Lambda's own defaults are endless: one record that always fails would hold up its shard until the stream forgets it.
      // The age decides: so many tries, the most that there can be, take longer, however fast they fail.
      retryAttempts: 10_000,
      maxRecordAge: Duration.hours(6),
      onFailure: deadLetters.failureDestination(consumer),
      ...(filters && { filters }),
    });
    this.consumer = consumer;
  }
}
