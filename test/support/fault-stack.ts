import { readFileSync } from 'node:fs';
import {
  type AttributeValue,
  DynamoDBClient,
  GetItemCommand,
  PutItemCommand,
} from '@aws-sdk/client-dynamodb';
import { Redis } from 'ioredis';
import { DataDirectory } from '../../local/data/data-directory.ts';
import type { Answer, ApiClient } from '../../local/http/api-client.ts';
import type { Service } from '../../local/stack.ts';
import { freshPrefix } from './engines.ts';
import { FaultProxy } from './fault-proxy.ts';
import { type RunningStack, type RunningStackOptions, startRunningStack } from './running-stack.ts';
import { startedForTests } from './started.ts';

export interface WatermarkEvent {
  readonly id: string;
  readonly 'detail-type': string;
  readonly detail: {
    readonly groupId: string;
    readonly userId: string;
    readonly from: string | null;
    readonly to: string;
  };
}

export interface DeadLetter {
  readonly queue: string;
  readonly message: unknown;
  readonly reason: string;
}

/** What a chat does with a stack, in few words. */
export class Api {
  readonly asUser: ApiClient['asUser'];
  readonly asService: ApiClient['asService'];
  readonly #client: Omit<ApiClient, 'close'>;

  constructor(client: Omit<ApiClient, 'close'>) {
    this.#client = client;
    this.asUser = client.asUser;
    this.asService = client.asService;
  }

  mark(groupId: string, userId: string, messageId: number | string): Promise<Answer> {
    return this.asUser(userId, 'PUT', `/v1/groups/${groupId}/watermark`, { messageId: String(messageId) });
  }

  watermark(groupId: string, userId: string): Promise<Answer> {
    return this.asUser(userId, 'GET', `/v1/groups/${groupId}/watermark`);
  }

  statuses(groupId: string, userId: string, ...messageIds: number[]): Promise<Answer> {
    return this.asUser(userId, 'POST', `/v1/groups/${groupId}/messages/status`, {
      messageIds: messageIds.map(String),
    });
  }

  record(groupId: string, messageId: number, senderId: string): Promise<Answer> {
    return this.asService('POST', `/v1/groups/${groupId}/messages`, {
      messageId: String(messageId),
      senderId,
    });
  }

  /** A group with these members, for which messages 1 to `head` are recorded, all sent by the first. */
  async openGroup(members: readonly string[], head: number): Promise<string> {
    const groupId = freshPrefix();
    const added = await this.asService('POST', `/v1/groups/${groupId}/members`, { userIds: members });
    if (added.status !== 200) throw new Error(`the members were not added: ${added.status}`);
    for (let messageId = 1; messageId <= head; messageId += 1) {
      const recorded = await this.record(groupId, messageId, members[0] ?? 'nobody');
      if (recorded.status !== 201) throw new Error(`a message was not recorded: ${recorded.status}`);
    }
    return groupId;
  }

  /** The events of one member's watermark, in the order of the bus. */
  async watermarkEvents(groupId: string, userId: string): Promise<WatermarkEvent[]> {
    const events = await this.#client.eventsOf(groupId, 'WatermarkAdvanced');
    return (events as unknown as WatermarkEvent[]).filter(({ detail }) => detail.userId === userId);
  }

  /** How far everyone in a group has read, as the events say. */
  async fullyReadEvents(groupId: string): Promise<string[]> {
    const events = await this.#client.eventsOf(groupId, 'GroupFullyRead');
    return events.map(({ detail }) => String(detail.upTo));
  }

  /** The events of one member's watermark that the webhook received, in their order: one that is posted again comes late. */
  async notified(groupId: string, userId: string): Promise<WatermarkEvent[]> {
    const { notifications } = await this.#inspect<{ notifications: { body: string }[] }>('notifications');
    return notifications
      .map(({ body }) => JSON.parse(body) as WatermarkEvent)
      .filter(({ detail }) => detail.groupId === groupId && detail.userId === userId)
      .toSorted((one, other) => Number(one.detail.from) - Number(other.detail.from));
  }

  async deadLetters(): Promise<DeadLetter[]> {
    return (await this.#inspect<{ deadLetters: DeadLetter[] }>('dead-letters')).deadLetters;
  }

  async #inspect<T>(what: string): Promise<T> {
    const { text } = await this.#client.call(null, 'GET', `/_local/${what}`);
    return JSON.parse(text) as T;
  }
}

