import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const PROCESS = fileURLToPath(new URL('./function-process.ts', import.meta.url));

/** The version that production runs, whatever started the bench. */
export const NODE = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url));

/** What the process of a function is to do. */
export interface FunctionTask {
  /** The address of the bundle's file. */
  readonly bundle: string;
  readonly handlerName: string;
  /** Events in JSON, handled first and one after the other. */
  readonly warmUp: readonly string[];
  /** The events that are measured. */
  readonly events: readonly string[];
}

export interface FunctionFigures {
  /** Until the function takes its first event. */
  readonly start: { readonly ms: number; readonly cpuMs: number };
  /** Of one event, on average. */
  readonly warmUpCpuMs: number;
  readonly cpuMs: number;
  readonly rssMb: number;
}

/** Runs a function in a fresh process with this environment alone. `profileTo` takes a CPU profile into a folder. */
export async function runFunction(
  environment: Readonly<Record<string, string>>,
  task: FunctionTask,
  profileTo?: string,
): Promise<FunctionFigures> {
  const child = fork(PROCESS, [], {
    execPath: NODE,
    env: { ...environment },
    execArgv: [
      '--disable-warning=ExperimentalWarning',
      ...(profileTo === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profileTo]),
    ],
  });
  const gone = new AbortController();
  child.once('exit', (code) => gone.abort(new Error(`the process of a function ended with ${code}`)));
  const figures = once(child, 'message', { signal: gone.signal });
  child.send(task);
  const [message] = await figures;
  return message as FunctionFigures;
}
