import { Redis } from 'ioredis';
import type { StackDescription } from '../data/data-directory.ts';
import { allEnded } from './all-ended.ts';
import { startDynamoDbLocal } from './dynamodb-local.ts';
import { type EngineProcess, KeptEngine } from './kept-engine.ts';
import { startRedis } from './redis.ts';
import { startUpstashRest } from './upstash-rest.ts';

export interface EnginesOptions {
  /** Running engines to use. They are not stopped. */
  readonly redisUrl?: string | undefined;
  readonly dynamodbEndpoint?: string | undefined;
  /** The directory of DynamoDB Local's database. */
  readonly dynamodbDirectory: string;
  /** Secrets that protect the engines from other users of the machine. */
  readonly accessKeyId: string;
  readonly redisPassword: string;
  readonly upstashToken: string;
  /** Whether to start an engine again that ends by itself. */
  readonly restart: boolean;
  readonly log: (line: string) => void;
}

/** The addresses of the engines. If an engine is started again, its process id changes, but not its address. */
export interface Engines {
  readonly dynamodb: { readonly endpoint: string; readonly pid: number | null };
  readonly redis: StackDescription['redis'];
  readonly upstash: StackDescription['upstash'];
}

export interface RunningEngines extends Engines {
  /** Calls `listener` each time an engine was started again. */
  onRestart(listener: () => void): void;
}

/** Starts the engine of the ledger, and that of the cache with Upstash's REST API. They stop with `resources`. */
export async function startEngines(
  options: EnginesOptions,
  resources: AsyncDisposableStack,
): Promise<RunningEngines> {
  let restarted = () => {};
  const keep: Keep = (name, first, startAgain) => {
    if (!options.restart) {
      resources.defer(() => first.stop());
      return () => first.pid;
    }
    const kept = new KeptEngine(name, first, {
      startAgain,
      log: options.log,
      changed: () => restarted(),
    });
    resources.defer(() => kept.stop());
    return () => kept.current.pid;
  };
  const [ledger, cache] = await allEnded([
    startLedgerEngine(options, keep),
    startCacheEngine(options, keep, resources),
  ]);
  return {
    get dynamodb() {
      return ledger();
    },
    get redis() {
      return cache.redis();
    },
    upstash: cache.upstash,
    onRestart(listener) {
      restarted = listener;
    },
  };
}

/** Keeps an engine running until the stack stops. Returns a function for its current process id. */
type Keep = (name: string, first: EngineProcess, startAgain: () => Promise<EngineProcess>) => () => number;

async function startLedgerEngine(
  { dynamodbEndpoint, dynamodbDirectory, accessKeyId }: EnginesOptions,
  keep: Keep,
): Promise<() => Engines['dynamodb']> {
  if (dynamodbEndpoint) return () => ({ endpoint: dynamodbEndpoint, pid: null });
  const start = (port?: number) =>
    startDynamoDbLocal({
      dataDirectory: dynamodbDirectory,
      accessKeyId,
      ...(port !== undefined && { port }),
    });
  const first = await start();
  const { endpoint } = first;
  const pid = keep('DynamoDB Local', first, () => start(portOf(endpoint)));
  return () => ({ endpoint, pid: pid() });
}

async function startCacheEngine(
  { redisUrl, redisPassword, upstashToken }: EnginesOptions,
  keep: Keep,
  resources: AsyncDisposableStack,
): Promise<{ readonly redis: () => Engines['redis']; readonly upstash: Engines['upstash'] }> {
  const { engine, url, pid, exited, stop } = await startRedis({ url: redisUrl, password: redisPassword });
  let pidNow: () => number | null = () => null;
  if (pid !== null && exited !== null) {
    pidNow = keep(engine, { pid, exited, stop }, async () => {
      const again = await startRedis({
        preferred: 'redis-server',
        port: portOf(url),
        password: redisPassword,
      });
      if (again.pid === null || again.exited === null) throw new Error('it has no process');
      return { pid: again.pid, exited: again.exited, stop: again.stop };
    });
  } else {
    resources.defer(stop);
  }
  const upstash = await startUpstashRest({ redisUrl: url, token: upstashToken });
  resources.defer(() => upstash.close());
  return {
    redis: () => ({ engine, url, pid: pidNow() }),
    upstash: { url: upstash.url, token: upstashToken },
  };
}

function portOf(url: string): number {
  return Number(new URL(url).port);
}

/** Empties the cache: a given Redis may have values of an earlier ledger, and a cache must not be ahead of its ledger. */
export async function forgetCache(redisUrl: string): Promise<void> {
  const redis = new Redis(redisUrl);
  for await (const keys of redis.scanStream({ match: 'tm:*', count: 1_000 }) as AsyncIterable<string[]>) {
    if (keys.length > 0) await redis.unlink(keys);
  }
  redis.disconnect();
}
