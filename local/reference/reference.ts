import { readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import type { ProxyResponse } from '../aws/gateway/http-api.ts';
import { isForFileOf, pageHeaders } from '../http/page-headers.ts';

interface File {
  readonly url: URL;
  readonly type: string;
}

const DOCUMENT_PATH = '/openapi.json';

const HTML = 'text/html; charset=utf-8';
const CSS = 'text/css; charset=utf-8';
const SCRIPT = 'text/javascript; charset=utf-8';

const fileAt = (path: string, type: string): File => ({ url: new URL(path, import.meta.url), type });

const DOCUMENT = fileAt('../../docs/openapi.json', 'application/json');

/** The files of the page, by path. They are read when a browser asks for them: starting the stack costs nothing more. */
const FILES: Readonly<Record<string, File>> = {
  [DOCUMENT_PATH]: DOCUMENT,
  '/docs': fileAt('page.html', HTML),
  '/docs/': fileAt('page.html', HTML),
  '/docs/page.css': fileAt('page.css', CSS),
  '/docs/page.mjs': fileAt('page.mjs', SCRIPT),
  '/docs/swagger-ui.css': fileAt(import.meta.resolve('swagger-ui-dist/swagger-ui.css'), CSS),
  '/docs/swagger-ui-bundle.js': fileAt(import.meta.resolve('swagger-ui-dist/swagger-ui-bundle.js'), SCRIPT),
};

/** Whether a request asks for the OpenAPI document, for the page that shows it, or for a file of the page. */
export function isForReference(path: string, request: Pick<IncomingMessage, 'method'>): boolean {
  return isForFileOf(FILES, path, request);
}

/** Answers a request for which `isForReference` is true. */
export async function referenceAnswer(path: string, { headers }: IncomingMessage): Promise<ProxyResponse> {
  const file = FILES[path] ?? DOCUMENT;
  const content = await readFile(file.url);
  return {
    statusCode: 200,
    headers: { ...pageHeaders(), 'content-type': file.type },
    body: file === DOCUMENT ? withServer(content.toString(), `http://${headers.host}`) : content,
  };
}

/** Makes the page call the host name that the browser used: any other name of this machine would be another origin. */
function withServer(text: string, url: string): string {
  const document = JSON.parse(text) as Readonly<Record<string, unknown>>;
  return JSON.stringify({ ...document, servers: [{ url, description: 'This local stack' }] }, null, 2);
}
