import type { Readable } from 'node:stream';
import { HttpRequest, type HttpResponse } from '@smithy/core/transport';
import type { NodeHttpHandler } from '@smithy/node-http-handler';
import { Redis } from '@upstash/redis';

export interface CacheCredentials {
  readonly url: string;
  readonly token: string;
}

/** The credentials in the text of a secret. Throws if they are malformed; the error contains nothing of the text. */
export function credentialsIn(secret: string): CacheCredentials {
  const { url, token } = fieldsIn(secret);
  if (typeof url !== 'string' || !URL.canParse(url) || typeof token !== 'string' || !token)
    throw new Error('the Upstash secret must be JSON with url and token');
  return { url, token };
}

function fieldsIn(secret: string): { readonly url?: unknown; readonly token?: unknown } {
  try {
    return JSON.parse(secret) ?? {};
  } catch {
    // The parser's error quotes the text.
    return {};
  }
}

/** Upstash refused the token: it is wrong or no longer valid. */
export class Refused extends Error {}

export type HttpHandler = Pick<NodeHttpHandler, 'handle'>;

type ClientRequest = Parameters<Parameters<Redis['use']>[0]>[0];

/** A second attempt, since Upstash may have closed a connection that was kept open. */
const ATTEMPTS = 2;

const UNAUTHORIZED = 401;

/** In characters. Many times longer than any reply of a script, and small beside an instance's 256 MB. */
const MAX_ANSWER_LENGTH = 4 * 1024 * 1024;

/**
 * Upstash's client, which sends its commands to the REST API (https://upstash.com/docs/redis/features/restapi) with the
 * HTTP handler of the AWS SDK. With the client's own `fetch`, a cold instance would load a second HTTP stack, and each
 * call would cost more: `npm run bench -- cache-call`.
 */
export class Upstash {
  readonly #credentials: CacheCredentials;
  readonly #http: HttpHandler;
  readonly #endpoint: Pick<HttpRequest, 'protocol' | 'hostname' | 'port' | 'path'>;
  /** Sent with each request: a replica then answers only after it has received what this client wrote. */
  #syncToken = '';

  constructor(credentials: CacheCredentials, http: HttpHandler) {
    this.#credentials = credentials;
    this.#http = http;
    const { protocol, hostname, port, pathname: path } = new URL(credentials.url);
    this.#endpoint = { protocol, hostname, path, ...(port && { port: Number(port) }) };
  }

  /** A client whose calls fail after `timeoutMs()` milliseconds. */
  client(timeoutMs: () => number): Redis {
    const redis = new Redis({
      ...this.#credentials,
      automaticDeserialization: false,
      enableAutoPipelining: false,
      enableTelemetry: false,
    });
    redis.use(async (request) => {
      const timeout = new AbortController();
      const timer = setTimeout(() => timeout.abort(), timeoutMs());
      try {
        return await this.#send(request, timeout.signal);
      } catch (error) {
        throw timeout.signal.aborted ? new Error('no answer in time', { cause: error }) : error;
      } finally {
        clearTimeout(timer);
      }
    });
    return redis;
  }

  async #send({ body }: ClientRequest, abortSignal: AbortSignal): Promise<{ result: never }> {
    const response = await this.#post(JSON.stringify(body), abortSignal);
    const text = await readText(response.body);
    this.#syncToken = response.headers['upstash-sync-token'] ?? this.#syncToken;
    return { result: resultIn(text, response.statusCode) as never };
  }

  async #post(body: string, abortSignal: AbortSignal): Promise<HttpResponse> {
    const headers = {
      authorization: `Bearer ${this.#credentials.token}`,
      'content-type': 'application/json',
      ...(this.#syncToken && { 'upstash-sync-token': this.#syncToken }),
    };
    const request = new HttpRequest({ ...this.#endpoint, method: 'POST', headers, body });
    for (let attempt = 1; ; attempt += 1) {
      try {
        const { response } = await this.#http.handle(request, { abortSignal });
        return response;
      } catch (error) {
        if (attempt === ATTEMPTS || abortSignal.aborted) throw error;
      }
    }
  }
}

/** Collects the body by events, since the SDK's own collector takes a sixth of a call's CPU. */
function readText(body: Readable): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    body.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      if (text.length > MAX_ANSWER_LENGTH)
        body.destroy(new Error(`the answer of Upstash is longer than ${MAX_ANSWER_LENGTH} characters`));
    });
    body.once('end', () => resolve(text));
    body.once('error', reject);
  });
}

/** The result in an answer. Throws Upstash's own error text, since the client searches it for NOSCRIPT. */
function resultIn(text: string, status: number): unknown {
  const Failure = status === UNAUTHORIZED ? Refused : Error;
  let answer: { result?: unknown; error?: string };
  try {
    answer = JSON.parse(text);
  } catch (cause) {
    throw new Failure(`Upstash answered ${status} without JSON`, { cause });
  }
  if (answer.result === undefined)
    throw new Failure(answer.error ?? `Upstash answered ${status} without a result`);
  return answer.result;
}
