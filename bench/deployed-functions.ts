import { setTimeout as delay } from 'node:timers/promises';
import { type FunctionName, functionNames } from '../infra/bundle.ts';
import type { FunctionDefinition } from '../local/aws/lambda/instance.ts';
import { type Stack, startStack } from '../local/stack.ts';
import { type Answer, StackClient } from './stack-client.ts';
import { makeTemporaryDirectory } from './temporary-directory.ts';

/** A local stack in this process, whose functions can be run in processes of their own. */
export class DeployedFunctions {
  readonly stack: Stack;
  readonly #client: StackClient;
  readonly #tokens: Readonly<Record<'user' | 'service', string>>;
  readonly #events = new Map<FunctionName, string[]>();

  private constructor(stack: Stack, tokens: Readonly<Record<'user' | 'service', string>>) {
    this.stack = stack;
    this.#tokens = tokens;
    this.#client = new StackClient(stack.description.apiUrl);
    const { lambda } = stack;
    const invoke = lambda.invoke.bind(lambda);
    lambda.invoke = (nameOrArn, payload) => {
      const name = functionNames.find((known) => nameOrArn.endsWith(`-${known}`));
      if (name) this.eventsOf(name).push(payload);
      return invoke(nameOrArn, payload);
    };
  }

  static async start(stack: Stack): Promise<DeployedFunctions> {
    const [user, service] = await Promise.all([
      stack.issueToken(USER, 'user'),
      stack.issueToken('service', 'service'),
    ]);
    return new DeployedFunctions(stack, { user, service });
  }

  /** What a function was called with, in JSON and in order. */
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

  async call(
    who: 'user' | 'service',
    method: 'GET' | 'PUT' | 'POST' | 'DELETE',
    path: string,
    body?: unknown,
  ): Promise<Answer> {
    const answer = await this.#client.call(method, path, this.#tokens[who], body);
    if (answer.status >= 300)
      throw new Error(`${method} ${path} was answered ${answer.status}: ${answer.body}`);
    return answer;
  }

  /** Waits until no function has been called for a moment. */
  async settle(): Promise<void> {
    const calls = () => functionNames.reduce((sum, name) => sum + this.eventsOf(name).length, 0);
    for (let seen = -1; seen !== calls(); ) {
      seen = calls();
      await delay(QUIET_MS);
    }
  }

  async close(): Promise<void> {
    await this.#client.close();
  }
}

/** Whose watermark the user's routes are about. */
export const USER = 'a-user';

const QUIET_MS = 3_000;

export async function withFunctions(use: (functions: DeployedFunctions) => Promise<void>): Promise<void> {
  const temporary = makeTemporaryDirectory();
  const stack = await startStack({ port: 0, dataDirectory: temporary.path });
  const functions = await DeployedFunctions.start(stack);
  try {
    await use(functions);
  } finally {
    await functions.close();
    await stack.stop();
    temporary.remove();
  }
}

/** An event of a route, with another message in its body. */
export function withMessage(event: string, messageId: number): string {
  const { body, ...rest } = JSON.parse(event) as { body: string };
  return JSON.stringify({ ...rest, body: body.replace(/("messageId":")[0-9]+/g, `$1${messageId}`) });
}
