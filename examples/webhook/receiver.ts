import type { IncomingMessage, RequestListener } from 'node:http';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';

/** An event as Tidemark posts it. The fields of `detail` depend on the type. */
export interface WebhookEvent {
  readonly id: string;
  readonly time: string;
  readonly source: string;
  readonly 'detail-type': string;
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface ReceiverOptions {
  /** Begins with `whsec_`. */
  readonly secret: string;
  /**
   * Stores an event. The receiver answers when this resolves, and Tidemark waits 5 s: so store the event here, and do what
   * is slow (push notifications, mail) afterwards. If it rejects, the event is posted again later.
   */
  readonly store: (event: WebhookEvent) => void | Promise<void>;
}

/** No event is larger: EventBridge takes up to 256 KB. */
const MAX_BODY_BYTES = 256 * 1024;

/**
 * The most ids that are remembered. In a database, give the id a unique key instead, and insert it in the transaction that
 * stores the event: then a restart forgets nothing.
 */
const MOST_IDS = 100_000;

/**
 * Receives the events of a webhook that is signed as Standard Webhooks prescribes
 * (https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md). It answers 204 to an event
 * that is stored, now or before; 401 to a wrong signature or a timestamp more than five minutes away; 400 to a body that is
 * no JSON; 405 to other methods; 413 to a body that is too large; and 500 if the event could not be stored.
 */
export function createReceiver({ secret, store }: ReceiverOptions): RequestListener {
  const webhook = new Webhook(secret);
  /** Each event that is stored or is being stored, by its id, the oldest first. */
  const taken = new Map<string, Promise<void>>();

  /** Stores an event once, even if it is posted again while it is being stored. */
  function storeOnce(id: string, event: WebhookEvent): Promise<void> {
    const known = taken.get(id);
    if (known) return known;
    const storing = (async () => store(event))();
    taken.set(id, storing);
    // An event that was not stored is not known: the next post of it must store it.
    storing.catch(() => taken.delete(id));
    const [oldest] = taken.keys();
    if (taken.size > MOST_IDS && oldest !== undefined) taken.delete(oldest);
    return storing;
  }

  async function statusFor(request: IncomingMessage): Promise<number> {
    if (request.method !== 'POST') return 405;
    const body = await bodyOf(request);
    if (body === null) return 413;
    let event: WebhookEvent;
    try {
      // The signature covers the bytes of the body: verify them before anything else reads them.
      event = webhook.verify(body, request.headers as Record<string, string>) as WebhookEvent;
    } catch (error) {
      return error instanceof WebhookVerificationError ? 401 : 400;
    }
    // Each post of an event has the same id, and the signature covers it.
    await storeOnce(String(request.headers['webhook-id']), event);
    return 204;
  }

  return async (request, response) => {
    const status = await statusFor(request).catch((error: unknown) => {
      console.error('An event was not stored. It will be posted again.', error);
      return 500;
    });
    response.writeHead(status).end();
  };
}

/** Returns null if the body is too large. Keeps no more of it than the limit. */
function bodyOf(request: IncomingMessage): Promise<string | null> {
  const { promise, resolve, reject } = Promise.withResolvers<string | null>();
  const chunks: Buffer[] = [];
  let bytes = 0;
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
  });
  request.once('end', () => resolve(bytes <= MAX_BODY_BYTES ? Buffer.concat(chunks).toString() : null));
  request.once('error', reject);
  return promise;
}
