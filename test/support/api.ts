import { mkdtempSync, rmSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Stack, type StackOptions, startStack } from '../../local/stack.ts';

export interface ApiAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The body as JSON; an empty object where there is none. */
  readonly body: Record<string, unknown>;
}

export interface ApiCall {
  readonly token?: string | undefined;
  readonly method: string;
  readonly path: string;
  /** Sent as JSON, text and bytes as they are. */
  readonly body?: unknown;
  readonly contentType?: string | null;
}

/** A local stack of a test's own, and its API over real HTTP. */
export interface Api {
  readonly stack: Stack;
  readonly dataDirectory: string;
  readonly service: string;
  user(userId: string): Promise<string>;
  call(call: ApiCall): Promise<ApiAnswer>;
  close(): Promise<void>;
}

export async function openApi(options: Partial<StackOptions> = {}): Promise<Api> {
  const dataDirectory = mkdtempSync(join(tmpdir(), 'tidemark-test-'));
  const stack = await startStack({ port: 0, dataDirectory, ...options });
  const { hostname, port } = new URL(stack.description.apiUrl);
  return {
    stack,
    dataDirectory,
    service: await stack.issueToken('service', 'service'),
    user: (userId) => stack.issueToken(userId, 'user'),
    // Node's own client, since fetch would tidy up the paths that a test sends on purpose.
    call: ({ token, method, path, body, contentType = 'application/json' }) =>
      new Promise((resolve, reject) => {
        const payload = typeof body === 'string' || body === undefined ? body : JSON.stringify(body);
        const headers = {
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
          ...(payload !== undefined && contentType !== null && { 'content-type': contentType }),
          ...(payload !== undefined && { 'content-length': Buffer.byteLength(payload) }),
        };
        const sent = request({ hostname, port, method, path, headers }, (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (chunk: string) => {
            text += chunk;
          });
          response.on('end', () => {
            const parsed = text ? (JSON.parse(text) as Record<string, unknown>) : {};
            resolve({ status: response.statusCode ?? 0, headers: response.headers, text, body: parsed });
          });
        });
        sent.on('error', reject);
        sent.end(payload);
      }),
    close: async () => {
      await stack.stop();
      rmSync(dataDirectory, { recursive: true, force: true });
    },
  };
}
