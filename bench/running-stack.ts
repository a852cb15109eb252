import { statSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { DataDirectory, type StackDescription } from '../local/data/data-directory.ts';
import { startGuardedProcess } from '../local/engines/guarded-process.ts';
import { makeTemporaryDirectory } from './temporary-directory.ts';

const DEADLINE_MS = 60_000;
const ASK_EVERY_MS = 20;
const STOP_GRACE_MS = 15_000;

export interface RunningStack {
  readonly description: StackDescription;
  readonly dataDirectory: string;
  /** The time from the start of its process to its first answer. */
  readonly startedInMs: number;
}

/** Starts a local stack without data, in its own process, for a function. Stops it afterwards, also if the function throws. */
export async function withStack(use: (stack: RunningStack) => Promise<void>): Promise<void> {
  const temporary = makeTemporaryDirectory();
  const dataDirectory = temporary.path;
  const begun = performance.now();
  // It ends with this process, even if the code below does not run.
  const dev = await startGuardedProcess(process.execPath, [
    fileURLToPath(new URL('../local/dev.ts', import.meta.url)),
    ...['--port', '0', '--data', dataDirectory],
  ]);
  let hasExited = false;
  void dev.exited.then(() => {
    hasExited = true;
  });
  try {
    const description = await becomesReady();
    const health = await fetch(`${description.apiUrl}/v1/health`);
    if (!health.ok) throw new Error(`the local stack is not healthy: ${await health.text()}`);
    await use({ description, dataDirectory, startedInMs: performance.now() - begun });
  } finally {
    await dev.stop(STOP_GRACE_MS);
    temporary.remove();
  }

  async function becomesReady(): Promise<StackDescription> {
    const directory = new DataDirectory(dataDirectory);
    while (!hasExited && performance.now() - begun < DEADLINE_MS) {
      const description = directory.description();
      if (description) return description;
      await delay(ASK_EVERY_MS);
    }
    throw new Error(`the local stack did not start. It printed:\n${dev.lastOutput()}`);
  }
}

const QUIET_MS = 500;
const SETTLE_DEADLINE_MS = 20_000;

/** Waits until the events of earlier marks are delivered. Returns false if that took too long. */
export async function settle({ dataDirectory }: RunningStack): Promise<boolean> {
  const directory = new DataDirectory(dataDirectory);
  const sizes = () =>
    (['events.jsonl', 'deliveries.jsonl'] as const).map((name) => statSync(directory.file(name)).size).join();
  const begun = performance.now();
  let seen = sizes();
  let changedAt = begun;
  while (performance.now() - changedAt < QUIET_MS) {
    if (performance.now() - begun > SETTLE_DEADLINE_MS) return false;
    await delay(ASK_EVERY_MS);
    const now = sizes();
    if (now !== seen) changedAt = performance.now();
    seen = now;
  }
  return true;
}
