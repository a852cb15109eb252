import { once } from 'node:events';
import { connect } from 'node:net';
import { startEmbeddedRedis } from './embedded-redis.ts';
import { startEngine } from './engine-process.ts';
import type { ExitStatus } from './guarded-process.ts';

export type RedisEngine = 'redis-server' | 'embedded';

export interface RunningRedis {
  readonly engine: RedisEngine;
  readonly url: string;
  /** Null if the engine runs in this process, or was not started here. */
  readonly pid: number | null;
  /** Resolves once its process has ended, for any reason; null if it has no process of its own. */
  readonly exited: Promise<ExitStatus> | null;
  stop(): Promise<void>;
}

export interface RedisOptions {
  /** A running Redis to use. It is not stopped. */
  readonly url?: string | undefined;
  /** @default `redis-server` if it is installed, otherwise the embedded engine */
  readonly preferred?: RedisEngine;
  /** @default a free port */
  readonly port?: number;
  /** Letters and digits. */
  readonly password?: string;
}

export async function startRedis({
  url,
  preferred,
  port,
  password,
}: RedisOptions = {}): Promise<RunningRedis> {
  if (url !== undefined)
    return { engine: 'redis-server', url, pid: null, exited: null, stop: async () => {} };
  if (preferred === 'embedded') return startEmbedded(port, password);

  const start = await startEngine({
    name: 'redis-server',
    command: 'redis-server',
    // Writes nothing to disk: the cache is a copy that may be lost at any time.
    args: (freePort) => [
      // Settings on stdin: other users could see a password in the arguments.
      '-',
      ...['--bind', '127.0.0.1', '--port', `${freePort}`, '--save', '', '--appendonly', 'no'],
    ],
    ...(password !== undefined && { input: `requirepass ${password}\n` }),
    answers: (freePort, deadline) => answers(freePort, password, deadline),
    deadlineMs: 10_000,
    port,
  });
  if (start.outcome === 'failed') throw start.error;
  if (start.outcome === 'ready') {
    const { process: server } = start;
    return {
      engine: 'redis-server',
      url: urlOf(start.port, password),
      pid: server.pid,
      exited: server.exited,
      stop: () => server.stop(),
    };
  }
  if (preferred === 'redis-server' || process.env.TIDEMARK_REQUIRE_REDIS_SERVER === '1') {
    throw new Error('redis-server is required, but it is not on the PATH: install Redis.');
  }
  return startEmbedded(port, password);
}

async function startEmbedded(
  wantedPort: number | undefined,
  password: string | undefined,
): Promise<RunningRedis> {
  const { port, close } = await startEmbeddedRedis(wantedPort, password);
  return { engine: 'embedded', url: urlOf(port, password), pid: null, exited: null, stop: close };
}

function urlOf(port: number, password: string | undefined): string {
  return `redis://${password === undefined ? '' : `:${password}@`}127.0.0.1:${port}`;
}

async function answers(port: number, password: string | undefined, deadline: AbortSignal): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect', { signal: deadline });
    socket.write(password === undefined ? 'PING\r\n' : `AUTH ${password}\r\n`);
    const [answer] = await once(socket, 'data', { signal: deadline });
    return String(answer) === (password === undefined ? '+PONG\r\n' : '+OK\r\n');
  } finally {
    socket.destroy();
  }
}
