import type { IncomingMessage } from 'node:http';

/**
 * Reads the whole body of a request. Returns null if it has more than `maxBytes`. It uses events, because an async
 * iterator costs more than the rest of the work for a small request.
 */
export function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | null> {
  // With `optimizeEmptyRequests`, a server ends a request without a body before any handler sees it.
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
