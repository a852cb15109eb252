import { openSync, readSync } from 'node:fs';
import { cpus } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { DataDirectory } from '../local/data/data-directory.ts';
import { Issuer, SCOPES } from '../local/identity/issuer.ts';
import { quantile } from './measurement.ts';
import { type ProcessorTimes, readProcessorTimes } from './processor-time.ts';
import { type RunningStack, settle, withStack } from './running-stack.ts';
import { StackClient } from './stack-client.ts';
import { digits, formatTable } from './table.ts';

/** The smaller group is first and warms up the stack. The ratio of both shows what grows faster than the group. */
const SIZES = [2_000, 20_000] as const;
const CALLERS = 32;
const BATCH = 100;
const CATCH_UP_DEADLINE_MS = 600_000;
const ASK_EVERY_MS = 100;
const MESSAGE_ID = '1000';

/** All members of a group read the newest message as fast as the machine can, while others read receipts. */
export async function measureStorm(): Promise<void> {
  await withStack(async (stack) => {
    const client = new StackClient(stack.description.apiUrl);
    try {
      const issuer = await Issuer.open(stack.dataDirectory);
      const chat = new Chat(client, await issuer.issue('chat', SCOPES.service));
      const storms: Storm[] = [];
      for (const members of SIZES) storms.push(await storm(stack, chat, members));
      print(storms);
    } finally {
      await client.close();
    }
  });
}

/** A back end that calls on behalf of its users. */
class Chat {
  readonly #client: StackClient;
  readonly #token: string;

  constructor(client: StackClient, token: string) {
    this.#client = client;
    this.#token = token;
  }

  /** Sends a call again until it is acknowledged. Returns how often it was refused. */
  async call(method: 'GET' | 'PUT' | 'POST', path: string, content?: unknown): Promise<[unknown, number]> {
    for (let refused = 0; ; refused += 1) {
      const { status, body } = await this.#client.call(method, path, this.#token, content);
      if (status < 300) return [JSON.parse(body), refused];
      if (status !== 429 && status < 500) throw new Error(`${method} ${path} answered ${status}: ${body}`);
      await delay(ASK_EVERY_MS);
    }
  }
}

interface Receipts {
  readonly receipts: readonly { readonly readCount: number }[];
}

interface Storm {
  readonly members: number;
  readonly elapsedMs: number;
  readonly refused: number;
  readonly markMs: readonly number[];
  readonly receiptsMs: readonly number[];
  /** The time from the last mark's answer until receipts count all members, and until all events are published. */
  readonly catchUpMs: { readonly cache: number; readonly events: number; readonly fullyRead: number };
  /** During the storm and the work that followed. */
  readonly busyMs: ProcessorTimes;
  readonly wholeMs: number;
}

async function storm(stack: RunningStack, chat: Chat, members: number): Promise<Storm> {
  const groupId = `storm-${members}`;
  const users = Array.from({ length: members }, (_, index) => `member-${index}`);
  for (let from = 0; from < members; from += BATCH) {
    await chat.call('POST', `/v1/groups/${groupId}/members`, { userIds: users.slice(from, from + BATCH) });
  }
  await chat.call('POST', `/v1/groups/${groupId}/messages`, { messageId: MESSAGE_ID, senderId: 'announcer' });
  const countRead = async () => {
    const begun = performance.now();
    const [answer] = await chat.call('POST', `/v1/users/member-0/groups/${groupId}/receipts`, {
      messageIds: [MESSAGE_ID],
    });
    return {
      readCount: (answer as Receipts).receipts[0]?.readCount ?? 0,
      tookMs: performance.now() - begun,
    };
  };
  // Loads the receipts.
  await countRead();
  await settle(stack);

  const published = new PublishedEvents(stack, groupId);
  const before = timesOf(stack);
  const begun = performance.now();
  const markMs: number[] = [];
  const receiptsMs: number[] = [];
  let refused = 0;
  let isOver = false;
  const asking = (async () => {
    while (!isOver) receiptsMs.push((await countRead()).tookMs);
  })();
  const waiting = users.values();
  await Promise.all(
    Array.from({ length: CALLERS }, async () => {
      for (const user of waiting) {
        const called = performance.now();
        const path = `/v1/users/${user}/groups/${groupId}/watermark`;
        const [, again] = await chat.call('PUT', path, { messageId: MESSAGE_ID });
        markMs.push(performance.now() - called);
        refused += again;
      }
    }),
  );
  const elapsedMs = performance.now() - begun;
  isOver = true;
  await asking;

  const over = performance.now();
  const sinceOver = async (isSo: () => Promise<boolean> | boolean) => {
    while (!(await isSo())) {
      if (performance.now() - over > CATCH_UP_DEADLINE_MS) return Number.POSITIVE_INFINITY;
      await delay(ASK_EVERY_MS);
    }
    return performance.now() - over;
  };
  const [cache, events, fullyRead] = await Promise.all([
    sinceOver(async () => (await countRead()).readCount === members),
    sinceOver(() => published.readers() === members),
    sinceOver(() => published.isFullyRead()),
  ]);
  const after = timesOf(stack);
  return {
    ...{ members, elapsedMs, refused, markMs, receiptsMs },
    catchUpMs: { cache, events, fullyRead },
    busyMs: new Map([...after].map(([name, ms]) => [name, ms - (before.get(name) ?? 0)])),
    wholeMs: performance.now() - begun,
  };
}

