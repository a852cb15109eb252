import { setTimeout as delay } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { loadTemplate } from '../aws/cloudformation/template.ts';
import { DataDirectory, type StackDescription } from '../data/data-directory.ts';
import { Issuer } from '../identity/issuer.ts';
import { type Callers, callersOf, issueFor } from '../identity/token-callers.ts';

const DEADLINE_MS = 10_000;

export interface Event {
  readonly id: string;
  readonly 'detail-type': string;
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface Answer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Somebody who talks with the running stack, and says what happens. */
export class Session {
  readonly stack: StackDescription;
  readonly directory: DataDirectory;
  /** In every name, so that each run has users and groups of its own. */
  readonly run = Date.now().toString(36);
  readonly #issuer: Issuer;
  readonly #callers: Callers;
  readonly #tokens = new Map<string, string>();

  private constructor(stack: StackDescription, directory: DataDirectory, issuer: Issuer) {
    this.stack = stack;
    this.directory = directory;
    this.#issuer = issuer;
    this.#callers = callersOf(loadTemplate(directory.file('cdk.out')));
  }

  /** Throws where no stack runs on the data directory. */
  static async open(dataPath: string): Promise<Session> {
    const directory = new DataDirectory(dataPath);
    const stack = await directory.running();
    return new Session(stack, directory, await Issuer.open(directory.path));
  }

  /** Throws where the answer is no success. */
  async asService(method: string, path: string, body?: unknown): Promise<Answer['body']> {
    return succeeded(await this.#call('service', 'service', method, path, body), method, path);
  }

  /** Throws where the answer is no success. */
  async as(user: string, method: string, path: string, body?: unknown): Promise<Answer['body']> {
    return succeeded(await this.ask(user, method, path, body), method, path);
  }

  ask(user: string, method: string, path: string, body?: unknown): Promise<Answer> {
    return this.#call(user, 'user', method, path, body);
  }

  async events(groupId: string, type: string): Promise<Event[]> {
    const response = await fetch(`${this.stack.apiUrl}/_local/events`);
    const { events } = (await response.json()) as { events: Event[] };
    return events.filter((event) => event['detail-type'] === type && event.detail.groupId === groupId);
  }

  async #call(
    subject: string,
    kind: 'user' | 'service',
    method: string,
    path: string,
    body?: unknown,
  ): Promise<Answer> {
    const token = this.#tokens.get(subject) ?? (await issueFor(this.#issuer, this.#callers, subject, kind));
    this.#tokens.set(subject, token);
    const response = await fetch(`${this.stack.apiUrl}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text ? JSON.parse(text) : {} };
  }
}

function succeeded({ status, body }: Answer, method: string, path: string): Answer['body'] {
  if (status >= 300) throw new Error(`${method} ${path} answered ${status}: ${JSON.stringify(body)}`);
  return body;
}

export function say(text: string): void {
  console.log(text);
}

/** Says that it is so, or throws. */
export function expect(actual: unknown, expected: unknown, what: string): void {
  if (!isDeepStrictEqual(actual, expected)) {
    throw new Error(`${what} But it is ${JSON.stringify(actual)} and not ${JSON.stringify(expected)}.`);
  }
  say(`  ✓ ${what}`);
}

export async function until(isSo: () => Promise<boolean>, what: string): Promise<void> {
  const deadline = Date.now() + DEADLINE_MS;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`${what} did not come within ${DEADLINE_MS / 1000} s`);
    await delay(50);
  }
}
