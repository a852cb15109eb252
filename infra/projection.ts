import { Duration } from 'aws-cdk-lib';
import { FilterCriteria, FilterRule } from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import type { Bus } from './bus.ts';
import type { Cache } from './cache.ts';
import { TidemarkFunction } from './function.ts';
import type { Ledger } from './ledger.ts';
import { StreamSource } from './stream-source.ts';

/** The kinds of items that the cache copies. Connections are not among them, so a client that connects invokes nothing. */
const isReadState = { kind: { S: FilterRule.or('membership', 'message', 'head') } };
/** The writes of a reminder change nothing that the cache copies, and leave this attribute until the message is deleted. */
const isNotReminded = { reminder: { S: FilterRule.notExists() } };
const FILTERS = [
  FilterCriteria.filter({ dynamodb: { NewImage: { ...isReadState, ...isNotReminded } } }),
  FilterCriteria.filter({ eventName: FilterRule.isEqual('REMOVE'), dynamodb: { OldImage: isReadState } }),
  // An erasure that begins, or begins again: its work is started.
  FilterCriteria.filter({
    eventName: FilterRule.or('INSERT', 'MODIFY'),
    dynamodb: { NewImage: { kind: { S: FilterRule.isEqual('erasure') } } },
  }),
];

export interface ProjectionProps {
  readonly bundles: string;
  readonly ledger: Ledger;
  readonly cache: Cache;
  /** The bus that GroupFullyRead is published to; null if no events are published. */
  readonly bus: Bus | null;
}

/** Merges the ledger's stream into the cache, publishes how far everyone has read, and starts erasures. */
export class Projection extends Construct {
  readonly projector: TidemarkFunction;

  constructor(scope: Construct, id: string, { bundles, ledger, cache, bus }: ProjectionProps) {
    super(scope, id);
    this.projector = new TidemarkFunction(this, 'project-ledger', {
      bundles,
      description:
        'Merges changes of the ledger into the cache, publishes how far everyone has read, and starts erasures',
      whenItFails:
        'shortly after a mark, reads may return the mark before it; GroupFullyRead comes late, and erasures begin late',
      timeout: Duration.seconds(30),
    });
    cache.allow(this.projector);
    // For members that are missing in the cache, and to see whether everyone has read if the cache cannot show it.
    ledger.allow(this.projector, ['BatchGetItem']);
    if (bus) {
      // The head says whether the group was deleted since its members joined.
      ledger.allow(this.projector, ['GetItem']);
      bus.allowPublishing(this.projector);
      ledger.allowListingMembers(this.projector);
    }
    new StreamSource(this, 'Source', { ledger, consumer: this.projector, filters: FILTERS });
  }
}
