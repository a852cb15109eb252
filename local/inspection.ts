import type { IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import type { DeadLetters } from './events/dead-letters.ts';
import type { EventBus } from './events/event-bus.ts';
import type { Journal } from './events/journal.ts';
import type { ProxyResponse } from './http/http-api.ts';
import { ISSUER, type Issuer, KEY_SET_PATH } from './http/issuer.ts';
import type { Lambda } from './lambda/lambda.ts';
import type { Log } from './log.ts';

export interface Notification {
  readonly receivedAt: string;
  readonly headers: Readonly<Record<string, string>>;
  /** As it came, so that its signature can be checked. */
  readonly body: string;
}

export interface Inspected {
  readonly bus: EventBus;
  readonly lambda: Lambda;
  readonly deadLetters: DeadLetters;
  readonly notifications: Journal<Notification>;
  readonly log: Log;
}

type Handler = (request: IncomingMessage, inspected: Inspected) => unknown;

/** What the local stack has that AWS has not: a look at events and notifications, and where notifications go to. */
const HANDLERS: Readonly<Record<string, Handler>> = {
  'GET /_local/events': (_request, { bus }) => ({ events: bus.events }),
  'POST /_local/events': async (request, { bus }) => {
    const { entries } = JSON.parse(await text(request)) as {
      entries: { source: string; detailType: string; detail: unknown; time?: string }[];
    };
    const results = bus.put(
      entries.map(({ source, detailType, detail, time }) => ({
        EventBusName: bus.name,
        Source: source,
        DetailType: detailType,
        Detail: JSON.stringify(detail),
        ...(time && { Time: time }),
      })),
    );
    return { results };
  },
  'GET /_local/notifications': (_request, { notifications }) => ({ notifications: notifications.entries }),
  'GET /_local/dead-letters': (_request, { deadLetters }) => ({ deadLetters: deadLetters.all }),
  'GET /_local/functions': (_request, { lambda }) => ({ instances: lambda.sizes() }),
  'POST /_local/webhook': async (request, { notifications, log }) => {
    const headers = Object.fromEntries(
      Object.entries(request.headersDistinct).map(([name, values]) => [name, (values ?? []).join(',')]),
    );
    notifications.append({ receivedAt: new Date().toISOString(), headers, body: await text(request) });
    log.line(`webhook received ${headers['webhook-id'] ?? 'a request without an id'}`);
    return {};
  },
};

/** Answers what needs nothing but the issuer, also while the rest still starts. */
export function issuerAnswer(path: string, issuer: Issuer, apiUrl: string): ProxyResponse | null {
  if (path === KEY_SET_PATH) return json(200, issuer.keySet);
  if (path !== '/_local/issuer/.well-known/openid-configuration') return null;
  return json(200, { issuer: ISSUER, jwks_uri: apiUrl + KEY_SET_PATH });
}

export async function inspect(request: IncomingMessage, inspected: Inspected): Promise<ProxyResponse> {
  const [path] = (request.url ?? '').split('?');
  const handler = HANDLERS[`${request.method} ${path}`];
  if (!handler) return json(404, { message: 'Not Found' });
  try {
    return json(200, await handler(request, inspected));
  } catch (error) {
    return json(400, { message: error instanceof Error ? error.message : String(error) });
  }
}

export function json(statusCode: number, body: unknown): ProxyResponse {
  return { statusCode, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
