import { Duration } from 'aws-cdk-lib';
import type { EventBus } from 'aws-cdk-lib/aws-events';
import { EventSourceMapping, StartingPosition } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import type { Cache } from './cache.ts';
import { DeadLetterQueue } from './dead-letter-queue.ts';
import { TidemarkFunction } from './function.ts';
import type { Ledger } from './ledger.ts';

export interface ProjectionProps {
  readonly bundles: string;
  readonly ledger: Ledger;
  readonly cache: Cache;
  readonly bus: EventBus;
}

/** What follows from a change of the ledger: its stream repairs the cache and feeds the bus. */
export class Projection extends Construct {
  readonly projector: TidemarkFunction;

  constructor(scope: Construct, id: string, { bundles, ledger, cache, bus }: ProjectionProps) {
    super(scope, id);
    this.projector = new TidemarkFunction(this, 'project-ledger', {
      bundles,
      description: 'Merges what the ledger says into the cache and publishes it',
      timeout: Duration.seconds(30),
      environment: { EVENT_BUS_NAME: bus.eventBusName },
    });
    cache.allow(this.projector);
    this.projector.allow(['events:PutEvents'], bus.eventBusArn);
    ledger.allowReadingStream(this.projector);
    // To find out whether everyone has read as far, where the cache does not know.
    ledger.allow(this.projector, ['BatchGetItem']);
    ledger.allowListingMembers(this.projector);

    const deadLetters = new DeadLetterQueue(this, 'DeadLetters', 'project-ledger-dead-letters');
    new EventSourceMapping(this, 'Source', {
      target: this.projector,
      eventSourceArn: ledger.streamArn,
      // What was written between deploying the table and this is published too.
      startingPosition: StartingPosition.TRIM_HORIZON,
      batchSize: 100,
      maxBatchingWindow: Duration.seconds(0),
      // One batch of a shard at a time: cutting it up by keys would leave less of a batch to coalesce.
      parallelizationFactor: 1,
      reportBatchItemFailures: true,
      bisectBatchOnError: true,
      // Lambda's own defaults are endless: one bad record would hold up its shard until the stream forgets it.
      retryAttempts: 1_000,
      maxRecordAge: Duration.hours(6),
      onFailure: deadLetters.failureDestination(this.projector),
    });
  }
}
