/** What the local stack tells a person: one short line for each thing that happens. */
export interface Log {
  line(text: string): void;
  /** What a function printed. */
  output(functionName: string, text: string): void;
}

export const silentLog: Log = { line: () => undefined, output: () => undefined };

export const consoleLog: Log = {
  line: (text) => console.log(`${new Date().toTimeString().slice(0, 8)} ${text}`),
  output: (functionName, text) => {
    for (const line of text.split('\n')) console.log(`         ${functionName}: ${line}`);
  },
};
