import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { loadTemplate } from '../aws/cloudformation/template.ts';
import { DataDirectory, type StackDescription } from '../data/data-directory.ts';
import { type Answer, type ApiClient, createApiClient, fieldsOf } from '../http/api-client.ts';
import { Issuer } from '../identity/issuer.ts';
import { callersOf, issueFor } from '../identity/token-callers.ts';

const DEADLINE_MS = 60_000;

type Fields = ReturnType<typeof fieldsOf>;

/** Calls the running stack, and prints what happens. */
export class Session {
  readonly stack: StackDescription;
  readonly directory: DataDirectory;
  readonly client: ApiClient;
  /** Part of every name, so that each run has its own users and groups. */
  readonly run = Date.now().toString(36);

  private constructor(stack: StackDescription, directory: DataDirectory, client: ApiClient) {
    this.stack = stack;
    this.directory = directory;
    this.client = client;
  }

  /** Throws a UsageError if no stack runs on the data directory. */
  static async open(dataPath: string): Promise<Session> {
    const directory = new DataDirectory(dataPath);
    const stack = await directory.running();
    const issuer = await Issuer.open(directory.path);
    const callers = callersOf(loadTemplate(directory.file('cdk.out')));
    const client = createApiClient(stack.apiUrl, (subject, kind) => issueFor(issuer, callers, subject, kind));
    return new Session(stack, directory, client);
  }

  /** Throws where the answer is no success. */
  async asService(method: string, path: string, body?: unknown): Promise<Fields> {
    return succeeded(await this.client.asService(method, path, body), method, path);
  }

  /** Throws where the answer is no success. */
  async as(user: string, method: string, path: string, body?: unknown): Promise<Fields> {
    return succeeded(await this.client.asUser(user, method, path, body), method, path);
  }
}

function succeeded(answer: Answer, method: string, path: string): Fields {
  const { status, text } = answer;
  if (status >= 300) throw new Error(`${method} ${path} answered ${status}: ${text}`);
  return fieldsOf(answer);
}

export function say(text: string): void {
  console.log(text);
}

/** Prints `what` if the value is as expected; otherwise throws an error. */
export function expect(actual: unknown, expected: unknown, what: string): void {
  if (!isDeepStrictEqual(actual, expected)) {
    throw new Error(
      `Expected: ${what} The value is ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}.`,
    );
  }
  say(`  ✓ ${what}`);
}

export async function until(isTrue: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await isTrue())) {
    if (Date.now() > deadline) throw new Error(`${what} did not come within ${DEADLINE_MS / 1000} s`);
    await delay(50);
  }
}
