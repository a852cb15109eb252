import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import * as v from 'valibot';
import { type WebSocket, WebSocketServer } from 'ws';
import { durationSince, type Log } from '../../command/log.ts';
import type { InvocationResult } from '../lambda/instance.ts';
import type { Lambda } from '../lambda/lambda.ts';
import { AwsError } from '../operation.ts';
import { Connection, DELETED, type Ending, GOING_AWAY } from './connection.ts';
import { type Client, connectEvent, disconnectEvent, messageEvent } from './events.ts';
import { isWellFormed, newId, refuse } from './handshake.ts';
import type { WebSocketLimits } from './limits.ts';
import { RequestAuthorizer } from './request-authorizer.ts';
import { executeArn, type Route, type WebSocketRoutes } from './routes.ts';

/** How long a stack that stops waits for clients to close, and for what `$disconnect` does. */
const STOP_MS = 1_500;

export interface WebSocketApiOptions {
  readonly lambda: Pick<Lambda, 'invoke' | 'pool'>;
  readonly limits: WebSocketLimits;
  readonly log: Log;
}

/** What GetConnection returns. */
export interface ConnectionDescription {
  readonly connectedAt: string;
  readonly identity: { readonly sourceIp: string; readonly userAgent: string };
  readonly lastActiveAt: string;
}

type Outcome = { readonly ok: true; readonly answer: FunctionAnswer } | Failure;

interface Failure {
  readonly ok: false;
  readonly status: 502 | 504;
  /** What a client receives. */
  readonly message: string;
  /** What went wrong, for the log. */
  readonly reason: string;
}

/**
 * The template's WebSocket API: opens connections, takes messages to the functions of their routes, and pushes what
 * functions post (https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api.html).
 */
export class WebSocketApi {
  readonly #api: WebSocketRoutes;
  readonly #options: WebSocketApiOptions;
  readonly #authorizer: RequestAuthorizer | null;
  readonly #server: WebSocketServer;
  /** By their ids. A connection is there from the end of its handshake on. */
  readonly #connections = new Map<string, Connection>();
  /** The subprotocol that `$connect` chose. */
  readonly #subprotocols = new WeakMap<IncomingMessage, string>();
  /** Each resolves once a connection has ended and `$disconnect` has run. */
  readonly #endings = new Set<Promise<void>>();
  #isStopping = false;

