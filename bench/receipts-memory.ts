import type { Redis } from 'ioredis';
import type { CacheCredentials } from '../shared/cache/upstash.ts';
import { ReceiptsCache } from './receipts-cache.ts';
import { type PopulationKind, populationOf, SHORT_ID_LENGTH, USER_ID_LENGTH } from './receipts-population.ts';
import { digits, formatTable, verdict } from './table.ts';

const SIZE = 100_000;

const MARKS_AIM = 120;
const RECEIPTS_AIM = 450;

const POPULATIONS: readonly (readonly [string, PopulationKind])[] = [
  ['as above', 'mixed'],
  ['all joined late, all received more than read', 'worst'],
];
const ID_LENGTHS = [SHORT_ID_LENGTH, USER_ID_LENGTH];

/** Measures the memory of Redis for each member of a large group. Without messages, which do not depend on members. */
export async function measureMemory(credentials: CacheCredentials, redis: Redis): Promise<string> {
  const cache = new ReceiptsCache(credentials);
  // Loads the scripts first: their memory does not depend on the group.
  await cache.fillReceipts(populationOf('mixed', 1));
  const rows: string[][] = [];
  const cases = POPULATIONS.flatMap(([name, kind]) => ID_LENGTHS.map((length) => ({ name, kind, length })));
  for (const { name, kind, length } of cases) {
    const population = populationOf(kind, SIZE, length);
    const before = await usedMemory(redis);
    await cache.fillMarks(population);
    const marks = ((await usedMemory(redis)) - before) / SIZE;
    await cache.fillReceipts(population);
    const receipts = ((await usedMemory(redis)) - before) / SIZE;
    await redis.flushall('SYNC');
    rows.push([
      name,
      String(length),
      ...[digits(marks), `<= ${MARKS_AIM}`, verdict(marks, MARKS_AIM)],
      ...[digits(receipts), `<= ${RECEIPTS_AIM}`, verdict(receipts, RECEIPTS_AIM)],
    ]);
  }
  return [
    `Bytes of Redis memory for each of ${SIZE.toLocaleString('en')} members:`,
    'how much used_memory grew; with receipts is marks and receipts together',
    formatTable(['members', 'id length', 'marks alone', 'aim', '', 'with receipts', 'aim', ''], rows),
  ].join('\n');
}

async function usedMemory(redis: Redis): Promise<number> {
  const used = /^used_memory:(\d+)/m.exec(await redis.info('memory'))?.[1];
  if (used === undefined) throw new Error('Redis does not report used_memory');
  return Number(used);
}
