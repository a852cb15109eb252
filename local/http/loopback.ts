import { once } from 'node:events';
import type { AddressInfo, Server, Socket } from 'node:net';

/** A server that only this machine reaches. */
export interface Listening {
  readonly port: number;
  /** The URL of an HTTP server. */
  readonly url: string;
  /** Closes the server and every connection, including those with a request in progress. */
  close(): Promise<void>;
}

/**
 * Makes a server listen on 127.0.0.1, because no other machine may reach the servers of the local stack.
 *
 * @param port 0 picks a free one
 * @throws the system's error if the port is not available
 */
export async function listenOnLoopback(server: Server, port = 0): Promise<Listening> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const listening = (server.address() as AddressInfo).port;
  return {
    port: listening,
    url: `http://127.0.0.1:${listening}`,
    async close() {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
