import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { ProxyResponse } from '../aws/gateway/http-api.ts';
import { isForFileOf, pageHeaders } from '../http/page-headers.ts';

interface File {
  readonly type: string;
  /** Called when a browser requests the file: starting the stack costs nothing more. */
  readonly content: () => Promise<string>;
}

/** Where the page finds the path of the WebSocket API. */
const WS_PATH = '{{wsPath}}';

const pathOf = (name: string) => fileURLToPath(new URL(`browser/${name}`, import.meta.url));

const FILES: Readonly<Record<string, File>> = {
  '/': { type: 'text/html; charset=utf-8', content: () => readFile(pathOf('page.html'), 'utf8') },
  '/page/page.css': { type: 'text/css; charset=utf-8', content: joinStyles },
  '/page/page.js': { type: 'text/javascript; charset=utf-8', content: bundleScript },
};

/** Whether a request is for the demo page or a file of it. */
export function isForPage(path: string, request: Pick<IncomingMessage, 'method'>): boolean {
  return isForFileOf(FILES, path, request);
}

/**
 * Answers a request for which `isForPage` is true.
 *
 * @param wsPath the path of the WebSocket API; null if the deployment has none
 */
export async function pageAnswer(
  path: string,
  { headers }: IncomingMessage,
  wsPath: string | null,
): Promise<ProxyResponse> {
  const { type, content } = FILES[path] ?? neverRequested();
  return {
    statusCode: 200,
    headers: {
      // Not every browser takes WebSockets of the same host for the same origin.
      ...pageHeaders([`ws://${headers.host}`]),
      'content-type': type,
    },
    body: (await content()).replace(WS_PATH, wsPath ?? ''),
  };
}

function neverRequested(): never {
  throw new Error('The page has no such file.');
}

/** In the order in which they apply. */
const STYLES = ['page', 'panel', 'drawer', 'conversation', 'media'] as const;

async function joinStyles(): Promise<string> {
  const texts = await Promise.all(STYLES.map((name) => readFile(pathOf(`${name}.css`), 'utf8')));
  return texts.join('\n');
}

/** The page's script with the client in it. The name of the client's package leads to its source, as tsconfig.json says. */
async function bundleScript(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [pathOf('main.ts')],
    tsconfig: pathOf('tsconfig.json'),
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    logLevel: 'error',
  });
  return outputFiles.map(({ text }) => text).join('');
}
