import type { FunctionFigures, FunctionTask } from './measured-function.ts';

/*
 * One function in a process of its own, as Lambda runs it: it starts from its bundle, then handles events one after the
 * other. It is told what to do in a message, and sends what that took of its CPU.
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

/** The log costs what it costs on Lambda, and goes nowhere. */
function silenceLog(): void {
  for (const level of ['debug', 'info', 'warn', 'error'] as const) {
    console[level] = (...message: unknown[]) => {
      JSON.stringify({ level, message });
    };
  }
}
