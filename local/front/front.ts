import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { ProxyResponse } from '../aws/gateway/http-api.ts';
import { refuse } from '../aws/web-sockets/handshake.ts';
import { UsageError } from '../command/usage-error.ts';
import { type Listening, listenOnLoopback } from '../http/loopback.ts';
import { isFromThisMachine } from '../http/same-machine.ts';

export type Answer = (request: IncomingMessage) => Promise<ProxyResponse>;

/** Takes over the socket of a request for a WebSocket from this machine. */
export type Upgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => Promise<void>;

/** The answer to a request of a foreign page or host. */
export const FOREIGN = { message: 'Only this machine may call: the Host or the Origin is foreign.' };

/** Why the system refuses a port, by the error's code. */
const REFUSALS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is in use',
  EACCES: 'is reserved for the system',
};

/** Starts the server that users of the local stack call. Throws an error if the port is not available. */
export async function startFront(port: number, answer: Answer, upgrade: Upgrade): Promise<Listening> {
  const server = createServer(
    {
      keepAliveTimeout: 60_000,
      optimizeEmptyRequests: true,
      // A client that offers HTTP/2 this way, as Java's does, is answered over HTTP/1.1.
      shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === 'websocket',
    },
    (request, response) => {
      void respond(request, response, answer);
    },
  );
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    // A browser lets any page open a WebSocket and leaves the decision to the server, and API Gateway looks at no Origin.
    if (!isFromThisMachine(request)) refuse(socket, 403, JSON.stringify(FOREIGN));
    else upgrade(request, socket, head).catch(() => socket.destroy());
  });
  try {
    return await listenOnLoopback(server, port);
  } catch (error) {
    const refusal = REFUSALS[(error as NodeJS.ErrnoException).code ?? ''];
    throw refusal ? new UsageError(`Port ${port} ${refusal}; choose another with --port.`) : error;
  }
}

async function respond(request: IncomingMessage, response: ServerResponse, answer: Answer): Promise<void> {
  try {
    const { statusCode, headers, body } = await answer(request);
    if (response.destroyed) return;
    response.writeHead(statusCode, { ...headers, 'content-length': Buffer.byteLength(body) });
    response.end(body);
  } catch {
    // Either the caller has closed the connection, or a function's answer is malformed: a fault, so 500.
    if (response.headersSent) response.destroy();
    else
      response
        .writeHead(500, { 'content-type': 'application/json' })
        .end('{"message":"Internal Server Error"}');
  }
}
