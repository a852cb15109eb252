import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { boundsOf } from '../../shared/aws/bounds.ts';
import { lean } from '../../shared/aws/lean.ts';
import { EVENT_BUS_NAME } from '../../shared/contract/environment.ts';
import { type Bus, createPublisher } from '../../shared/stream/publisher.ts';
import { variable } from './environment.ts';

/**
 * The bus that the function publishes on. A batch of the stream makes up to ten calls, one after the other. With these
 * bounds they end within the function's 30 s even if the bus does not answer, and the stream then repeats the batch.
 */
export function createBus(): Bus {
  const client = lean(new EventBridgeClient(boundsOf({ attempts: 2, timeoutMs: 1_000 })));
  return createPublisher(client, variable(EVENT_BUS_NAME));
}