/** The events of a group, read from the stack's file, because its route returns only the newest. */
class PublishedEvents {
  readonly #file: number;
  readonly #groupId: string;
  readonly #readers = new Set<string>();
  #isFullyRead = false;
  #rest = '';

  constructor({ dataDirectory }: RunningStack, groupId: string) {
    this.#file = openSync(new DataDirectory(dataDirectory).file('events.jsonl'), 'r');
    this.#groupId = groupId;
  }

  readers(): number {
    this.#readOn();
    return this.#readers.size;
  }

  isFullyRead(): boolean {
    this.#readOn();
    return this.#isFullyRead;
  }

  #readOn(): void {
    const chunk = Buffer.alloc(1 << 20);
    for (;;) {
      const length = readSync(this.#file, chunk);
      if (length === 0) return;
      const lines = (this.#rest + chunk.toString('latin1', 0, length)).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) this.#add(JSON.parse(line));
    }
  }

  #add(event: { 'detail-type': string; detail: Record<string, unknown> }): void {
    const { groupId, userId, to, upTo } = event.detail;
    if (groupId !== this.#groupId) return;
    if (event['detail-type'] === 'WatermarkAdvanced' && to === MESSAGE_ID) this.#readers.add(String(userId));
    if (event['detail-type'] === 'GroupFullyRead' && upTo === MESSAGE_ID) this.#isFullyRead = true;
  }
}

const STACK = 'functions, on threads of the stack';
const EVENT_LOOP = 'gateway, stream, bus: the stack’s event loop';
const BENCH = 'callers: this bench';

function timesOf({ description: { pid, redis, dynamodb } }: RunningStack): ProcessorTimes {
  const processes = new Map([
    [STACK, pid],
    ['DynamoDB Local', dynamodb.pid],
    [redis.engine, redis.pid],
    [BENCH, process.pid],
  ]);
  const times = new Map(readProcessorTimes(processes, { name: EVENT_LOOP, pid }));
  times.set(STACK, (times.get(STACK) ?? 0) - (times.get(EVENT_LOOP) ?? 0));
  return times;
}

function print(storms: readonly Storm[]): void {
  const [small, large] = storms;
  if (!small || !large) return;
  const row = (name: string, of: (storm: Storm) => number) => {
    const [first, second] = [of(small), of(large)];
    return [name, digits(first), digits(second), digits(second / first)];
  };
  const seconds = (ms: number) => ms / 1000;
  console.log('All members of a group read its newest message, as fast as the machine can');
  console.log(
    formatTable(
      ['', ...SIZES.map((size) => `${size} members`), 'ratio'],
      [
        row('calls offered a second', (s) => (s.members + s.refused) / seconds(s.elapsedMs)),
        row('marks acknowledged a second', (s) => s.members / seconds(s.elapsedMs)),
        row('p50 of a mark, ms', (s) => quantile(s.markMs, 0.5)),
        row('p99 of a mark, ms', (s) => quantile(s.markMs, 0.99)),
        row('p50 of receipts meanwhile, ms', (s) => quantile(s.receiptsMs, 0.5)),
        row('p99 of receipts meanwhile, ms', (s) => quantile(s.receiptsMs, 0.99)),
        row('receipts count all, s later', (s) => seconds(s.catchUpMs.cache)),
        row('all events published, s later', (s) => seconds(s.catchUpMs.events)),
        row('GroupFullyRead published, s later', (s) => seconds(s.catchUpMs.fullyRead)),
        ...[...large.busyMs.keys()].map((name) =>
          row(`CPU of a mark, ms: ${name}`, (s) => (s.busyMs.get(name) ?? 0) / s.members),
        ),
      ],
    ),
  );
  console.log(`\n${saturation(large)}`);
}

/** The share from which a resource counts as saturated: the rest is unavoidable waiting. */
const SATURATED = 0.85;

function saturation({ members, busyMs, wholeMs }: Storm): string {
  const used = [...busyMs.values()].reduce((sum, ms) => sum + ms, 0) / wholeMs;
  const eventLoop = (busyMs.get(EVENT_LOOP) ?? 0) / wholeMs;
  const cores = cpus().length;
  const first =
    eventLoop > SATURATED
      ? 'the event loop saturates first'
      : used / cores > SATURATED
        ? 'the machine saturates first'
        : 'neither is saturated: the stack waits for itself, or other programs use the machine';
  return (
    `With ${members} members ${digits(used)} of ${cores} cores are busy, and the event loop with ` +
    `${digits(eventLoop)} of one: ${first}.`
  );
}
