import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Redis } from 'ioredis';
import { readBody } from '../http/body.ts';
import { equalSecrets } from '../http/equal-secrets.ts';
import { type Listening, listenOnLoopback } from '../http/loopback.ts';
import { createLockFlagRemover, type RedisCommand } from './lock-flag.ts';

export interface UpstashRestOptions {
  readonly redisUrl: string;
  readonly token: string;
  /** @default a free port */
  readonly port?: number;
}

/** Integers are text, because JavaScript numbers round them above 2^53. */
type Reply = string | Buffer | null | Error | readonly Reply[];

interface Answer {
  readonly status: number;
  readonly body: string;
}

const RECONNECT_AFTER_MS = 50;

const MAX_REQUEST_BYTES = 10 * 1024 * 1024;

/**
 * Commands that change or block a connection. Upstash does not offer them over REST, because requests have no connection
 * of their own. Here they would affect all callers, which share one connection.
 */
const UNAVAILABLE = new Set(
  (
    'AUTH BLMOVE BLMPOP BLPOP BRPOP BRPOPLPUSH BZMPOP BZPOPMAX BZPOPMIN CLIENT DISCARD EXEC HELLO MONITOR MULTI ' +
    'PSUBSCRIBE PUNSUBSCRIBE QUIT RESET SELECT SHUTDOWN SSUBSCRIBE SUBSCRIBE SUNSUBSCRIBE UNSUBSCRIBE UNWATCH WAIT ' +
    'WATCH'
  ).split(' '),
);

/**
 * Starts Upstash's REST API in front of a Redis, as https://upstash.com/docs/redis/features/restapi describes it and
 * Upstash's client uses it. Not supported: event streams, RESP replies, read-only tokens, and Upstash's limits.
 */
export async function startUpstashRest({
  redisUrl,
  token,
  port = 0,
}: UpstashRestOptions): Promise<Listening> {
  const redis = new Redis(redisUrl, {
    lazyConnect: true,
    stringNumbers: true,
    // A command without a reply may have run: only the caller can decide whether to send it again.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    retryStrategy: () => RECONNECT_AFTER_MS,
    enableReadyCheck: false,
    disableClientInfo: true,
  });
  redis.on('error', () => {}); // requests report a broken connection themselves
  const withoutLockFlag = createLockFlagRemover();

  const server = createServer((request, response) => {
    readBody(request, MAX_REQUEST_BYTES)
      .then((body) => (body ? answer(request, body) : refuse(400, 'ERR max request size exceeded')))
      .catch((error: unknown) => refuse(500, `ERR ${String(error)}`))
      .then((reply) => send(response, reply));
  });
  // Longer than any client keeps an idle connection, so that no request arrives while the server closes its socket.
  server.keepAliveTimeout = 600_000;
  const listening = await listenOnLoopback(server, port);
  await redis.connect().catch(() => {}); // the client keeps trying

  return {
    ...listening,
    close() {
      redis.disconnect();
      return listening.close();
    },
  };

  async function answer(request: IncomingMessage, body: Buffer): Promise<Answer> {
    const [path = '/', query] = (request.url ?? '/').split('?', 2);
    const parameters = new URLSearchParams(query);
    if (!isAuthorized(request, parameters)) return refuse(401, 'WRONGPASS invalid or missing auth token');
    if (!['GET', 'HEAD', 'POST', 'PUT'].includes(request.method ?? ''))
      return refuse(405, 'ERR method not allowed');

    const encode = request.headers['upstash-encoding'] === 'base64' ? encodeBase64 : encodeText;
    switch (path) {
      case '/':
        return runCommand(parseCommand(parseJson(body)), encode);
      case '/pipeline':
        return runBatch(parseCommands(parseJson(body)), encode, pipeline);
      case '/multi-exec':
        return runBatch(parseCommands(parseJson(body)), encode, transaction);
      default:
        return runCommand(commandOfPath(path, parameters, body), encode);
    }
  }

  function isAuthorized(request: IncomingMessage, parameters: URLSearchParams): boolean {
    const { authorization } = request.headers;
    const given =
      authorization === undefined ? parameters.get('_token') : /^Bearer (.*)$/i.exec(authorization)?.[1];
    return equalSecrets(given ?? '', token);
  }

  async function runCommand(command: RedisCommand | 'malformed', encode: Encode): Promise<Answer> {
    if (command === 'malformed') return refuse(400, 'ERR failed to parse command');
    const reply = await run(command);
    if (reply instanceof Unreachable) return refuse(503, reply.message);
    return { status: reply instanceof Error ? 400 : 200, body: resultOf(reply, encode) };
  }

  async function runBatch(
    commands: readonly RedisCommand[] | 'malformed',
    encode: Encode,
    runAll: (commands: readonly RedisCommand[]) => Promise<readonly Reply[] | Error>,
  ): Promise<Answer> {
    if (commands === 'malformed') return refuse(400, 'ERR failed to parse pipeline request');
    const replies = await runAll(commands);
    if (replies instanceof Unreachable) return refuse(503, replies.message);
    if (replies instanceof Error) return refuse(400, replies.message);
    return { status: 200, body: `[${replies.map((reply) => resultOf(reply, encode)).join()}]` };
  }

  async function pipeline(commands: readonly RedisCommand[]): Promise<readonly Reply[] | Error> {
    const replies = await Promise.all(commands.map(run));
    return replies.find((reply) => reply instanceof Unreachable) ?? replies;
  }

  /** Writes all commands at once, so that no other command comes between MULTI and EXEC on the shared connection. */
  async function transaction(commands: readonly RedisCommand[]): Promise<readonly Reply[] | Error> {
    const unavailable = commands.map(refusalOf).find((refusal) => refusal !== undefined);
    if (unavailable !== undefined) return unavailable;
    const plain = commands.map(withoutLockFlag);
    const [, ...replies] = await Promise.all([
      call(['MULTI']),
      ...plain.map(({ command }) => call(command)),
      call(['EXEC']),
    ]);
    const outcome = replies.pop() ?? null;
    if (outcome instanceof Error) return outcome;
    if (!Array.isArray(outcome)) throw new Error('EXEC answered without an array');
    return outcome.map((reply: Reply, index) => seenInstead(reply, plain[index]?.replyInstead));
  }

  async function run(command: RedisCommand): Promise<Reply> {
    const refusal = refusalOf(command);
    if (refusal !== undefined) return refusal;
    const plain = withoutLockFlag(command);
    return seenInstead(await call(plain.command), plain.replyInstead);
  }

  async function call([name, ...args]: RedisCommand): Promise<Reply> {
    try {
      // Upper case: for lower-case names the client rewrites some arguments and replies.
      return (await redis.callBuffer(String(name).toUpperCase(), args)) as Reply;
    } catch (error) {
      if (error instanceof Error && error.name === 'ReplyError') return error;
      return new Unreachable(`ERR Redis does not answer: ${error instanceof Error ? error.message : error}`);
    }
  }
}

