import { setTimeout as delay } from 'node:timers/promises';
import { type FunctionName, functionNames } from '../infra/bundle.ts';
import type { FunctionDefinition } from '../local/aws/lambda/instance.ts';
import { type ApiClient, type CallerKind, createApiClient } from '../local/http/api-client.ts';
import { type Stack, startStack } from '../local/stack.ts';
import { makeTemporaryDirectory } from './temporary-directory.ts';

/** A local stack in this process, whose functions can run in their own processes. */
export class DeployedFunctions {
  readonly stack: Stack;
  readonly #client: ApiClient;
  readonly #events = new Map<FunctionName, string[]>();

  constructor(stack: Stack) {
    this.stack = stack;
    this.#client = createApiClient(stack.description.apiUrl, stack.issueToken);
    const { lambda } = stack;
    const invoke = lambda.invoke.bind(lambda);
    lambda.invoke = (nameOrArn, payload) => {
      const name = functionNames.find((known) => nameOrArn.endsWith(`-${known}`));
      if (name) this.eventsOf(name).push(payload);
      return invoke(nameOrArn, payload);
    };
  }

  /** The events that a function was invoked with, in JSON and in order. */
  eventsOf(name: FunctionName): string[] {
    const known = this.#events.get(name);
    if (known) return known;
    const events: string[] = [];
    this.#events.set(name, events);
    return events;
  }

  definition(name: FunctionName): FunctionDefinition {
    const deployed = Object.keys(this.stack.lambda.sizes()).find((known) => known.endsWith(`-${name}`));
    if (!deployed) throw new Error(`there is no function ${name}`);
    return this.stack.lambda.pool(deployed).definition;
  }

  async call(who: CallerKind, method: string, path: string, body?: unknown): Promise<void> {
    const { status, text } =
      who === 'user'
        ? await this.#client.asUser(USER, method, path, body)
        : await this.#client.asService(method, path, body);
    if (status >= 300) throw new Error(`${method} ${path} answered ${status}: ${text}`);
  }

  /** Waits until no function has been invoked for a moment. */
  async settle(): Promise<void> {
    const calls = () => functionNames.reduce((sum, name) => sum + this.eventsOf(name).length, 0);
    for (let seen = -1; seen !== calls(); ) {
      seen = calls();
      await delay(QUIET_MS);
    }
  }

  close(): void {
    this.#client.close();
  }
}

/** The user of the user's routes. */
export const USER = 'a-user';

const QUIET_MS = 3_000;

export async function withFunctions(use: (functions: DeployedFunctions) => Promise<void>): Promise<void> {
  const temporary = makeTemporaryDirectory();
  const stack = await startStack({ port: 0, dataDirectory: temporary.path });
  const functions = new DeployedFunctions(stack);
  try {
    await use(functions);
  } finally {
    functions.close();
    await stack.stop();
    temporary.remove();
  }
}

/** A route's event with another message in its body. */
export function withMessage(event: string, messageId: number): string {
  const { body, ...rest } = JSON.parse(event) as { body: string };
  return JSON.stringify({ ...rest, body: body.replace(/("messageId":")[0-9]+/g, `$1${messageId}`) });
}
