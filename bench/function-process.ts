import type { FunctionFigures, FunctionTask } from './measured-function.ts';

/*
 * One function in its own process, as on Lambda: it starts from its bundle, and then handles events one after the other.
 * A message has its task, and its answer is the CPU time.
 */
process.once('message', async ({ bundle, handlerName, warmUp, events }: FunctionTask) => {
  silenceLog();
  const started = await measured(() => import(bundle));
  const handler = started.value[handlerName] as (event: unknown, context: object) => Promise<unknown>;
  const handle = async (texts: readonly string[]) => {
    for (const text of texts) JSON.stringify((await handler(JSON.parse(text), CONTEXT)) ?? null);
  };
  const warmed = await measured(() => handle(warmUp));
  const handled = await measured(() => handle(events));
  const figures: FunctionFigures = {
    start: { ms: started.ms, cpuMs: started.cpuMs },
    warmUpCpuMs: warmed.cpuMs / Math.max(1, warmUp.length),
    cpuMs: handled.cpuMs / Math.max(1, events.length),
    rssMb: process.memoryUsage.rss() / 2 ** 20,
  };
  process.send?.(figures, () => process.exit());
});

const CONTEXT = {
  callbackWaitsForEmptyEventLoop: false,
  getRemainingTimeInMillis: () => 60_000,
};

async function measured<T>(
  work: () => Promise<T>,
): Promise<{ readonly value: T; readonly ms: number; readonly cpuMs: number }> {
  const cpu = process.cpuUsage();
  const begun = performance.now();
  const value = await work();
  const { user, system } = process.cpuUsage(cpu);
  return { value, ms: performance.now() - begun, cpuMs: (user + system) / 1_000 };
}

/** Writes the log at the same cost as on Lambda, and drops it. */
function silenceLog(): void {
  for (const level of ['debug', 'info', 'warn', 'error'] as const) {
    console[level] = (...message: unknown[]) => {
      JSON.stringify({ level, message });
    };
  }
}
