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

/** Publishes events from the ledger's stream. It does not depend on the cache. */
export class Publication extends Construct {
  constructor(scope: Construct, id: string, { bundles, ledger, bus }: PublicationProps) {
    super(scope, id);
    const publisher = new TidemarkFunction(this, 'publish-events', {
      bundles,
      description: 'Publishes the moves of memberships in the ledger and the ends of erasures',
      whenItFails: 'events reach subscribers and the webhook late; nothing is lost',
      timeout: Duration.seconds(30),
    });
    bus.allowPublishing(publisher);
    // Only changes of existing memberships have events. A new membership has not moved.
    const changesOfMemberships = FilterCriteria.filter({
      eventName: FilterRule.isEqual('MODIFY'),
      dynamodb: { NewImage: { kind: { S: FilterRule.isEqual('membership') } } },
    });
    // The item of an erasure is removed when nothing is left.
    const endsOfErasures = FilterCriteria.filter({
      eventName: FilterRule.isEqual('REMOVE'),
      dynamodb: { OldImage: { kind: { S: FilterRule.isEqual('erasure') } } },
    });
    new StreamSource(this, 'Source', {
      ledger,
      consumer: publisher,
      filters: [changesOfMemberships, endsOfErasures],
    });
  }
}
