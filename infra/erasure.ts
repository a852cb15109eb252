import { Construct } from 'constructs';
import { ERASURES_QUEUE_URL } from '../shared/contract/environment.ts';
import type { Cache } from './cache.ts';
import { DeadLetterQueue } from './dead-letter-queue.ts';
import { TidemarkFunction } from './function.ts';
import type { Ledger } from './ledger.ts';
import type { Live } from './live.ts';
import { QUEUE_FUNCTION_TIMEOUT, WorkQueue } from './work-queue.ts';

export interface ErasureProps {
  readonly bundles: string;
  readonly ledger: Ledger;
  readonly cache: Cache;
  /** Null in a deployment without the WebSocket API. */
  readonly live: Live | null;
  /** The function that reads the ledger's stream, and starts the work of each erasure. */
  readonly starter: TidemarkFunction;
}

/** The most instances that erase at once. The limit leaves the account's concurrency to callers. */
const MAXIMUM_CONCURRENCY = 5;

/** Erases what is stored of a user or of a deleted group, in jobs of a queue. */
export class Erasure extends Construct {
  constructor(scope: Construct, id: string, { bundles, ledger, cache, live, starter }: ErasureProps) {
    super(scope, id);
    const eraser = new TidemarkFunction(this, 'erase', {
      bundles,
      description: 'Erases what is stored of a user or of a deleted group',
      whenItFails: 'erasures end late; nothing of them is forgotten',
      timeout: QUEUE_FUNCTION_TIMEOUT,
      queuesItself: true,
    });
    cache.allow(eraser);
    ledger.allow(eraser, ['BatchGetItem', 'DeleteItem', 'GetItem', 'Query', 'UpdateItem']);
    // The members of a deleted group.
    ledger.allowListingMembers(eraser);
    live?.allowClosing(eraser);

    const deadLetters = new DeadLetterQueue(this, 'DeadLetters', 'erase-dead-letters');
    const queue = new WorkQueue(this, 'Queue', eraser, deadLetters);
    queue.workOff(this, { maximumConcurrency: MAXIMUM_CONCURRENCY });
    starter.addEnvironment(ERASURES_QUEUE_URL, queue.queueUrl);
    // A job queues the rest of its work.
    for (const sender of [starter, eraser]) sender.allow(['sqs:SendMessage'], queue.queueArn);
  }
}
