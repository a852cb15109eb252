import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { startRedis } from '../local/engines/redis.ts';
import type { CacheCredentials } from '../shared/cache/upstash.ts';

export interface RunningCache {
  readonly engine: string;
  readonly redisUrl: string;
  readonly credentials: CacheCredentials;
}

/** Starts a Redis and the local REST front for a function, and stops both afterwards, also if it throws an error. */
export async function withCache(use: (cache: RunningCache) => Promise<void>): Promise<void> {
  const redis = await startRedis();
  const token = randomUUID();
  const front = new Worker(new URL('./rest-front.ts', import.meta.url), {
    workerData: { redisUrl: redis.url, token },
  });
  try {
    const [url] = (await once(front, 'message')) as [string];
    await use({ engine: redis.engine, redisUrl: redis.url, credentials: { url, token } });
  } finally {
    await front.terminate();
    await redis.stop();
  }
}
