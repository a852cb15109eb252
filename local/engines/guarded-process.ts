import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Writable } from 'node:stream';

export interface ExitStatus {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface GuardedProcess {
  /** The process id of the command itself, not of a shell around it. */
  readonly pid: number;
  /** Resolves once the process is gone and all it printed has been read. Never rejects. */
  readonly exited: Promise<ExitStatus>;
  /** The last lines that the process printed, for error messages. */
  lastOutput(): string;
  /** Ends the process: SIGTERM, and after the grace SIGKILL. Resolves once it is gone, however often it is called. */
  stop(graceMs?: number): Promise<void>;
}

export interface GuardedProcessOptions {
  readonly defaultGraceMs?: number;
  /** What the process reads from stdin. Unlike its arguments, no other user of the machine can see it. */
  readonly input?: string;
}

/** What a shell answers when it finds no such command. */
export const COMMAND_NOT_FOUND = 127;

/*
 * A handler of ours cannot run when this process is killed with SIGKILL, but the kernel still closes its end of
 * the pipe on descriptor 3. A background shell waits for that: a line lets it end, and the end of the
 * pipe without a line makes it kill the command. The command replaces the foreground shell, so that it keeps the shell's process id ($$), and does
 * not hold the pipe. What it writes is for its user alone.
 */
const WATCHED = 'umask 077; { read -r _ || kill -KILL $$; } <&3 >/dev/null 2>&1 & exec "$@" 3<&-';

const KEPT_OUTPUT_CHARACTERS = 4096;

/**
 * Starts a command that dies with this process, even when this process is killed with SIGKILL.
 * A command that does not exist shows as an exit with {@link COMMAND_NOT_FOUND}.
 */
export async function startGuardedProcess(
  command: string,
  args: readonly string[],
  { defaultGraceMs = 2_000, input = '' }: GuardedProcessOptions = {},
): Promise<GuardedProcess> {
  const child = spawn('/bin/sh', ['-c', WATCHED, 'sh', command, ...args], {
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    // Its own process group: Ctrl-C in a terminal reaches this process alone, which stops its engines in order.
    detached: true,
  });

  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-KEPT_OUTPUT_CHARACTERS);
    });
  }

  child.stdin?.on('error', () => {}); // a process that ends early has not read it
  child.stdin?.end(input);

  const { promise: exited, resolve: resolveExited } = Promise.withResolvers<ExitStatus>();
  const guard = child.stdio[3];
  if (!(guard instanceof Writable)) throw new Error('the pipe of the watchdog is missing');
  guard.on('error', () => {}); // the watchdog may be gone already, and then nobody needs the line
  child.once('exit', () => guard.end('\n'));
  child.once('close', (code, signal) => resolveExited({ code, signal }));

  await once(child, 'spawn');
  const { pid } = child;
  if (pid === undefined) throw new Error(`${command} started without a process id`);

  let stopped: Promise<void> | undefined;
  return {
    pid,
    exited,
    lastOutput: () => output.trimEnd().split('\n').slice(-12).join('\n'),
    stop(graceMs = defaultGraceMs) {
      stopped ??= end(graceMs);
      return stopped;
    },
  };

  async function end(graceMs: number): Promise<void> {
    child.kill('SIGTERM');
    const impatience = setTimeout(() => child.kill('SIGKILL'), graceMs);
    await exited;
    clearTimeout(impatience);
  }
}
