import type { IncomingMessage } from 'node:http';

/** Names that always resolve to this machine: no other web site can have one of them. */
const OWN_HOST = String.raw`(?:127\.0\.0\.1|localhost|\[::1\]|(?:[a-z0-9-]+\.)+localhost)(?::\d{1,5})?`;
const HOST = new RegExp(`^${OWN_HOST}$`, 'i');
const ORIGIN = new RegExp(`^https?://${OWN_HOST}$`, 'i');

/** Whether this machine served a web page of this origin, on any port. */
export function isOriginOfThisMachine(origin: string): boolean {
  return ORIGIN.test(origin);
}

/**
 * Whether a request names this machine as its host and does not come from a foreign web page.
 *
 * A page of another site sends its own origin when it calls this machine. If its name was made to resolve to this machine
 * (DNS rebinding), it sends that name as the host. An image or a link has no origin, but browsers mark it as cross-site.
 * A program sends only the host.
 */
export function isFromThisMachine({ headersDistinct }: Pick<IncomingMessage, 'headersDistinct'>): boolean {
  const { host = [], origin = [], 'sec-fetch-site': site = [] } = headersDistinct;
  if (host.length !== 1 || !host.every((name) => HOST.test(name))) return false;
  if (origin.length > 0) return origin.every(isOriginOfThisMachine);
  return !site.includes('cross-site');
}
