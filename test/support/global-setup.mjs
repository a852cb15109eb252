import { startDynamoDbLocal } from '../../local/engines/dynamodb-local.ts';
import { startRedis } from '../../local/engines/redis.ts';
import { startUpstashRest } from '../../local/engines/upstash-rest.ts';
import stopEngines, { started } from './global-teardown.mjs';

/** Starts the engines that all tests of a run share, and gives the test workers their addresses. */
export default async function startEngines() {
  const starts = await Promise.allSettled([startLedgerEngine(), startCacheEngine()]);
  const failed = starts.find(({ status }) => status === 'rejected');
  if (failed === undefined) return;
  await stopEngines(); // after a failed setup there is no teardown
  throw failed.reason;
}

async function startLedgerEngine() {
  const dynamodb = await startDynamoDbLocal();
  started.push(() => dynamodb.stop());
  process.env.TIDEMARK_TEST_DYNAMODB_ENDPOINT = dynamodb.endpoint;
}

async function startCacheEngine() {
  const redis = await startRedis({ url: process.env.REDIS_URL });
  started.push(() => redis.stop());
  process.env.TIDEMARK_TEST_REDIS_URL = redis.url;
  process.env.TIDEMARK_TEST_REDIS_ENGINE = redis.engine;

  const token = 'the-token-of-all-tests';
  const upstash = await startUpstashRest({ redisUrl: redis.url, token });
  started.push(() => upstash.close());
  process.env.TIDEMARK_TEST_UPSTASH_URL = upstash.url;
  process.env.TIDEMARK_TEST_UPSTASH_TOKEN = token;
}
