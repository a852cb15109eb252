import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { EntryResult } from '../../local/aws/events/event-bus.ts';
import type { Queue } from '../../local/aws/queues/queue.ts';
import { type Log, silentLog } from '../../local/command/log.ts';
import type { StackDescription } from '../../local/data/data-directory.ts';
import { type ApiClient, type BusEvent, createApiClient, type Json } from '../../local/http/api-client.ts';
import { type Stack, type StackOptions, startStack } from '../../local/stack.ts';
import { expectDocumented } from './documented.ts';
import { eventually } from './engines.ts';
import { startedForTests } from './started.ts';

export type { Answer, Json, RawRequest } from '../../local/http/api-client.ts';

/** A fact as a back end puts it on the bus. */
export interface Fact {
  /** `chat`, where it is not said. */
  readonly source?: string;
  readonly detailType: string;
  readonly detail: Json;
  /** When it happened; now where it is not said. */
  readonly time?: string;
}

/** The whole of Tidemark in this process, over real HTTP, with engines and data of its own. */
export interface RunningStack extends Omit<ApiClient, 'close'> {
  readonly stack: Stack;
  readonly description: StackDescription;
  readonly dataDirectory: string;
  /** Puts facts on the bus over HTTP. Returns the ids of the events. */
  putFacts(facts: readonly Fact[]): Promise<readonly string[]>;
  /**
   * Resolves once these events have been applied, or set aside: those of different groups are worked off side by side, so
   * that a later one says nothing of those before it.
   */
  factsApplied(eventIds: readonly string[]): Promise<void>;
  /** Puts any event on the bus. */
  putEvent(source: string, detailType: string, detail: object): EntryResult;
  /** The queue of a name, which is that of its function, with `-dead-letters` behind it for what was given up. */
  queue(name: string): Queue;
  /** Why the cache failed functions, a text for each call. */
  cacheFailures(): readonly string[];
  stop(): Promise<void>;
}

/** What a function logs of a call of the cache that failed. */
const CACHE_FAILED = /cache did not answer|reads skip the cache/;

/** Why calls of the cache fail on a busy machine. Any other reason is a fault. */
const TOO_SLOW = /no answer in time|there is no connection/;

/** The calls of the cache that failed for another reason than that the machine was too busy. */
export function faultsOfCache(stack: RunningStack): readonly string[] {
  return stack.cacheFailures().filter((reason) => !TOO_SLOW.test(reason));
}

export type RunningStackOptions = Partial<Omit<StackOptions, 'port' | 'dataDirectory'>>;

/** A stack for the tests of a file. Its options are read when it starts. */
export function withStack(options: RunningStackOptions | (() => RunningStackOptions) = {}): RunningStack {
  return startedForTests(() => startRunningStack(typeof options === 'function' ? options() : options));
}

export async function startRunningStack(options: RunningStackOptions = {}): Promise<RunningStack> {
  const { log: given = silentLog } = options;
  const dataDirectory = await mkdtemp(join(tmpdir(), 'tidemark-stack-'));
  const removeData = () => rm(dataDirectory, { recursive: true, force: true });
  const cacheFailures: string[] = [];
  const log: Log = {
    line: given.line,
    output(functionName, text) {
      cacheFailures.push(...text.split('\n').filter((line) => CACHE_FAILED.test(line)));
      given.output(functionName, text);
    },
  };
  const stack = await startStack({ ...options, port: 0, dataDirectory, log }).catch(
    async (error: unknown) => {
      await removeData();
      throw error;
    },
  );
  const caller = documentedClient(createApiClient(stack.description.apiUrl, stack.issueToken));
  // Read in this process: over HTTP, a test that waits for one event would transfer all of them each time.
  caller.events = async () => [...(stack.bus.events as readonly BusEvent[])];
  const { close, ...client } = caller;
  const queueOf = (name: string) =>
    stack.queues.get(`arn:aws:sqs:us-east-1:000000000000:tidemark-local-${name}`);

  return {
    ...client,
    ...{ stack, dataDirectory },
    get description() {
      return stack.description;
    },
    async putFacts(facts) {
      const entries = facts.map((fact) => ({ source: 'chat', ...fact }));
      const { status, text } = await client.call(null, 'POST', '/_local/events', { entries });
      if (status !== 200 || text.includes('ErrorCode')) throw new Error(`the bus refused a fact: ${text}`);
      const { results } = JSON.parse(text) as { results: readonly { EventId: string }[] };
      return results.map(({ EventId }) => EventId);
    },
    async factsApplied(eventIds) {
      const queue = queueOf('apply-facts');
      const idOf = ({ body }: { readonly body: string }) => (JSON.parse(body) as { id: string }).id;
      await eventually(async () => {
        const waiting = queue.messages().filter((message) => eventIds.includes(idOf(message)));
        if (waiting.length > 0) throw new Error(`${waiting.length} facts wait to be applied`);
      });
    },
    putEvent(source, detailType, detail) {
      const entry = { EventBusName: stack.bus.name, Source: source, DetailType: detailType };
      const [result] = stack.bus.put([{ ...entry, Detail: JSON.stringify(detail) }]);
      if (!result) throw new Error('the bus has said nothing of the event');
      return result;
    },
    queue: queueOf,
    cacheFailures: () => cacheFailures,
    async stop() {
      close();
      await stack.stop();
      await removeData();
    },
  };
}

/** The client, whose calls throw where docs/openapi.json does not describe the answer. `send` takes any answer. */
function documentedClient(client: ApiClient): ApiClient {
  const { call } = client;
  // The client's other functions call it by this name.
  client.call = async (token, method, path, body) => {
    const answer = await call(token, method, path, body);
    expectDocumented(method, path, answer);
    return answer;
  };
  return client;
}
