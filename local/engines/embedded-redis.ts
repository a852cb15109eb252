import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import {
  attachSession,
  createRedisCommandExecutor,
  RedisServerState,
  resolveCompatibilityProfile,
  SocketConnectionTransport,
} from 'js-redis-server/core';

export interface EmbeddedRedis {
  readonly port: number;
  close(): Promise<void>;
}

/**
 * A Redis in this process, for machines without one. The package's own server listens on every address and waits for
 * its clients before it closes, so here it gets a server that does neither.
 */
export async function startEmbeddedRedis(wantedPort = 0): Promise<EmbeddedRedis> {
  const compatibility = resolveCompatibilityProfile('redis-7.0');
  const state = new RedisServerState({ compatibility });
  const executor = createRedisCommandExecutor({ compatibility });

  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    attachSession(new SocketConnectionTransport(socket), { state, executor });
  });
  server.listen(wantedPort, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the embedded Redis has no port');

  return {
    port: address.port,
    async close() {
      server.close();
      for (const socket of sockets) socket.destroy();
      await once(server, 'close');
      state.close();
    },
  };
}
