import type { EventBus } from 'aws-cdk-lib/aws-events';
import { Construct } from 'constructs';
import { facts } from '../shared/contract/facts.ts';
import type { Cache } from './cache.ts';
import { TidemarkFunction } from './function.ts';
import type { Ledger } from './ledger.ts';
import { QUEUE_FUNCTION_TIMEOUT, QueuedSubscription } from './queued-subscription.ts';

export interface FactsProps {
  /** The `source` of the chat back end's events. */
  readonly source: string;
  readonly bundles: string;
  readonly ledger: Ledger;
  readonly cache: Cache;
  readonly bus: EventBus;
}

/**
 * The most instances that apply facts at once. Ten facts an instance keep up with thousands a second, and a back end that
 * reports its whole past leaves the rest of the account's concurrency alone.
 */
const MAXIMUM_CONCURRENCY = 20;

/** What the chat back end tells over the bus instead of over the API. */
export class Facts extends Construct {
  constructor(scope: Construct, id: string, { source, bundles, ledger, cache, bus }: FactsProps) {
    super(scope, id);
    const handler = new TidemarkFunction(this, 'apply-facts', {
      bundles,
      description: 'Takes over what the chat back end reports as events',
      whenItFails: 'members, messages and departures that come as events take effect late; nothing is lost',
      timeout: QUEUE_FUNCTION_TIMEOUT,
    });
    cache.allow(handler);
    ledger.allow(handler, ['BatchGetItem', 'GetItem', 'Query', 'UpdateItem']);
    new QueuedSubscription(this, 'Subscription', {
      bus,
      handler,
      description: 'Facts of the chat back end wait for apply-facts',
      eventPattern: {
        source: [source],
        detailType: Object.keys(facts),
      },
      maximumConcurrency: MAXIMUM_CONCURRENCY,
    });
  }
}
