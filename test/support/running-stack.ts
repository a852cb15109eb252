import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { Log } from '../../local/log.ts';
import { startStack } from '../../local/stack.ts';
import { expectDocumented } from './documented.ts';

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

export interface Answer {
  readonly status: number;
  readonly contentType: string | undefined;
  /** The names alone: values such as a date differ from answer to answer. */
  readonly headerNames: readonly string[];
  /** As it came; '' where the answer has no body. */
  readonly text: string;
  /** `text` as JSON, or null where there is none. */
  readonly body: Json;
}

export interface RawRequest {
  readonly method: string;
  /** Sent as it is: nothing is escaped or normalised. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Without a content length. */
  readonly chunked?: boolean;
}

/** A fact as a back end puts it on the bus. */
export interface Fact {
  /** `chat`, where it is not said. */
  readonly source?: string;
  readonly detailType: string;
  readonly detail: Json;
  /** When it happened; now where it is not said. */
  readonly time?: string;
}

/** The whole of Tidemark in this process, over real HTTP, with engines of its own. */
export interface RunningStack {
  readonly dataDirectory: string;
  /** The token of a user, or of a back end. The same one each time. */
  userToken(userId: string): Promise<string>;
  serviceToken(): Promise<string>;
  send(raw: RawRequest): Promise<Answer>;
  /**
   * Sends `body` as JSON; a string is sent as it is, so that a test can say what a number looks like. Throws where
   * docs/openapi.json does not describe the answer.
   */
  call(token: string | null, method: string, path: string, body?: Json): Promise<Answer>;
  /** Returns the ids of the events. */
  putFacts(facts: readonly Fact[]): Promise<readonly string[]>;
  /** How often the cache did not answer a function in time. */
  cacheFailures(): number;
  stop(): Promise<void>;
}

/** @param context settings of the deployment, besides what the local stack needs */
export async function startRunningStack(
  context: Readonly<Record<string, string>> = {},
): Promise<RunningStack> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'tidemark-e2e-'));
  let cacheFailures = 0;
  const log: Log = {
    line: () => undefined,
    output: (_functionName, text) => {
      cacheFailures += text.split(/cache did not answer|cache is not asked/).length - 1;
    },
  };
  const stack = await startStack({ port: 0, dataDirectory, log, context });
  const agent = new Agent({ keepAlive: true });
  const { hostname, port } = new URL(stack.description.apiUrl);
  const tokens = new Map<string, Promise<string>>();
  const tokenOf = (subject: string, scope: 'user' | 'service') => {
    const key = `${scope} ${subject}`;
    const token = tokens.get(key) ?? stack.issueToken(subject, scope);
    tokens.set(key, token);
    return token;
  };

  const send = ({ method, path, headers = {}, body, chunked = false }: RawRequest): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const length = body === undefined || chunked ? {} : { 'content-length': Buffer.byteLength(body) };
      const sent = request(
        { agent, hostname, port, method, path, headers: { ...headers, ...length } },
        (response) => {
          buffer(response).then((bytes) => {
            const text = bytes.toString('utf8');
            resolve({
              status: response.statusCode ?? 0,
              contentType: response.headers['content-type'],
              headerNames: Object.keys(response.headers).sort(),
              text,
              body: parse(text),
            });
          }, reject);
        },
      );
      sent.on('error', reject);
      if (body !== undefined) sent.write(body);
      sent.end();
    });

  const call: RunningStack['call'] = async (token, method, path, body) => {
    const answer = await send({
      method,
      path,
      headers: {
        ...(token !== null && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    expectDocumented(method, path, answer);
    return answer;
  };

  return {
    dataDirectory,
    userToken: (userId) => tokenOf(userId, 'user'),
    serviceToken: () => tokenOf('the-chat', 'service'),
    send,
    call,
    cacheFailures: () => cacheFailures,
    async putFacts(facts) {
      const entries = facts.map((fact) => ({ source: 'chat', ...fact }));
      const { status, text } = await call(null, 'POST', '/_local/events', JSON.stringify({ entries }));
      if (status !== 200 || text.includes('ErrorCode')) throw new Error(`the bus refused a fact: ${text}`);
      const { results } = JSON.parse(text) as { results: readonly { EventId: string }[] };
      return results.map(({ EventId }) => EventId);
    },
    async stop() {
      agent.destroy();
      await stack.stop();
      await rm(dataDirectory, { recursive: true, force: true });
    },
  };
}

function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return null;
  }
}