/** Redis did not reply. It may have run the command. */
class Unreachable extends Error {}

function refusalOf([name]: RedisCommand): Error | undefined {
  const upper = String(name).toUpperCase();
  return UNAVAILABLE.has(upper) ? new Error(`ERR Command is not available: '${upper}'`) : undefined;
}

function seenInstead(reply: Reply, replyInstead: string | undefined): Reply {
  return replyInstead === undefined || reply instanceof Error ? reply : Buffer.from(replyInstead);
}

/** Parses JSON with numbers as text, so that none is rounded. */
function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString(), (_key, value: unknown, context?: { source?: string }) =>
      typeof value === 'number' ? context?.source : value,
    );
  } catch {
    return undefined;
  }
}

function parseCommand(json: unknown): RedisCommand | 'malformed' {
  if (!Array.isArray(json) || json.length === 0) return 'malformed';
  const scalars = json.every((argument) => typeof argument === 'string' || typeof argument === 'boolean');
  return scalars ? json.map(String) : 'malformed';
}

function parseCommands(json: unknown): readonly RedisCommand[] | 'malformed' {
  if (!Array.isArray(json) || json.length === 0) return 'malformed';
  const commands: RedisCommand[] = [];
  for (const row of json) {
    const command = parseCommand(row);
    if (command === 'malformed') return 'malformed';
    commands.push(command);
  }
  return commands;
}

/** For example, `/set/foo?EX=100` with a value as the body is `SET foo <value> EX 100`. */
function commandOfPath(path: string, parameters: URLSearchParams, body: Buffer): RedisCommand | 'malformed' {
  const options = [...parameters].filter(([name]) => name !== '_token').flat();
  try {
    const segments = path.slice(1).split('/').map(decodeURIComponent);
    return [...segments, ...(body.length > 0 ? [body] : []), ...options];
  } catch {
    return 'malformed';
  }
}

type Encode = (bytes: Buffer) => string;

const encodeText: Encode = (bytes) => JSON.stringify(bytes.toString());
const encodeBase64: Encode = (bytes) => `"${bytes.toString('base64')}"`;
const OK = Buffer.from('OK');

function resultOf(reply: Reply, encode: Encode): string {
  if (reply instanceof Error) return JSON.stringify({ error: reply.message });
  // Upstash never encodes this reply.
  if (Buffer.isBuffer(reply) && reply.equals(OK)) return '{"result":"OK"}';
  return `{"result":${textOf(reply, encode)}}`;
}

function textOf(reply: Reply, encode: Encode): string {
  if (reply === null) return 'null';
  if (typeof reply === 'string') return reply;
  if (Buffer.isBuffer(reply)) return encode(reply);
  if (reply instanceof Error) return encode(Buffer.from(reply.message));
  return `[${reply.map((element) => textOf(element, encode)).join()}]`;
}

function refuse(status: number, error: string): Answer {
  return { status, body: JSON.stringify({ error }) };
}

function send(response: ServerResponse, { status, body }: Answer): void {
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  });
  response.end(body);
}
