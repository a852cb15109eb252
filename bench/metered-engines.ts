import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { Redis } from 'ioredis';
import { startDynamoDbLocal } from '../local/engines/dynamodb-local.ts';
import { startRedis } from '../local/engines/redis.ts';
import { listenOnLoopback } from '../local/http/loopback.ts';

/** What the engines have been asked for so far. */
export interface EngineUnits {
  /** Write and read units of DynamoDB, as the engine itself counts them. */
  readonly writeUnits: number;
  readonly readUnits: number;
  /** Commands that came to Redis, and those with what the scripts among them called. */
  readonly commands: number;
  readonly commandsWithInner: number;
}

export interface MeteredEngines {
  readonly dynamodbEndpoint: string;
  readonly redisUrl: string;
  units(): Promise<EngineUnits>;
  stop(): Promise<void>;
}

/** Items that are written; all else that is counted is read. */
const WRITES = /\.(?:PutItem|UpdateItem|DeleteItem|BatchWriteItem|TransactWriteItems)$/;

/** What Redis is asked by the local stack itself, or by this meter. */
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

/** The real engines, with a count of what is billed. DynamoDB's own counting is switched on in every request. */
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

/** DynamoDB takes no unknown field: only operations that can count are asked to. */
function withCounting(body: Buffer, target: string): Buffer {
  if (!/^DynamoDB_\d+\.\w*(?:Item|Items|Query)$/.test(target)) return body;
  return Buffer.from(JSON.stringify({ ...JSON.parse(body.toString()), ReturnConsumedCapacity: 'TOTAL' }));
}

interface Consumed {
  readonly CapacityUnits?: number;
}

/** A failed condition counts too, and is not told of: it costs the write of the item, which is below 1 KB. */
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
