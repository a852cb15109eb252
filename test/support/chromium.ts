import { existsSync } from 'node:fs';
import { createServer } from 'node:http';
import { describe } from '@jest/globals';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium } from 'playwright-core';
import { type Listening, listenOnLoopback } from '../../local/http/loopback.ts';

const EXECUTABLE = '/usr/bin/chromium';

/** As long as `eventually` waits. */
const PATIENCE_MS = 60_000;

/** Tests in Chromium. Where it is not installed they are skipped, but with TIDEMARK_REQUIRE_CHROMIUM=1 they fail. */
export const describeInChromium =
  process.env.TIDEMARK_REQUIRE_CHROMIUM === '1' || existsSync(EXECUTABLE) ? describe : describe.skip;

/** The name of another site, which leads to this machine in the browser of the tests. */
export const FOREIGN_HOST = 'foreign.example';

export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: EXECUTABLE,
    timeout: PATIENCE_MS,
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

export async function openContext(
  browser: Browser,
  options: BrowserContextOptions = {},
): Promise<BrowserContext> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(PATIENCE_MS);
  return context;
}

/** Serves one empty page, under every name that leads to this machine. The test says what the page does. */
export function startWebSite(): Promise<Listening> {
  const server = createServer((_request, response) => {
    response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>A page</title>');
  });
  return listenOnLoopback(server);
}
