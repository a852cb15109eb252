import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { Redis } from 'ioredis';
import { startDynamoDbLocal } from '../local/engines/dynamodb-local.ts';
import { startRedis } from '../local/engines/redis.ts';
import { listenOnLoopback } from '../local/http/loopback.ts';

/** The use of the engines. */
export interface EngineUnits {
  /** DynamoDB's write and read units, as the engine counts them. */
  readonly writeUnits: number;
  readonly readUnits: number;
  /** Commands sent to Redis, and the same with the commands that scripts call. */
  readonly commands: number;
  readonly commandsWithInner: number;
}

export interface MeteredEngines {
  readonly dynamodbEndpoint: string;
  readonly redisUrl: string;
  units(): Promise<EngineUnits>;
  stop(): Promise<void>;
}

/** The operations that write; all other counted operations read. */
const WRITES = /\.(?:PutItem|UpdateItem|DeleteItem|BatchWriteItem|TransactWriteItems)$/;

/** The commands that the local stack itself or this meter sends to Redis. */
const OVERHEAD = new Set([
  'auth',
  'config|get',
  'flushdb',
  'hello',
  'info',
  'ping',
  'script|load',
  'select',
  'client|setinfo',
]);

/** The real engines, with a count of what is billed. Every request turns on DynamoDB's own count. */
export async function startMeteredEngines(): Promise<MeteredEngines> {
  const [engine, cache] = await Promise.all([startDynamoDbLocal(), startRedis()]);
  let writeUnits = 0;
  let readUnits = 0;
  const { hostname, port } = new URL(engine.endpoint);
  const server = createServer(async (request, response) => {
    const target = String(request.headers['x-amz-target']);
    const body = withCounting(await buffer(request), target);
    const headers = { ...request.headers, host: `${hostname}:${port}`, 'content-length': body.length };
    const forwarded = httpRequest({ hostname, port, method: request.method, path: request.url, headers });
    forwarded.once('response', async (answer: IncomingMessage) => {
      const text = await buffer(answer);
      const units = unitsIn(text);
      if (WRITES.test(target)) writeUnits += units;
      else readUnits += units;
      response
        .writeHead(answer.statusCode ?? 500, { ...answer.headers, 'content-length': text.length })
        .end(text);
    });
    forwarded.once('error', () => response.destroy());
    forwarded.end(body);
  });
  const counting = await listenOnLoopback(server);
  const redis = new Redis(cache.url);
  return {
    dynamodbEndpoint: counting.url,
    redisUrl: cache.url,
    async units() {
      const calls = [...(await redis.info('commandstats')).matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)]
        .filter(([, name = '']) => !OVERHEAD.has(name))
        .map(([, name = '', count]): [string, number] => [name, Number(count)]);
      const sum = (counted: typeof calls) => counted.reduce((total, [, count]) => total + count, 0);
      const scripts = sum(calls.filter(([name]) => name === 'eval' || name === 'evalsha'));
      // Only scripts call commands here: the service sends nothing else.
      return { writeUnits, readUnits, commands: scripts, commandsWithInner: sum(calls) };
    },
    async stop() {
      redis.disconnect();
      await Promise.all([counting.close(), engine.stop(), cache.stop()]);
    },
  };
}

/** DynamoDB refuses unknown fields, so only operations that can count get the field. */
function withCounting(body: Buffer, target: string): Buffer {
  if (!/^DynamoDB_\d+\.\w*(?:Item|Items|Query)$/.test(target)) return body;
  return Buffer.from(JSON.stringify({ ...JSON.parse(body.toString()), ReturnConsumedCapacity: 'TOTAL' }));
}

interface Consumed {
  readonly CapacityUnits?: number;
}

/** A failed condition costs a write too, but DynamoDB does not report it: the item is below 1 KB, so it is one unit. */
function unitsIn(answer: Buffer): number {
  const { ConsumedCapacity: consumed, __type: error } = JSON.parse(answer.toString()) as {
    readonly ConsumedCapacity?: Consumed | readonly Consumed[];
    readonly __type?: string;
  };
  if (error?.endsWith('ConditionalCheckFailedException')) return 1;
  const all: readonly Consumed[] = Array.isArray(consumed)
    ? consumed
    : consumed
      ? [consumed as Consumed]
      : [];
  return all.reduce((sum, { CapacityUnits = 0 }) => sum + CapacityUnits, 0);
}
