import { Agent, type IncomingMessage, request } from 'node:http';
import { buffer } from 'node:stream/consumers';

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

export interface RawRequest {
  readonly method: string;
  /** Sent unchanged: nothing is escaped or normalised. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Sends the body in chunks, without a content length. */
  readonly chunked?: boolean;
}

export interface Answer {
  readonly status: number;
  readonly contentType: string | undefined;
  /** Only the names: values such as a date differ from answer to answer. */
  readonly headerNames: readonly string[];
  /** The value of the header `retry-after`; null if there is none. */
  readonly retryAfter: string | null;
  /** The body, unchanged; '' if there is none. */
  readonly text: string;
  /** `text` parsed as JSON; null if it is no JSON. */
  readonly body: Json;
}

/** The fields of an answer's body; none if the body is no JSON object. */
export function fieldsOf({ body }: Pick<Answer, 'body'>): Readonly<Record<string, Json>> {
  return typeof body === 'object' && body !== null && !Array.isArray(body) ? body : {};
}

/** An event as the local stack lists it. */
export interface BusEvent {
  readonly id: string;
  readonly time: string;
  readonly source: string;
  readonly 'detail-type': string;
  readonly detail: Readonly<Record<string, Json>>;
}

export type CallerKind = 'user' | 'service';

/** The functions do not use `this`, so they can be destructured. */
export interface ApiClient {
  /** Returns the same token for each call. */
  userToken(userId: string): Promise<string>;
  serviceToken(): Promise<string>;
  send(raw: RawRequest): Promise<Answer>;
  /** Sends `body` as JSON. A string is sent unchanged, so that a caller can choose how a number is written. */
  call(token: string | null, method: string, path: string, body?: unknown): Promise<Answer>;
  asUser(userId: string, method: string, path: string, body?: unknown): Promise<Answer>;
  asService(method: string, path: string, body?: unknown): Promise<Answer>;
  /** All events that were put on the bus, in order. */
  events(): Promise<readonly BusEvent[]>;
  /** The events of one group and one type, in order. */
  eventsOf(groupId: string, detailType: string): Promise<readonly BusEvent[]>;
  close(): void;
}

/**
 * Calls a local stack over HTTP. The demo, the tests, and the benchmarks' preparations use it.
 *
 * It uses node:http, because `fetch` escapes paths and forbids some headers that a caller may send.
 */
export function createApiClient(
  apiUrl: string,
  issueToken: (subject: string, kind: CallerKind) => Promise<string>,
): ApiClient {
  const agent = new Agent({ keepAlive: true });
  const { hostname, port } = new URL(apiUrl);
  const tokens = new Map<string, Promise<string>>();
  const tokenOf = (subject: string, kind: CallerKind) => {
    const key = `${kind} ${subject}`;
    const token = tokens.get(key) ?? issueToken(subject, kind);
    tokens.set(key, token);
    return token;
  };

  const client: ApiClient = {
    userToken: (userId) => tokenOf(userId, 'user'),
    serviceToken: () => tokenOf('the-chat', 'service'),
    send: ({ method, path, headers = {}, body, chunked = false }) =>
      new Promise((resolve, reject) => {
        const length = body === undefined || chunked ? {} : { 'content-length': Buffer.byteLength(body) };
        const sent = request(
          { agent, hostname, port, method, path, headers: { ...headers, ...length } },
          (response) => {
            buffer(response).then((bytes) => resolve(answerOf(response, bytes.toString('utf8'))), reject);
          },
        );
        sent.on('error', reject);
        if (body !== undefined) sent.write(body);
        sent.end();
      }),
    call: (token, method, path, body) =>
      client.send({
        method,
        path,
        headers: {
          ...(token !== null && { authorization: `Bearer ${token}` }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      }),
    asUser: async (userId, method, path, body) =>
      client.call(await client.userToken(userId), method, path, body),
    asService: async (method, path, body) => client.call(await client.serviceToken(), method, path, body),
    async events() {
      const { text } = await client.call(null, 'GET', '/_local/events');
      return (JSON.parse(text) as { events: BusEvent[] }).events;
    },
    async eventsOf(groupId, detailType) {
      const events = await client.events();
      return events.filter(
        (event) => event['detail-type'] === detailType && event.detail.groupId === groupId,
      );
    },
    close: () => agent.destroy(),
  };
  return client;
}

function answerOf({ statusCode = 0, headers }: IncomingMessage, text: string): Answer {
  return {
    status: statusCode,
    contentType: headers['content-type'],
    headerNames: Object.keys(headers).sort(),
    retryAfter: headers['retry-after'] ?? null,
    text,
    body: parse(text),
  };
}

function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return null;
  }
}
