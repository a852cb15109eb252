import { Webhook } from 'standardwebhooks';
import { loggedError } from '../../shared/domain/logged-error.ts';

export interface WebhookTarget {
  readonly url: string;
  /** The signing secret in base64, as Standard Webhooks has it behind its `whsec_` prefix. */
  readonly secret: string;
}

/** The longest time that a receiver may take for its answer. */
export const POST_TIMEOUT_MS = 5_000;

/** After this many consecutive timeouts, no event is posted for this long. */
const MOST_TIMEOUTS = 3;
const QUIET_MS = 30_000;

export interface WebhookReceiverOptions {
  readonly url: string;
  /** Returns the signing secret in base64. */
  readonly readSecret: () => Promise<string>;
  readonly nowMs: () => number;
}

/** Posts events to the receiver of a webhook. Each instance has its own count of timeouts. */
export class WebhookReceiver {
  readonly #options: WebhookReceiverOptions;
  #secret: Promise<string> | null = null;
  #timeouts = 0;
  #quietUntilMs = 0;

  constructor(options: WebhookReceiverOptions) {
    this.#options = options;
  }

  /** Reads the secret and loads the code that signs and sends. Never rejects: the first post tries again. */
  async warm(): Promise<void> {
    try {
      const [secret] = await Promise.all([this.#signingSecret(), fetch('data:,')]);
      new Webhook(secret).sign('warm', new Date(this.#options.nowMs()), '');
    } catch (error) {
      console.warn({ message: 'the webhook could not be prepared', error: loggedError(error) });
    }
  }

  /**
   * Posts a body. Throws if the answer is not a 2xx within 5 s. A receiver that never answers would keep an instance
   * busy for 5 s with each event: after three timeouts in a row, `post` throws at once for half a minute.
   */
  async post(id: string, body: string): Promise<void> {
    const { url, nowMs } = this.#options;
    if (nowMs() < this.#quietUntilMs) throw new Error('the webhook did not answer: posts pause for a while');
    const secret = await this.#signingSecret();
    try {
      await postSigned({ url, secret }, id, body, nowMs());
      this.#timeouts = 0;
    } catch (error) {
      this.#timeouts = isTimeout(error) ? this.#timeouts + 1 : 0;
      if (this.#timeouts >= MOST_TIMEOUTS) this.#quietUntilMs = nowMs() + QUIET_MS;
      throw error;
    }
  }

  /** Reads the secret once for each instance. If the read fails, the next event reads it again. */
  async #signingSecret(): Promise<string> {
    this.#secret ??= this.#options.readSecret();
    try {
      return await this.#secret;
    } catch (error) {
      this.#secret = null;
      throw error;
    }
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.name === 'TimeoutError';
}

/**
 * Posts a body to a webhook, signed as Standard Webhooks prescribes
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md). `id` stays the same
 * in all tries, so that the receiver can recognise a repetition. Throws if the answer is not a 2xx within 5 s.
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
    // A redirect could lead the event to a host that nobody configured.
    redirect: 'manual',
    signal: AbortSignal.timeout(POST_TIMEOUT_MS),
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`the webhook answered ${response.status}`);
}
