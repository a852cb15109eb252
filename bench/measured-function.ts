import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const PROCESS = fileURLToPath(new URL('./function-process.ts', import.meta.url));

/** The version of Node.js in production, also if another version runs the bench. */
export const NODE = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url));

/** The task of a function's process. */
export interface FunctionTask {
  /** The file URL of the bundle. */
  readonly bundle: string;
  readonly handlerName: string;
  /** Events in JSON to handle before the measurement, one after the other. */
  readonly warmUp: readonly string[];
  /** The events to measure. */
  readonly events: readonly string[];
}

export interface FunctionFigures {
  /** Until the function can handle its first event. */
  readonly start: { readonly ms: number; readonly cpuMs: number };
  /** The average of one event. */
  readonly warmUpCpuMs: number;
  readonly cpuMs: number;
  readonly rssMb: number;
}

/** Runs a function in a new process with only this environment. `profileTo` is a folder for a CPU profile. */
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
