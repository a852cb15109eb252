import { Redis } from 'ioredis';
import { allEnded } from '../all-ended.ts';
import type { StackDescription } from '../data-directory.ts';
import { startDynamoDbLocal } from './dynamodb-local.ts';
import { startRedis } from './redis.ts';
import { startUpstashRest } from './upstash-rest.ts';

export interface EnginesOptions {
  /** Engines that run already: they are used as they are, and never stopped. */
  readonly redisUrl?: string | undefined;
  readonly dynamodbEndpoint?: string | undefined;
  /** Where DynamoDB Local keeps its database. */
  readonly dynamodbDirectory: string;
  /** Secrets that keep strangers out of the engines that are started here. */
  readonly accessKeyId: string;
  readonly redisPassword: string;
  readonly upstashToken: string;
}

export interface Engines {
  readonly dynamodb: { readonly endpoint: string; readonly pid: number | null };
  readonly redis: StackDescription['redis'];
  readonly upstash: StackDescription['upstash'];
}

/** Starts the ledger's engine and the cache's, the latter behind Upstash's REST API. They end with `resources`. */
export async function startEngines(
  options: EnginesOptions,
  resources: AsyncDisposableStack,
): Promise<Engines> {
  const [dynamodb, cache] = await allEnded([
    startLedgerEngine(options, resources),
    startCacheEngine(options, resources),
  ]);
  return { dynamodb, ...cache };
}

async function startLedgerEngine(
  { dynamodbEndpoint, dynamodbDirectory, accessKeyId }: EnginesOptions,
  resources: AsyncDisposableStack,
): Promise<Engines['dynamodb']> {
  if (dynamodbEndpoint) return { endpoint: dynamodbEndpoint, pid: null };
  const { endpoint, pid, stop } = await startDynamoDbLocal({ dataDirectory: dynamodbDirectory, accessKeyId });
  resources.defer(stop);
  return { endpoint, pid };
}

async function startCacheEngine(
  { redisUrl, redisPassword, upstashToken }: EnginesOptions,
  resources: AsyncDisposableStack,
): Promise<Pick<Engines, 'redis' | 'upstash'>> {
  const { engine, url, pid, stop } = await startRedis({ url: redisUrl, password: redisPassword });
  resources.defer(stop);
  const upstash = await startUpstashRest({ redisUrl: url, token: upstashToken });
  resources.defer(() => upstash.close());
  return { redis: { engine, url, pid }, upstash: { url: upstash.url, token: upstashToken } };
}

/** A Redis that was given may hold what an earlier ledger said; a cache must not be ahead of its ledger. */
export async function forgetCache(redisUrl: string): Promise<void> {
  const redis = new Redis(redisUrl);
  for await (const keys of redis.scanStream({ match: 'tm:*', count: 1_000 }) as AsyncIterable<string[]>) {
    if (keys.length > 0) await redis.unlink(keys);
  }
  redis.disconnect();
}
