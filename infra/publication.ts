import { Duration } from 'aws-cdk-lib';
import { FilterCriteria, FilterRule } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import type { Bus } from './bus.ts';
import { TidemarkFunction } from './function.ts';
import type { Ledger } from './ledger.ts';
import { StreamSource } from './stream-source.ts';

export interface PublicationProps {
  readonly bundles: string;
  readonly ledger: Ledger;
  readonly bus: Bus;
}

/** The ledger's stream feeds the bus, whatever becomes of the cache. */
export class Publication extends Construct {
  constructor(scope: Construct, id: string, { bundles, ledger, bus }: PublicationProps) {
    super(scope, id);
    const publisher = new TidemarkFunction(this, 'publish-events', {
      bundles,
      description: 'Publishes how the memberships of the ledger move',
      whenItFails: 'events of reads, to subscribers and the webhook, come late; nothing is lost',
      timeout: Duration.seconds(30),
    });
    bus.allowPublishing(publisher);
    // What moves was there before: anything else in the stream has no event.
    const changesOfMemberships = FilterCriteria.filter({
      eventName: FilterRule.isEqual('MODIFY'),
      dynamodb: { NewImage: { kind: { S: FilterRule.isEqual('membership') } } },
    });
    new StreamSource(this, 'Source', { ledger, consumer: publisher, filters: [changesOfMemberships] });
  }
}
