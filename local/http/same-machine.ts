import type { IncomingMessage } from 'node:http';

/** Names that lead to this machine wherever they are looked up: no other web site can have one of them. */
const OWN_HOST = String.raw`(?:127\.0\.0\.1|localhost|\[::1\]|(?:[a-z0-9-]+\.)+localhost)(?::\d{1,5})?`;
const HOST = new RegExp(`^${OWN_HOST}$`, 'i');
const ORIGIN = new RegExp(`^https?://${OWN_HOST}$`, 'i');

/** Whether a web page of this origin was served by this machine, on whatever port. */
export function isOriginOfThisMachine(origin: string): boolean {
  return ORIGIN.test(origin);
}

/**
 * Whether a request asks for this machine by its name and comes from no foreign web page.
 *
 * A page of another site that calls an address of this machine gives its own origin; one whose name was made to lead
 * here (DNS rebinding) gives that name as the host. An image or a link has no origin, but browsers say that another
 * site sends it. Programs send none of this but the host.
 */
export function isFromThisMachine({ headersDistinct }: Pick<IncomingMessage, 'headersDistinct'>): boolean {
  const { host = [], origin = [], 'sec-fetch-site': site = [] } = headersDistinct;
  if (host.length !== 1 || !host.every((name) => HOST.test(name))) return false;
  if (origin.length > 0) return origin.every(isOriginOfThisMachine);
  return !site.includes('cross-site');
}
