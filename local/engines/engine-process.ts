import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { COMMAND_NOT_FOUND, type GuardedProcess, startGuardedProcess } from './guarded-process.ts';

export interface EngineCommand {
  readonly name: string;
  readonly command: string;
  readonly args: (port: number) => readonly string[];
  readonly input?: string;
  /** Checks once whether the engine works. A rejection counts as "not yet". */
  readonly answers: (port: number, deadline: AbortSignal) => Promise<boolean>;
  readonly deadlineMs: number;
  /** @default a free port */
  readonly port?: number | undefined;
}

export type EngineStart =
  | { readonly outcome: 'ready'; readonly port: number; readonly process: GuardedProcess }
  | { readonly outcome: 'command not found' }
  | { readonly outcome: 'failed'; readonly error: Error };

const PORT_ATTEMPTS = 5;
const ASK_EVERY_MS = 20;

/** Starts an engine that serves a TCP port and waits until it answers. */
export async function startEngine(engine: EngineCommand): Promise<EngineStart> {
  for (let attempt = 1; ; attempt++) {
    const port = engine.port ?? (await findFreePort());
    const process = await startGuardedProcess(engine.command, engine.args(port), {
      ...(engine.input !== undefined && { input: engine.input }),
    });
    const answer = await firstAnswer(engine, port, process);
    if (answer === 'ready') return { outcome: 'ready', port, process };

    await process.stop(0);
    const { code, signal } = await process.exited;
    if (code === COMMAND_NOT_FOUND) return { outcome: 'command not found' };
    // Another process may take the free port before the engine does: then the next attempt uses another port.
    const portTaken = /address already in use/i.test(process.lastOutput());
    if (!portTaken || engine.port !== undefined || attempt === PORT_ATTEMPTS) {
      const how =
        answer === 'exited'
          ? `ended with ${code ?? signal}`
          : `did not answer within ${engine.deadlineMs} ms`;
      return {
        outcome: 'failed',
        error: new Error(`${engine.name} ${how}. It printed:\n${process.lastOutput()}`),
      };
    }
  }
}

async function firstAnswer(
  engine: EngineCommand,
  port: number,
  process: GuardedProcess,
): Promise<'ready' | 'exited' | 'none'> {
  const gone = new AbortController();
  process.exited.then(() => gone.abort());
  const deadline = AbortSignal.any([gone.signal, AbortSignal.timeout(engine.deadlineMs)]);
  while (!deadline.aborted) {
    const ready = await engine.answers(port, deadline).catch(() => false);
    // If the engine has ended, the answer came from another program on the same port.
    if (ready && !deadline.aborted) return 'ready';
    await delay(ASK_EVERY_MS);
  }
  return gone.signal.aborted ? 'exited' : 'none';
}

/** Finds a port that is free on every address, because DynamoDB Local listens on all of them. */
async function findFreePort(): Promise<number> {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('a TCP server has no port');
  return address.port;
}