  constructor(api: WebSocketRoutes, options: WebSocketApiOptions) {
    this.#api = api;
    this.#options = options;
    const { authorizer } = api;
    const integrations = [...api.routes.values()].map(({ integration }) => integration);
    for (const integration of [...integrations, ...(authorizer ? [authorizer] : [])])
      if ('functionName' in integration) options.lambda.pool(integration.functionName);
    this.#authorizer =
      authorizer &&
      new RequestAuthorizer({
        header: authorizer.header,
        methodArn: executeArn(api.apiId, `${api.stage}/$connect`),
        invoke: (payload) => options.lambda.invoke(authorizer.functionName, payload),
      });
    this.#server = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      maxPayload: options.limits.messageBytes,
      handleProtocols: (_offered, request) => this.#subprotocols.get(request) ?? false,
    });
  }

  get apiId(): string {
    return this.#api.apiId;
  }

  get stage(): string {
    return this.#api.stage;
  }

  /** Opens a connection, or refuses it. Never rejects. */
  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const begun = performance.now();
    // A client that goes away meanwhile needs no answer.
    socket.on('error', () => socket.destroy());
    const client = this.#clientOf(request);
    const requestId = newId();
    const refused = await this.#open(client, request, socket, head, requestId);
    if (refused) {
      const { status, message = STATUS_CODES[status] ?? '', body } = refused;
      refuse(socket, status, body ?? problem(message, client, requestId));
    }
    this.#log('$connect', refused?.status ?? 101, begun, refused?.reason);
  }

  /** Returns why the connection is refused; null where it is open. */
  async #open(
    client: Client,
    request: IncomingMessage,
    socket: Duplex,
    head: Buffer,
    requestId: string,
  ): Promise<Refusal | null> {
    const [path] = (request.url ?? '').split('?');
    if (this.#isStopping) return { status: 503 };
    if (path !== `/${this.#api.stage}`) return { status: 403 };
    if (!isWellFormed(request)) return { status: 400 };
    const authorization = await this.#authorizer?.authorize(client, request, requestId);
    if (authorization?.outcome === 'refused') return authorization;
    const known = { ...client, authorizer: authorization?.context ?? null };
    const connect = this.#api.routes.get('$connect');
    if (connect) {
      const outcome = await this.#run(connect, connectEvent(known, request, requestId));
      if (!outcome.ok) return outcome;
      const { statusCode: status, headers, body } = outcome.answer;
      if (status < 200 || status > 299) return { status, ...(body !== '' && { body }) };
      const subprotocol = headerIn(headers, 'sec-websocket-protocol');
      if (subprotocol !== undefined) this.#subprotocols.set(request, subprotocol);
    }
    if (this.#isStopping) return { status: 503 };
    this.#server.handleUpgrade(request, socket, head, (opened) => this.#add(known, opened, socket));
    return null;
  }

  #clientOf(request: IncomingMessage): Client {
    return {
      connectionId: newId(),
      connectedAtMs: Date.now(),
      apiId: this.#api.apiId,
      stage: this.#api.stage,
      domainName: request.headers.host ?? 'localhost',
      sourceIp: request.socket.remoteAddress ?? '127.0.0.1',
      userAgent: request.headers['user-agent'] ?? '',
      authorizer: null,
    };
  }

  #add(client: Client, opened: WebSocket, stream: Duplex): void {
    const ended = Promise.withResolvers<void>();
    const connection = new Connection(client, opened, stream, this.#options.limits, {
      message: (text) => void this.#receive(connection, text),
      closed: (ending) => {
        this.#connections.delete(client.connectionId);
        void this.#disconnect(client, ending).finally(ended.resolve);
      },
    });
    this.#connections.set(client.connectionId, connection);
    this.#endings.add(ended.promise);
    void ended.promise.then(() => this.#endings.delete(ended.promise));
  }

  async #receive(connection: Connection, text: string): Promise<void> {
    const begun = performance.now();
    const { client } = connection;
    const requestId = newId();
    const route = this.#routeOf(text);
    if (!route) {
      connection.send(problem('Forbidden', client, requestId));
      return;
    }
    const { routeKey, isAnswered } = route;
    const outcome = await this.#run(route, messageEvent(client, routeKey, requestId, text));
    // A function that was ended with the stack has said nothing of the message.
    if (this.#isStopping) return;
    if (outcome.ok) this.#log(routeKey, outcome.answer.statusCode, begun);
    else this.#log(routeKey, outcome.status, begun, outcome.reason);
    if (!outcome.ok) connection.send(problem(outcome.message, client, requestId));
    else if (isAnswered && outcome.answer.body !== '') connection.send(outcome.answer.body);
  }

  /** A text that is not JSON, or that has no known route, goes to `$default`. A client cannot select a route that begins with `$`. */
  #routeOf(text: string): Route | undefined {
    const { routes } = this.#api;
    const action = actionIn(text);
    const named = action?.startsWith('$') ? undefined : routes.get(action ?? '$default');
    return named ?? routes.get('$default');
  }

  /** Best effort, as on AWS: one try, and a failure is only logged. */
  async #disconnect(client: Client, { code, reason }: Ending): Promise<void> {
    const begun = performance.now();
    const route = this.#api.routes.get('$disconnect');
    const outcome = route && (await this.#run(route, disconnectEvent(client, newId(), code, reason)));
    const failure = outcome?.ok === false ? outcome.reason : undefined;
    // A function that was ended with the stack has not failed.
    if (failure === undefined || !this.#isStopping) this.#log('$disconnect', code, begun, failure);
  }

  async #run({ integration }: Route, event: object): Promise<Outcome> {
    if (integration.kind === 'mock')
      return { ok: true, answer: { statusCode: 200, headers: {}, body: integration.answer } };
    const timeout = Promise.withResolvers<null>();
    const timer = setTimeout(() => timeout.resolve(null), this.#options.limits.integrationMs);
    const invoked = this.#options.lambda.invoke(integration.functionName, JSON.stringify(event));
    const result = await Promise.race([invoked, timeout.promise]);
    clearTimeout(timer);
    if (!result)
      return {
        ok: false,
        status: 504,
        message: 'Endpoint request timed out',
        reason: 'the function did not answer in time',
      };
    return outcomeOf(result);
  }

  #log(routeKey: string, status: number, begun: number, reason?: string): void {
    const why = reason === undefined ? '' : `: ${reason}`;
    this.#options.log.line(`websocket ${routeKey} ${status} ${durationSince(begun)}${why}`);
  }

  /** The connection of an id. @throws AwsError where it is gone, or its handshake has not ended */
  #connection(connectionId: string): Connection {
    const connection = this.#connections.get(connectionId);
    if (!connection?.isOpen)
      throw new AwsError('GoneException', `there is no connection ${connectionId}`, 410);
    return connection;
  }

  /** Pushes a text to a client. @throws AwsError as PostToConnection does */
  post(connectionId: string, data: Buffer): void {
    const connection = this.#connection(connectionId);
    if (data.length > this.#options.limits.messageBytes)
      throw new AwsError('PayloadTooLargeException', 'Message too long', 413);
    if (!connection.send(data.toString()))
      throw new AwsError('LimitExceededException', 'the client does not read what was sent to it', 429);
  }

  /** @throws AwsError where the connection is gone */
  describe(connectionId: string): ConnectionDescription {
    const { client, lastActiveAtMs } = this.#connection(connectionId);
    return {
      connectedAt: new Date(client.connectedAtMs).toISOString(),
      identity: { sourceIp: client.sourceIp, userAgent: client.userAgent },
      lastActiveAt: new Date(lastActiveAtMs).toISOString(),
    };
  }

  /** Closes a connection. @throws AwsError where it is gone */
  delete(connectionId: string): void {
    this.#connection(connectionId).close(DELETED);
  }

  /** Closes every connection and opens no other one. Waits a little for what `$disconnect` does. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const connection of this.#connections.values()) connection.close(GOING_AWAY);
    await Promise.race([Promise.all(this.#endings), delay(STOP_MS, undefined, { ref: false })]);
  }
}

/** Why no connection is opened. */
interface Refusal {
  readonly status: number;
  /** By default the name of the status. */
  readonly message?: string;
  /** What the function of `$connect` answered. */
  readonly body?: string;
  /** What went wrong, for the log. */
  readonly reason?: string;
}

/** What the gateway itself sends to a client, in AWS's words. */
function problem(message: string, { connectionId }: Client, requestId: string): string {
  return JSON.stringify({ message, connectionId, requestId });
}

type FunctionAnswer = v.InferOutput<typeof FunctionAnswer>;

/** https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-integration-requests.html */
const FunctionAnswer = v.object({
  statusCode: v.number(),
  headers: v.optional(v.record(v.string(), v.string()), {}),
  body: v.optional(v.string(), ''),
});

function outcomeOf(result: InvocationResult): Outcome {
  const failure = { ok: false, status: 502, message: 'Internal server error' } as const;
  if (!result.ok) return { ...failure, reason: result.errorMessage };
  const parsed = v.safeParse(FunctionAnswer, JSON.parse(result.payload));
  return parsed.success
    ? { ok: true, answer: parsed.output }
    : { ...failure, reason: 'the function returned no answer with a statusCode' };
}

function headerIn(headers: Readonly<Record<string, string>>, wanted: string): string | undefined {
  return Object.entries(headers).find(([name]) => name.toLowerCase() === wanted)?.[1];
}

/** What `$request.body.action` selects; undefined where it selects nothing. */
function actionIn(text: string): string | undefined {
  try {
    const message: unknown = JSON.parse(text);
    if (typeof message !== 'object' || message === null || !('action' in message)) return undefined;
    return typeof message.action === 'string' ? message.action : undefined;
  } catch {
    return undefined;
  }
}
