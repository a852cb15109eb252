import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  request as requestOf,
  type Server,
  type ServerResponse,
} from 'node:http';
import { buffer } from 'node:stream/consumers';
import { type Listening, listenOnLoopback } from '../../local/http/loopback.ts';
import { LIVE_SCRIPTS } from '../../shared/cache/live-scripts.ts';
import { SCRIPTS } from '../../shared/cache/scripts.ts';

export interface ProxiedRequest {
  /**
   * What is asked: the operation of an AWS service; the cache's script, of which mergeGroup is `mergeFor` (a caller waits
   * for its view) or `merge`; method and path of anything else.
   */
  readonly operation: string;
  readonly body: string;
}

/**
 * What becomes of a request. `then` runs at that point, and is waited for before the connection breaks. A held answer has the
 * state at the time of the request.
 */
export type Fault =
  | { readonly kind: 'lose request'; readonly then?: () => Promise<void> }
  | { readonly kind: 'lose answer'; readonly then?: () => Promise<void> }
  | { readonly kind: 'hang' }
  | { readonly kind: 'hold answer'; readonly until: Promise<void> }
  | { readonly kind: 'answer'; readonly status: number; readonly body: unknown };

/** Whether a fault is meant for a request. */
export type Match = string | ((request: ProxiedRequest) => boolean);

/** DynamoDB's refusals as its JSON protocol sends them. */
export const THROTTLED = dynamoDbError(400, 'ThrottlingException');
export const THROUGHPUT_EXCEEDED = dynamoDbError(400, 'ProvisionedThroughputExceededException');
export const INTERNAL_ERROR = dynamoDbError(500, 'InternalServerError');

function dynamoDbError(status: number, name: string): Fault {
  return {
    kind: 'answer',
    status,
    body: { __type: `com.amazonaws.dynamodb.v20120810#${name}`, message: 'a fault of the test' },
  };
}

interface Rule {
  readonly match: Match;
  readonly fault: Fault;
  readonly isOnce: boolean;
}

/** Stands between the functions and a service. Passes requests on, except those that a test has other plans for. */
export class FaultProxy {
  readonly url: string;
  /** Every request so far, in order. */
  readonly requests: ProxiedRequest[] = [];
  readonly #listening: Listening;
  readonly #agent = new Agent({ keepAlive: true });
  #target: URL | null = null;
  #rules: Rule[] = [];

  static async start(): Promise<FaultProxy> {
    const server = createServer({ keepAliveTimeout: 60_000 });
    return new FaultProxy(server, await listenOnLoopback(server));
  }

  private constructor(server: Server, listening: Listening) {
    this.#listening = listening;
    this.url = listening.url;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      this.#handle(request, response).catch(() => response.destroy());
    });
  }

  /** Where requests go from now on. Returns the address to ask instead. */
  standBefore(url: string): string {
    this.#target = new URL(url);
    return this.url + (this.#target.pathname === '/' ? '' : this.#target.pathname);
  }

  /** The next request that matches, and no other. */
  once(match: Match, fault: Fault): void {
    this.#rules.push({ match, fault, isOnce: true });
  }

  /** Every request that matches, until `clear` or a call of what this returns. */
  always(match: Match, fault: Fault): () => void {
    const rule = { match, fault, isOnce: false };
    this.#rules.push(rule);
    return () => {
      this.#rules = this.#rules.filter((other) => other !== rule);
    };
  }

  clear(): void {
    this.#rules = [];
  }

  /** How many requests of an operation came so far. */
  count(operation: string): number {
    return this.requests.filter((request) => request.operation === operation).length;
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    await this.#listening.close();
  }

  async #handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await buffer(incoming);
    const request = { operation: operationOf(incoming, body), body: body.toString() };
    this.requests.push(request);
    const fault = this.#take(request);
    if (fault?.kind === 'hang') return;
    if (fault?.kind === 'answer') {
      response.writeHead(fault.status, { 'content-type': 'application/x-amz-json-1.0' });
      response.end(JSON.stringify(fault.body));
      return;
    }
    if (fault?.kind === 'lose request') {
      await fault.then?.();
      response.destroy();
      return;
    }
    const answer = await this.#forward(incoming, body);
    if (fault?.kind === 'lose answer') {
      await fault.then?.();
      response.destroy();
      return;
    }
    await fault?.until;
    response.writeHead(answer.status, answer.headers).end(answer.body);
  }

  #take(request: ProxiedRequest): Fault | null {
    const rule = this.#rules.find(({ match }) =>
      typeof match === 'string' ? match === request.operation : match(request),
    );
    if (rule?.isOnce) this.#rules = this.#rules.filter((other) => other !== rule);
    return rule?.fault ?? null;
  }

  async #forward(incoming: IncomingMessage, body: Buffer): Promise<Answer> {
    if (!this.#target) throw new Error('the proxy stands before nothing');
    const { hostname, port } = this.#target;
    const outgoing = requestOf({
      agent: this.#agent,
      hostname,
      port,
      method: incoming.method,
      path: incoming.url,
      headers: incoming.headers,
    });
    outgoing.end(body);
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage];
    return { status: answer.statusCode ?? 502, headers: headersOf(answer), body: await buffer(answer) };
  }
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Without those that say how this one connection is used. */
function headersOf({ headers }: IncomingMessage): IncomingHttpHeaders {
  const { connection, 'keep-alive': keepAlive, 'transfer-encoding': encoding, ...others } = headers;
  return others;
}

/** The name of each script, by what stands for it in a command: its text or its digest. */
const SCRIPT_NAMES = new Map(
  Object.entries({ ...SCRIPTS, ...LIVE_SCRIPTS }).flatMap(([name, text]) => [
    [text as string, name],
    [createHash('sha1').update(text).digest('hex'), name],
  ]),
);

/** In the arguments of mergeGroup, behind the time, the time to live and the capacity. */
const VIEWER = 3;

function operationOf({ headers, method, url }: IncomingMessage, body: Buffer): string {
  const target = headers['x-amz-target'];
  if (typeof target === 'string') return target.split('.').at(-1) ?? target;
  const command = commandOf(body);
  const name = command && /^eval(sha)?$/i.test(command[0] ?? '') && SCRIPT_NAMES.get(command[1] ?? '');
  if (!name) return `${method} ${url}`;
  if (name !== 'mergeGroup') return name;
  const [, , keys, ...rest] = command;
  return rest[Number(keys) + VIEWER] ? 'mergeFor' : 'merge';
}

function commandOf(body: Buffer): string[] | null {
  try {
    const command: unknown = JSON.parse(body.toString());
    return Array.isArray(command) ? command.map(String) : null;
  } catch {
    return null;
  }
}
