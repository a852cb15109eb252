import { Duration } from 'aws-cdk-lib';
import type { EventBus } from 'aws-cdk-lib/aws-events';
import { FilterCriteria, FilterRule } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import type { Cache } from './cache.ts';
import { TidemarkFunction } from './function.ts';
import type { Ledger } from './ledger.ts';
import { StreamSource } from './stream-source.ts';

export interface ProjectionProps {
  readonly bundles: string;
  readonly ledger: Ledger;
  readonly cache: Cache;
  readonly bus: EventBus;
}

/** What follows from a change of the ledger: its stream repairs the cache, and feeds the bus. */
export class Projection extends Construct {
  /** Those whom the stream feeds. */
  readonly consumers: readonly TidemarkFunction[];

  constructor(scope: Construct, id: string, { bundles, ledger, cache, bus }: ProjectionProps) {
    super(scope, id);
    const props = {
      bundles,
      timeout: Duration.seconds(30),
      environment: { EVENT_BUS_NAME: bus.eventBusName },
    };
    const projector = new TidemarkFunction(this, 'project-ledger', {
      ...props,
      description: 'Merges what the ledger says into the cache, and tells how far everyone has read',
    });
    cache.allow(projector);
    // To find out whether everyone has read as far, where the cache does not know.
    ledger.allow(projector, ['BatchGetItem']);
    ledger.allowListingMembers(projector);
    new StreamSource(this, 'ProjectorSource', { ledger, consumer: projector });

    const publisher = new TidemarkFunction(this, 'publish-events', {
      ...props,
      description: 'Publishes how the memberships of the ledger move',
    });
    // A move is a change of a membership: joining makes a new item, and leaving tells nobody.
    const moves = FilterCriteria.filter({
      eventName: FilterRule.isEqual('MODIFY'),
      dynamodb: { NewImage: { kind: { S: FilterRule.isEqual('membership') } } },
    });
    new StreamSource(this, 'PublisherSource', { ledger, consumer: publisher, filters: [moves] });

    this.consumers = [projector, publisher];
    for (const consumer of this.consumers) consumer.allow(['events:PutEvents'], bus.eventBusArn);
  }
}
