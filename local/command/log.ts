/** The output of the local stack for its user: one short line for each request and delivery. */
export interface Log {
  line(text: string): void;
  /** Logs the output of a function. */
  output(functionName: string, text: string): void;
}

export const silentLog: Log = { line: () => undefined, output: () => undefined };

/** A line waits at most this long, so that others are written with it. */
const GATHER_MS = 20;

/**
 * Prints lines on stdout, in order. It writes several lines at once, because a write costs more than the rest of the
 * gateway's work for a request, and the caller would wait for it.
 */
export function consoleLog(): Log {
  let gathered = '';
  const write = () => {
    if (gathered) process.stdout.write(gathered);
    gathered = '';
  };
  const print = (line: string) => {
    if (!gathered) setTimeout(write, GATHER_MS).unref();
    gathered += `${line}\n`;
  };
  process.once('exit', write);
  // The program that reads the lines may have ended. The stack goes on.
  process.stdout.on('error', () => undefined);
  return {
    line: (text) => print(`${new Date().toTimeString().slice(0, 8)} ${text}`),
    output: (functionName, text) => {
      for (const line of text.split('\n')) print(`         ${functionName}: ${line}`);
    },
  };
}

/** The time since `begun`, a value of performance.now(), in the format of log lines. */
export function durationSince(begun: number): string {
  const took = performance.now() - begun;
  return `${took.toFixed(took < 10 ? 1 : 0)} ms`;
}
