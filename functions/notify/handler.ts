import middy from '@middy/core';
import type { EventBridgeEvent } from 'aws-lambda';
import { postSigned } from '../../shared/notifications/webhook.ts';
import { createSecretsClient, readSecret } from '../../shared/secrets/secret.ts';
import { variable } from '../environment.ts';

const url = process.env.WEBHOOK_URL;
const secrets = url ? createSecretsClient() : null;
let secret: Promise<string> | null = null;

/** Posts an event to the webhook. Throws where the webhook did not take it: the caller tries again, then parks it. */
export const handler = middy<EventBridgeEvent<string, unknown>, void>().handler(async (event) => {
  const { id, time, source, detail, 'detail-type': detailType } = event;
  console.info({ message: 'event', detailType, id, webhook: Boolean(url) });
  if (!url) return;
  const body = JSON.stringify({ id, time, source, 'detail-type': detailType, detail });
  await postSigned({ url, secret: await signingSecret() }, id, body, Date.now());
});

/** Read once for each instance; a failed read is made again at the next event. */
async function signingSecret(): Promise<string> {
  if (!secrets) throw new Error('there is no webhook to sign for');
  secret ??= readSecret(secrets, variable('WEBHOOK_SECRET_ARN'));
  try {
    return await secret;
  } catch (error) {
    secret = null;
    throw error;
  }
}
