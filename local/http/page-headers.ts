import type { IncomingMessage } from 'node:http';

/**
 * The headers of a page that the local stack serves, and of its files. The page needs no other host, so
 * that none may be requested.
 *
 * @param connections what the page connects to besides its own origin
 */
export function pageHeaders(connections: readonly string[] = []): Readonly<Record<string, string>> {
  return {
    'content-security-policy': [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      // Swagger UI has its icons as data, as the demo page has.
      "img-src 'self' data:",
      ["connect-src 'self'", ...connections].join(' '),
      "base-uri 'none'",
      "form-action 'none'",
      "frame-ancestors 'none'",
    ].join('; '),
    // The next start on this port may be of another version.
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
  };
}

/** Whether a request is for one of these files, which are listed by path. */
export function isForFileOf(
  files: object,
  path: string,
  { method }: Pick<IncomingMessage, 'method'>,
): boolean {
  return Object.hasOwn(files, path) && (method === 'GET' || method === 'HEAD');
}
