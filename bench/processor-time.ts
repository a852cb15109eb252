import { readdirSync, readFileSync } from 'node:fs';

/** The clock ticks a second of Linux, on every machine that Node.js supports. */
const TICKS_PER_SECOND = 100;

/** Used processor time in milliseconds, by process or thread. */
export type ProcessorTimes = ReadonlyMap<string, number>;

/** The used time of processes. The first thread of the first process, which runs its event loop, is counted separately. */
export function readProcessorTimes(
  processes: ReadonlyMap<string, number | null>,
  eventLoopOf: { readonly name: string; readonly pid: number },
): ProcessorTimes {
  const times = new Map<string, number>();
  for (const [name, pid] of processes) if (pid !== null) times.set(name, readTimeMs(`/proc/${pid}/stat`));
  const threads = readdirSync(`/proc/${eventLoopOf.pid}/task`);
  for (const thread of threads) {
    if (Number(thread) === eventLoopOf.pid)
      times.set(eventLoopOf.name, readTimeMs(`/proc/${eventLoopOf.pid}/task/${thread}/stat`));
  }
  return times;
}

/** Fields 14 and 15 of proc(5), user and system. The name in field 2 may have blanks. */
function readTimeMs(file: string): number {
  const fields = readFileSync(file, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  return ((Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND) * 1000;
}
