import { EventBus } from 'aws-cdk-lib/aws-events';
import { EVENT_BUS_NAME } from '../shared/contract/environment.ts';
import type { TidemarkFunction } from './function.ts';

/** The bus: facts arrive on it, and events are published to it. */
export class Bus extends EventBus {
  /** Lets a function put events on the bus, and gives it the bus's name. */
  allowPublishing(publisher: TidemarkFunction): void {
    publisher.addEnvironment(EVENT_BUS_NAME, this.eventBusName);
    publisher.allow(['events:PutEvents'], this.eventBusArn);
  }
}
