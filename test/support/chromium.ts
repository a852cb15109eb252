import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe } from '@jest/globals';
import { type Browser, chromium } from 'playwright-core';

const EXECUTABLE = '/usr/bin/chromium';

/** Tests in Chromium. Where it is not installed they are skipped, but with TIDEMARK_REQUIRE_CHROMIUM=1 they fail. */
export const describeInChromium =
  process.env.TIDEMARK_REQUIRE_CHROMIUM === '1' || existsSync(EXECUTABLE) ? describe : describe.skip;

/** The name of another site, which leads to this machine in the browser of the tests. */
export const FOREIGN_HOST = 'foreign.example';

export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: EXECUTABLE,
    args: [
      '--no-sandbox',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--no-proxy-server',
      `--host-resolver-rules=MAP ${FOREIGN_HOST} 127.0.0.1`,
    ],
  });
}

export interface WebSite {
  /** The same page is there under every name that leads to this machine. */
  readonly port: number;
  close(): Promise<void>;
}

/** Serves one empty page: what it does is for the test to say. */
export async function startWebSite(): Promise<WebSite> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>A page</title>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
