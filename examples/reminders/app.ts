import { App } from 'aws-cdk-lib';
import { RemindersStack } from './reminders-stack.ts';

const app = new App();
const eventBusName: unknown = app.node.tryGetContext('eventBusName');
const mailUrl: unknown = app.node.tryGetContext('mailUrl') ?? process.env.MAIL_URL;
if (typeof eventBusName !== 'string') {
  throw new Error(
    'Give the output EventBusName of the Tidemark stack, such as -c eventBusName=tidemark-prod.',
  );
}
if (typeof mailUrl !== 'string') {
  throw new Error('Give the URL that mails are posted to: -c mailUrl=https://..., or MAIL_URL.');
}
new RemindersStack(app, 'tidemark-reminders', { eventBusName, mailUrl });
