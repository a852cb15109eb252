import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { createPublisher, type Publisher } from '../shared/events/publisher.ts';
import { variable } from './environment.ts';

/** The bus that the function may put events on. */
export function createBus(): Publisher {
  return createPublisher(new EventBridgeClient({}), variable('EVENT_BUS_NAME'));
}
