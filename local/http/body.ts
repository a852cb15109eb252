import type { IncomingMessage } from 'node:http';

/**
 * The whole body of a request; null where it has more than `maxBytes`. By events, since an async iterator would cost
 * more than everything else that a small request needs.
 */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | null> {
  // Where the server is told to, it ends a request without a body before anybody sees it.
  if (request.readableEnded) return Promise.resolve(Buffer.alloc(0));
  const { promise, resolve, reject } = Promise.withResolvers<Buffer | null>();
  const chunks: Buffer[] = [];
  let size = 0;
  request.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= maxBytes) chunks.push(chunk);
  });
  request.once('end', () => resolve(size <= maxBytes ? Buffer.concat(chunks) : null));
  request.once('error', reject);
  return promise;
}
