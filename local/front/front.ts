import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { ProxyResponse } from '../aws/gateway/http-api.ts';
import { UsageError } from '../command/usage-error.ts';
import { type Listening, listenOnLoopback } from '../http/loopback.ts';

export type Answer = (request: IncomingMessage) => Promise<ProxyResponse>;

/** The system's reason to refuse a port, by the error's code. */
const REFUSALS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'is in use',
  EACCES: 'is reserved for the system',
};

/** Starts the HTTP server that users of the local stack call. Throws an error if the port is not available. */
export async function startFront(port: number, answer: Answer): Promise<Listening> {
  const server = createServer(
    { keepAliveTimeout: 60_000, optimizeEmptyRequests: true },
    (request, response) => {
      void respond(request, response, answer);
    },
  );
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