/** A stack with a proxy before each service that the functions talk to. */
export interface FaultStack extends RunningStack {
  readonly api: Api;
  readonly proxies: Readonly<Record<Service, FaultProxy>>;
  /** The name of a function's deployment, by the name of its folder. */
  functionName(folder: string): string;
  /** What the ledger holds of a member's public watermark, as the position's text. */
  ledgerPosition(groupId: string, userId: string): Promise<string | undefined>;
  /** The item of these keys as the ledger's table holds it. */
  ledgerItem(PK: string, SK: string): Promise<Record<string, AttributeValue> | undefined>;
  /** Writes an item into the ledger's table as it is, as no function of this version would. */
  putItem(item: Record<string, AttributeValue>): Promise<void>;
  /** What the cache holds of a member, as its text; null where it holds nothing. */
  cachedText(groupId: string, userId: string): Promise<string | null>;
  emptyCache(): Promise<void>;
}

export type FaultStackOptions = Pick<RunningStackOptions, 'log' | 'context' | 'speed' | 'changeResources'>;

/** Such a stack for the tests of a file. */
export function withFaultStack(options: FaultStackOptions = {}): FaultStack {
  return startedForTests(() => startFaultStack(options));
}

async function startFaultStack(options: FaultStackOptions): Promise<FaultStack> {
  const proxies = {
    upstash: await FaultProxy.start(),
    dynamodb: await FaultProxy.start(),
    aws: await FaultProxy.start(),
    webhook: await FaultProxy.start(),
  };
  const stopProxies = async () => {
    await Promise.all(Object.values(proxies).map((proxy) => proxy.stop()));
  };
  const running = await startRunningStack({
    // A function that dies leaves its messages hidden for six minutes on AWS.
    speed: 600,
    ...options,
    // A test kills an engine and decides itself when it comes back.
    restartEngines: false,
    intercept: (service, url) => proxies[service].standBefore(url),
  }).catch(async (error: unknown) => {
    await stopProxies();
    throw error;
  });
  const { stack, dataDirectory } = running;
  const { redis, dynamodb } = stack.description;
  const client = new DynamoDBClient({
    endpoint: dynamodb.engineEndpoint,
    region: 'us-east-1',
    credentials: new DataDirectory(dataDirectory).ledgerOwner(),
  });
  const ledgerItem = async (PK: string, SK: string) => {
    const Key = { PK: { S: PK }, SK: { S: SK } };
    const command = new GetItemCommand({ TableName: dynamodb.table, Key, ConsistentRead: true });
    return (await client.send(command)).Item;
  };
  return {
    ...running,
    get description() {
      return stack.description;
    },
    proxies,
    api: new Api(running),
    functionName(folder) {
      const name = Object.keys(stack.lambda.sizes()).find((known) => known.endsWith(`-${folder}`));
      if (!name) throw new Error(`there is no function ${folder}`);
      return name;
    },
    ledgerItem,
    ledgerPosition: async (groupId, userId) =>
      (await ledgerItem(`USER#${userId}`, `GROUP#${groupId}`))?.public?.S,
    async putItem(Item) {
      await client.send(new PutItemCommand({ TableName: dynamodb.table, Item }));
    },
    cachedText: (groupId, userId) =>
      withRedis(redis.url, (connection) => connection.hget(`tm:{${groupId}}:members`, userId)),
    async emptyCache() {
      await withRedis(redis.url, (connection) => connection.flushall());
    },
    async stop() {
      client.destroy();
      await running.stop();
      await stopProxies();
    },
  };
}

async function withRedis<T>(url: string, ask: (connection: Redis) => Promise<T>): Promise<T> {
  const connection = new Redis(url, { lazyConnect: true, maxRetriesPerRequest: 1 });
  connection.on('error', () => undefined); // the question that fails says so itself
  try {
    await connection.connect();
    return await ask(connection);
  } finally {
    connection.disconnect();
  }
}

/** A message id as the ledger writes it. */
export function positionText(messageId: number): string {
  return String(messageId).padStart(20, '0');
}

/** A message id as the cache writes it. */
export function cachedPositionText(messageId: number): string {
  return messageId.toString(36).padStart(13, '0');
}

/**
 * Whether a process runs. One that is dead and waits for its parent to notice does not.
 */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    // The state follows the command's name, which stands in parentheses.
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}

/** Expects events to lead from one message id to another without a gap. They may repeat. */
export function expectCovered(
  events: readonly WatermarkEvent[],
  { from, to }: { readonly from: number | null; readonly to: number },
): void {
  let covered = from;
  for (const { detail } of events) {
    const start = detail.from === null ? null : Number(detail.from);
    if (start !== null && (covered === null || start > covered)) {
      throw new Error(`no event covers what lies between ${covered} and ${start}`);
    }
    covered = Math.max(covered ?? 0, Number(detail.to));
  }
  if (covered !== to) throw new Error(`the events lead to ${covered}, not to ${to}`);
}
