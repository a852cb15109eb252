import { Webhook } from 'standardwebhooks';

export interface WebhookTarget {
  readonly url: string;
  /** The signing secret in base64, as Standard Webhooks has it behind its `whsec_` prefix. */
  readonly secret: string;
}

const TIMEOUT_MS = 5_000;

/**
 * Posts a body to a webhook, signed as Standard Webhooks prescribes
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md). `id` stays the same
 * over all tries, so that the receiver can tell a repetition. Throws where the answer is not a 2xx within 5 s.
 */
export async function postSigned(
  { url, secret }: WebhookTarget,
  id: string,
  body: string,
  nowMs: number,
): Promise<void> {
  const now = new Date(nowMs);
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(nowMs / 1000)),
      'webhook-signature': new Webhook(secret).sign(id, now, body),
    },
    body,
    // A redirect could carry the event to where nobody configured it to go.
    redirect: 'manual',
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`the webhook answered ${response.status}`);
}
