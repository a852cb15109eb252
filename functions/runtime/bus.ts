import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { boundsOf } from '../../shared/aws/bounds.ts';
import { lean } from '../../shared/aws/lean.ts';
import { EVENT_BUS_NAME } from '../../shared/contract/environment.ts';
import { type Bus, createPublisher } from '../../shared/stream/publisher.ts';
import { variable } from './environment.ts';

/**
 * The bus that the function publishes on. A batch of the stream makes ten calls or more, one after the other. With these
 * bounds, ten calls to a bus that does not answer end within the function's 30 s. The deadline of the batch ends the rest.
 */
export function createBus(): Bus {
  const client = lean(new EventBridgeClient(boundsOf({ attempts: 2, timeoutMs: 1_000 })));
  return createPublisher(client, variable(EVENT_BUS_NAME));
}
