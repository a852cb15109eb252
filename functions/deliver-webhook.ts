import { WEBHOOK_SECRET_ARN, WEBHOOK_URL } from '../shared/contract/environment.ts';
import { variable } from './runtime/environment.ts';
import { eventQueue } from './runtime/event-queue.ts';
import { prepare } from './runtime/prepare.ts';
import { createSecretsClient, readSecret } from './runtime/secret.ts';
import { POST_TIMEOUT_MS, WebhookReceiver } from './runtime/webhook-receiver.ts';

const url = variable(WEBHOOK_URL);
const arn = variable(WEBHOOK_SECRET_ARN);
const secrets = createSecretsClient();
const receiver = new WebhookReceiver({ url, readSecret: () => readSecret(secrets, arn), nowMs: Date.now });

/**
 * Posts events to the webhook, one at a time. So there are at most as many posts at once as instances, and the
 * deployment limits these.
 */
export const handler = eventQueue(
  async ({ id, time, source, detail, 'detail-type': detailType }) => {
    await receiver.post(id, JSON.stringify({ id, time, source, 'detail-type': detailType, detail }));
  },
  { laneOf: () => '', longestMs: POST_TIMEOUT_MS },
);

await prepare({ others: [() => receiver.warm(), handler.rehearse] });
