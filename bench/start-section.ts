import { setTimeout as delay } from 'node:timers/promises';
import type { StackDescription } from '../local/data/data-directory.ts';
import { type ProcessMemory, readProcessTree } from './process-memory.ts';
import { withStack } from './running-stack.ts';
import { digits, formatTable, verdict } from './table.ts';

const START_AIM_S = 15;
const REST_AIM_MB = 1_500;
const REST_AFTER_MS = 5_000;

/** Measures the start of the local stack, and its memory without calls. */
export async function measureStart(): Promise<void> {
  await withStack(async ({ description, startedInMs }) => {
    const seconds = startedInMs / 1000;
    console.log('The local stack, from the start of local/dev.ts to its first answer of /v1/health');
    console.log(
      formatTable(
        ['', 'seconds', 'aim', ''],
        [['start', digits(seconds), `<= ${START_AIM_S}`, verdict(seconds, START_AIM_S)]],
      ),
    );
    await delay(REST_AFTER_MS);
    console.log(`\nIts memory ${REST_AFTER_MS / 1000} s later`);
    console.log(memoryTable(description));
  });
}

/** The processes of a running stack, largest first. */
export function memoryTable({ pid, redis, dynamodb }: StackDescription): string {
  const processes = readProcessTree(pid);
  if (!processes) return 'unknown: this system has no /proc';
  const roles = new Map([
    [pid, 'local/dev.ts and its functions'],
    [dynamodb.pid, 'DynamoDB Local'],
    [redis.pid, redis.engine],
  ]);
  const rows = processes
    .toSorted((a, b) => b.rssMb - a.rssMb)
    .map((one) => row(roles.get(one.pid) ?? `${one.command} (guard)`, one));
  const rss = sum(processes.map(({ rssMb }) => rssMb));
  const pss = processes.every(({ pssMb }) => pssMb !== null)
    ? sum(processes.map(({ pssMb }) => pssMb ?? 0))
    : null;
  return formatTable(
    ['process', 'RSS MB', 'PSS MB', 'aim', ''],
    [
      ...rows,
      [...row('all', { rssMb: rss, pssMb: pss }), `< ${REST_AIM_MB}`, verdict(pss ?? rss, REST_AIM_MB)],
    ],
  );
}

function row(name: string, { rssMb, pssMb }: Pick<ProcessMemory, 'rssMb' | 'pssMb'>): string[] {
  return [name, digits(rssMb), pssMb === null ? '-' : digits(pssMb)];
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
