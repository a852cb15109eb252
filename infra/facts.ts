import type { EventBus } from 'aws-cdk-lib/aws-events';
import { Construct } from 'constructs';
import { facts } from '../shared/contract/facts.ts';
import type { Cache } from './cache.ts';
import { TidemarkFunction } from './function.ts';
import type { Ledger } from './ledger.ts';
import { QueuedSubscription } from './queued-subscription.ts';
import { QUEUE_FUNCTION_TIMEOUT } from './work-queue.ts';

export interface FactsProps {
  /** The `source` of the chat back end's events. */
  readonly source: string;
  readonly bundles: string;
  readonly ledger: Ledger;
  readonly cache: Cache;
  readonly bus: EventBus;
}

/**
 * The most instances that apply facts at once. With ten facts each, they process thousands of facts a second. The limit
 * leaves most of the account's concurrency free when a back end sends its whole history.
 */
const MAXIMUM_CONCURRENCY = 20;

/** Applies the facts that the chat back end sends over the bus instead of the API. */
export class Facts extends Construct {
  constructor(scope: Construct, id: string, { source, bundles, ledger, cache, bus }: FactsProps) {
    super(scope, id);
    const handler = new TidemarkFunction(this, 'apply-facts', {
      bundles,
      description: 'Applies the facts that the chat back end sends as events',
      whenItFails: 'members, messages and departures sent as events take effect late; nothing is lost',
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
