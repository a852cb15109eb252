import { randomBytes } from 'node:crypto';
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';

/** Ids as API Gateway makes them for connections and requests: `XfGLwFTktjMFsLg=`. */
export function newId(): string {
  return `${randomBytes(11).toString('base64url')}=`;
}

/** Whether `ws` will complete the handshake. A function must not run for one that fails anyway. */
export function isWellFormed({ method, headers }: IncomingMessage): boolean {
  const {
    'sec-websocket-key': key = '',
    'sec-websocket-version': version,
    'sec-websocket-protocol': protocols,
  } = headers;
  return (
    method === 'GET' &&
    version === '13' &&
    /^[A-Za-z0-9+/]{22}==$/.test(key) &&
    (protocols === undefined || areTokens(protocols.split(',')))
  );
}

/** Subprotocols are tokens, each of which stands there once: https://www.rfc-editor.org/rfc/rfc6455#section-4.1 */
function areTokens(given: readonly string[]): boolean {
  const names = given.map((name) => name.trim());
  return new Set(names).size === names.length && names.every((name) => /^[\w!#$%&'*+.^`|~-]+$/.test(name));
}

/** Answers a handshake without opening a connection. */
export function refuse(socket: Duplex, status: number, body: string): void {
  socket.end(
    [
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
      'Content-Type: application/json',
      `Content-Length: ${Buffer.byteLength(body)}`,
      'Connection: close',
      '',
      body,
    ].join('\r\n'),
  );
}
