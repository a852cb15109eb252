import { createServer, type Socket } from 'node:net';
import {
  attachSession,
  createRedisCommandExecutor,
  RedisServerState,
  resolveCompatibilityProfile,
  SocketConnectionTransport,
} from 'js-redis-server/core';
import { equalSecrets } from '../http/equal-secrets.ts';
import { type Listening, listenOnLoopback } from '../http/loopback.ts';

/**
 * Starts a Redis in this process, for machines without one. The package's own server listens on every address, and waits
 * for its clients before it closes: so this function creates the server itself. It also checks the password (letters and
 * digits), which the package does not support.
 */
export async function startEmbeddedRedis(
  wantedPort = 0,
  password?: string,
): Promise<Pick<Listening, 'port' | 'close'>> {
  const compatibility = resolveCompatibilityProfile('redis-7.0');
  const state = new RedisServerState({ compatibility });
  const executor = createRedisCommandExecutor({ compatibility });

  const server = createServer({ noDelay: true }, (socket) => {
    admit(socket, password, () => {
      attachSession(new SocketConnectionTransport(socket), { state, executor });
    });
  });
  const { port, close } = await listenOnLoopback(server, wantedPort);
  return {
    port,
    async close() {
      await close();
      state.close();
    },
  };
}

/**
 * Checks the first bytes of a connection before the engine receives any. They must be AUTH with the password; without a
 * password, the start of a command in the Redis protocol. The engine also accepts lines of plain text: without this check,
 * a web page could run commands by the body of an HTTP request.
 */
function admit(socket: Socket, password: string | undefined, admitted: () => void): void {
  const expected =
    password === undefined ? '*' : `*2\r\n$4\r\nAUTH\r\n$${password.length}\r\n${password}\r\n`;
  let received = Buffer.alloc(0);
  const disconnect = () => socket.destroy();
  const check = (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    const begin = received.toString('latin1', 0, expected.length).replace(/^(\*2\r\n\$4\r\n)auth/i, '$1AUTH');
    if (expected !== begin && expected.startsWith(begin)) return;
    socket.off('data', check).off('error', disconnect).pause();
    if (!equalSecrets(begin, expected)) {
      socket.end('-NOAUTH Authentication required.\r\n');
      return;
    }
    if (password !== undefined) socket.write('+OK\r\n');
    admitted();
    const rest = password === undefined ? received : received.subarray(expected.length);
    if (rest.length > 0) socket.unshift(rest);
    socket.resume();
  };
  socket.on('data', check).on('error', disconnect);
}
