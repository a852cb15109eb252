import { Duration } from 'aws-cdk-lib';
import { FilterCriteria, FilterRule } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import type { Bus } from './bus.ts';
import type { Cache } from './cache.ts';
import { TidemarkFunction } from './function.ts';
import type { Ledger } from './ledger.ts';
import { StreamSource } from './stream-source.ts';

/** The kinds of items that the cache copies. Connections are none of them: they come and go without an invocation. */
const isReadState = { kind: { S: FilterRule.or('membership', 'message', 'head') } };
const CHANGES_OF_READ_STATE = [
  FilterCriteria.filter({ dynamodb: { NewImage: isReadState } }),
  FilterCriteria.filter({ eventName: FilterRule.isEqual('REMOVE'), dynamodb: { OldImage: isReadState } }),
];

export interface ProjectionProps {
  readonly bundles: string;
  readonly ledger: Ledger;
  readonly cache: Cache;
  /** Where it publishes how far everyone has read; null where nothing is published. */
  readonly bus: Bus | null;
}

/** The ledger's stream repairs the cache, which then knows how far everyone has read. */
export class Projection extends Construct {
  constructor(scope: Construct, id: string, { bundles, ledger, cache, bus }: ProjectionProps) {
    super(scope, id);
    const projector = new TidemarkFunction(this, 'project-ledger', {
      bundles,
      description: 'Merges what the ledger says into the cache, and tells how far everyone has read',
      whenItFails: 'for a moment after a mark, reads may tell the one before; GroupFullyRead comes late',
      timeout: Duration.seconds(30),
    });
    cache.allow(projector);
    // For members whom the cache lacks, and to find out whether everyone has read as far where the cache does not know.
    ledger.allow(projector, ['BatchGetItem']);
    if (bus) {
      bus.allowPublishing(projector);
      ledger.allowListingMembers(projector);
    }
    new StreamSource(this, 'Source', { ledger, consumer: projector, filters: CHANGES_OF_READ_STATE });
  }
}
