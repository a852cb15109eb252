import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { Redis } from 'ioredis';
import { startRedis } from '../local/engines/redis.ts';
import { takeLuaAsText } from './lua-as-text.ts';

/** How receipts grow with the group, in time and in memory, on a Redis of their own. */
export async function measureReceipts(): Promise<void> {
  const redis = await startRedis();
  if (redis.engine !== 'redis-server') {
    await redis.stop();
    console.log(
      'Receipts are not measured: this machine has no redis-server, and the embedded Redis is another',
    );
    console.log('program, with other times and no memory of its own. Install Redis to measure them.');
    return;
  }
  const token = randomUUID();
  const direct = new Redis(redis.url);
  const front = new Worker(new URL('./receipts-front.ts', import.meta.url), {
    workerData: { redisUrl: redis.url, token },
  });
  try {
    const [url] = (await once(front, 'message')) as [string];
    takeLuaAsText();
    const { printGrowth } = await import('./receipts-growth.ts');
    const { measureMemory } = await import('./receipts-memory.ts');
    const credentials = { url, token };
    const info = await direct.info();
    const version = /^redis_version:(.*)\r$/m.exec(info)?.[1];
    const allocator = /^mem_allocator:(.*)\r$/m.exec(info)?.[1];
    console.log(
      `Receipts on ${redis.engine} ${version} with ${allocator}, started for this, behind the local REST`,
    );
    console.log('front in a thread of its own\n');
    // First, while nothing else changes what the engine holds.
    const memory = await measureMemory(credentials, direct);
    await printGrowth(credentials);
    console.log(`\n${memory}`);
  } finally {
    direct.disconnect();
    await front.terminate();
    await redis.stop();
  }
}
