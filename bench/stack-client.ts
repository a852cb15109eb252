import { Pool } from 'undici';
import { Issuer, SCOPES } from '../local/identity/issuer.ts';
import { type Bounds, type Round, runRound } from './measurement.ts';
import type { Operation } from './operations.ts';
import type { RunningStack } from './running-stack.ts';

type Method = 'GET' | 'PUT' | 'POST' | 'PATCH' | 'DELETE';

interface Answer {
  readonly status: number;
  readonly body: string;
}

/**
 * The client for measured calls of a local stack. The tests and the demo have another client: the client's own work is part
 * of the measurement, and this one works least.
 */
export class StackClient {
  readonly #connections: Pool;

  constructor(apiUrl: string) {
    this.#connections = new Pool(apiUrl, { connections: 64 });
  }

  async call(method: Method, path: string, token: string, content?: unknown): Promise<Answer> {
    const { statusCode, body } = await this.#connections.request({
      method,
      path,
      headers: {
        authorization: `Bearer ${token}`,
        ...(content !== undefined && { 'content-type': 'application/json' }),
      },
      body: content === undefined ? null : JSON.stringify(content),
    });
    return { status: statusCode, body: await body.text() };
  }

  async close(): Promise<void> {
    await this.#connections.destroy();
  }
}

/** A call of a back end. Returns the body of the answer, null if it has none. Throws if the call is refused. */
export type ServiceCall = (method: Method, path: string, content?: unknown) => Promise<unknown>;

/** Opens a client for a function that calls as a back end. Closes it afterwards, also if the function throws. */
export async function withService(
  { description, dataDirectory }: RunningStack,
  use: (call: ServiceCall) => Promise<void>,
): Promise<void> {
  const client = new StackClient(description.apiUrl);
  try {
    await use(await serviceCallOf(client, dataDirectory));
  } finally {
    await client.close();
  }
}

async function serviceCallOf(client: StackClient, dataDirectory: string): Promise<ServiceCall> {
  const issuer = await Issuer.open(dataDirectory);
  const token = await issuer.issue('service', SCOPES.service);
  return async (method, path, content) => {
    const { status, body } = await client.call(method, path, token, content);
    if (status >= 300) throw new Error(`${method} ${path} answered ${status}: ${body}`);
    return body === '' ? null : JSON.parse(body);
  };
}

/** A member that reads and marks, one call after the other. */
interface Member {
  readonly token: string;
  reached: number;
}

/** The measured group, with the members that call the stack. */
export class MeasuredGroup {
  readonly #client: StackClient;
  readonly #path: string;
  readonly #members: readonly Member[];

  private constructor(client: StackClient, groupId: string, members: readonly Member[]) {
    this.#client = client;
    this.#path = `/v1/groups/${groupId}/watermark`;
    this.#members = members;
  }

  /** Creates the group. Members come before messages, so that all messages are unread for them. */
  static async prepare(
    client: StackClient,
    stack: RunningStack,
    group: { readonly id: string; readonly callers: readonly string[]; readonly others: readonly string[] },
  ): Promise<MeasuredGroup> {
    const issuer = await Issuer.open(stack.dataDirectory);
    const call = await serviceCallOf(client, stack.dataDirectory);
    const path = `/v1/groups/${group.id}`;
    await call('POST', `${path}/members`, { userIds: [...group.callers, ...group.others] });
    for (const messageId of messageIds()) {
      await call('POST', `${path}/messages`, { messageId, senderId: 'a-sender' });
    }
    const tokens = await Promise.all(group.callers.map((userId) => issuer.issue(userId, SCOPES.user)));
    const members = tokens.map((token) => ({ token, reached: 0 }));
    const measured = new MeasuredGroup(client, group.id, members);
    // A mark with nothing new needs an earlier mark.
    for (const member of members) await measured.#mark(member, 1, true);
    return measured;
  }

  run(operation: Operation, callers: number, bounds: Bounds): Promise<Round> {
    return runRound(callers, bounds, async (caller) => {
      const member = this.#members[caller];
      if (!member) throw new Error(`there is no member for caller ${caller}`);
      if (operation === 'read the watermark') await this.#call('GET', member);
      else if (operation === 'mark, nothing new') await this.#mark(member, member.reached, false);
      else await this.#mark(member, member.reached + 1, true);
    });
  }

  async #mark(member: Member, position: number, isForward: boolean): Promise<void> {
    const { advanced } = await this.#call('PUT', member, { messageId: String(position) });
    // Otherwise another operation would be measured.
    if (advanced !== isForward) throw new Error(`a mark of ${position} answered advanced: ${advanced}`);
    member.reached = position;
  }

  async #call(method: 'GET' | 'PUT', { token }: Member, body?: unknown): Promise<{ advanced?: boolean }> {
    const answer = await this.#client.call(method, this.#path, token, body);
    if (answer.status !== 200) throw new Error(`${method} answered ${answer.status}: ${answer.body}`);
    return JSON.parse(answer.body) as { advanced?: boolean };
  }
}

const MESSAGES = 100;
const MESSAGE_DISTANCE = 1_000_000;

/** The starts are far apart, so that every mark of a run moves forward and stays below the head. */
function messageIds(): string[] {
  return Array.from({ length: MESSAGES }, (_, index) => String((index + 1) * MESSAGE_DISTANCE));
}
