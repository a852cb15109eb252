import { Redis } from 'ioredis';
import { takeLuaAsText } from './lua-as-text.ts';
import { type RunningCache, withCache } from './running-cache.ts';

/** Measures how receipts grow with the group, in time and memory, on their own Redis. */
export async function measureReceipts(): Promise<void> {
  await withCache(async (cache) => {
    if (cache.engine !== 'redis-server') {
      console.log(
        'Receipts are not measured: this machine has no redis-server, and the embedded Redis is another',
      );
      console.log('program, with other times and no memory of its own. Install Redis to measure them.');
      return;
    }
    const direct = new Redis(cache.redisUrl);
    try {
      await measureOn(cache, direct);
    } finally {
      direct.disconnect();
    }
  });
}

async function measureOn({ engine, credentials }: RunningCache, direct: Redis): Promise<void> {
  takeLuaAsText();
  const { printGrowth } = await import('./receipts-growth.ts');
  const { measureMemory } = await import('./receipts-memory.ts');
  const info = await direct.info();
  const version = /^redis_version:(.*)\r$/m.exec(info)?.[1];
  const allocator = /^mem_allocator:(.*)\r$/m.exec(info)?.[1];
  console.log(`Receipts on ${engine} ${version} with ${allocator}, started for this, behind the local REST`);
  console.log('front in a thread of its own\n');
  // First, because later sections change the memory of the engine.
  const memory = await measureMemory(credentials, direct);
  await printGrowth(credentials);
  console.log(`\n${memory}`);
}
