/** What the local stack tells a person: one short line for each thing that happens. */
export interface Log {
  line(text: string): void;
  /** What a function printed. */
  output(functionName: string, text: string): void;
}

export const silentLog: Log = { line: () => undefined, output: () => undefined };

/** So long a line may wait for others. */
const GATHER_MS = 20;

/**
 * Lines on stdout, in order. They are gathered before they are written: to write costs more than everything else that
 * the gateway does for a request, and whoever made the request would wait for it.
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
  // Whoever read the lines may be gone, which is no reason to end in the middle of something.
  process.stdout.on('error', () => undefined);
  return {
    line: (text) => print(`${new Date().toTimeString().slice(0, 8)} ${text}`),
    output: (functionName, text) => {
      for (const line of text.split('\n')) print(`         ${functionName}: ${line}`);
    },
  };
}
