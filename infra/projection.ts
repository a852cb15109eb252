import { Duration } from 'aws-cdk-lib';
import type { EventBus } from 'aws-cdk-lib/aws-events';
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

/** The ledger's stream repairs the cache, which then knows how far everyone has read. */
export class Projection extends Construct {
  readonly projector: TidemarkFunction;

  constructor(scope: Construct, id: string, { bundles, ledger, cache, bus }: ProjectionProps) {
    super(scope, id);
    this.projector = new TidemarkFunction(this, 'project-ledger', {
      bundles,
      description: 'Merges what the ledger says into the cache, and tells how far everyone has read',
      timeout: Duration.seconds(30),
      environment: { EVENT_BUS_NAME: bus.eventBusName },
    });
    cache.allow(this.projector);
    this.projector.allow(['events:PutEvents'], bus.eventBusArn);
    // To find out whether everyone has read as far, where the cache does not know.
    ledger.allow(this.projector, ['BatchGetItem']);
    ledger.allowListingMembers(this.projector);
    new StreamSource(this, 'Source', { ledger, consumer: this.projector });
  }
}
