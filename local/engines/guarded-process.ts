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
  /** Resolves once the process has ended and all its output has been read. Never rejects. */
  readonly exited: Promise<ExitStatus>;
  /** The last lines that the process printed, for error messages. */
  lastOutput(): string;
  /** Ends the process with SIGTERM, and after the grace period with SIGKILL. Resolves once it has ended; can be called again. */
  stop(graceMs?: number): Promise<void>;
}

export interface GuardedProcessOptions {
  readonly defaultGraceMs?: number;
  /** The text on stdin. Other users of the machine can see arguments, but not this text. */
  readonly input?: string;
}

/** A shell's exit code if it does not find a command. */
export const COMMAND_NOT_FOUND = 127;

/*
 * When this process is killed with SIGKILL, none of its handlers run. But the kernel closes this process's end of the pipe
 * on descriptor 3, and a background shell waits for that. If it reads a line, it ends. If the pipe ends without a line, it
 * kills the command. The command replaces the foreground shell: so it has the shell's process id ($$), and does not hold
 * the pipe. The umask makes the command's files private.
 */
const WATCHED = 'umask 077; { read -r _ || kill -KILL $$; } <&3 >/dev/null 2>&1 & exec "$@" 3<&-';

const KEPT_OUTPUT_CHARACTERS = 4096;

/**
 * Starts a command that ends when this process ends, even if this process is killed with SIGKILL.
 * If the command does not exist, the exit code is {@link COMMAND_NOT_FOUND}.
 */
export async function startGuardedProcess(
  command: string,
  args: readonly string[],
  { defaultGraceMs = 2_000, input = '' }: GuardedProcessOptions = {},
): Promise<GuardedProcess> {
  const child = spawn('/bin/sh', ['-c', WATCHED, 'sh', command, ...args], {
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    // Its own process group: Ctrl-C in a terminal then reaches only this process, which stops its engines in order.
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
  guard.on('error', () => {}); // if the watchdog has ended, the line is not needed
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
