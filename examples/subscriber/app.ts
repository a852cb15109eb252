import { App } from 'aws-cdk-lib';
import { SubscriberStack } from './subscriber-stack.ts';

const app = new App();
const eventBusName: unknown = app.node.tryGetContext('eventBusName');
if (typeof eventBusName !== 'string') {
  throw new Error(
    'Give the output EventBusName of the Tidemark stack, such as -c eventBusName=tidemark-prod.',
  );
}
new SubscriberStack(app, 'tidemark-subscriber', { eventBusName });
