import { Duration } from 'aws-cdk-lib';
import type { EventBus } from 'aws-cdk-lib/aws-events';
import { Construct } from 'constructs';
import type { Cache } from './cache.ts';
import { TidemarkFunction } from './function.ts';
import type { Ledger } from './ledger.ts';
import { Subscription } from './subscription.ts';

export interface FactsProps {
  /** The `source` of the chat back end's events. */
  readonly source: string;
  readonly bundles: string;
  readonly ledger: Ledger;
  readonly cache: Cache;
  readonly bus: EventBus;
}

/** What the chat back end tells over the bus instead of over the API. */
export class Facts extends Construct {
  constructor(scope: Construct, id: string, { source, bundles, ledger, cache, bus }: FactsProps) {
    super(scope, id);
    const handler = new TidemarkFunction(this, 'apply-facts', {
      bundles,
      description: 'Takes over what the chat back end reports as events',
      whenItFails: 'members, messages and departures that come as events take effect late; nothing is lost',
      timeout: Duration.seconds(30),
    });
    cache.allow(handler);
    ledger.allow(handler, ['BatchGetItem', 'GetItem', 'Query', 'UpdateItem']);
    new Subscription(this, 'Subscription', {
      bus,
      handler,
      description: 'Facts of the chat back end go to apply-facts',
      eventPattern: {
        source: [source],
        detailType: ['MessageSent', 'MessageDeleted', 'MemberJoined', 'MemberLeft'],
      },
    });
  }
}
