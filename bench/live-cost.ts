import { inParallel } from '../shared/domain/in-parallel.ts';
import { costOf, hundredths, totals } from './cost.ts';
import { MeteredStack } from './metered-stack.ts';
import { formatTable } from './table.ts';
import { sumOfUses, type Use } from './use.ts';

/** Rows mark these groups one after the other, each once, so that no frame waits for an earlier one. */
const GROUPS = 20;
const TIMES = { warm: 10, measured: 10 } as const;
/** The readers of one message at the same time. */
const TOGETHER = 10;
const TIMES_TOGETHER = { warm: 5, measured: 5 } as const;

/** The members of a large group, who read a message as fast as this many callers can mark. */
const LARGE = 500;
const CALLERS = 4;
const TIMES_LARGE = { warm: 1, measured: 1 } as const;
/** The most members that one call adds. */
const BATCH = 100;

/** A connection until API Gateway closes it, with a ping every nine minutes. */
const CONNECTION_MINUTES = 120;
const PINGS = 13;

const SENDER = 'sender';
const MESSAGE_ID = '1';
const READERS = ['without-device', 'with-device', 'over-socket', 'with-sender', 'with-both'] as const;
const CROWD = Array.from({ length: TOGETHER }, (_, index) => `crowd-${index}`);
const EVERYBODY = Array.from({ length: LARGE }, (_, index) => `large-${index}`);

type Reader = (typeof READERS)[number];

/** Counts what connections and frames cost, beside the same marks in a deployment without them. */
export async function measureLiveCost(): Promise<void> {
  const uses = new Map<string, Use>();
  await MeteredStack.use({ live: 'off' }, async (stack) => {
    const rows = await Rows.prepare(stack, uses);
    await rows.markOf('without-device', 'mark, live off');
    await rows.readByAll(`message read by all ${LARGE}, live off`);
  });
  await MeteredStack.use({}, async (stack) => {
    const rows = await Rows.prepare(stack, uses);
    await rows.connections();
    await rows.frames();
    await inParallel(EVERYBODY, CALLERS, (userId) => stack.connect(userId));
    await rows.readByAll(`message read by all ${LARGE}, all connected`);
  });
  print(uses);
}

/** Measures rows on a stack. */
class Rows {
  readonly #stack: MeteredStack;
  readonly #uses: Map<string, Use>;

  private constructor(stack: MeteredStack, uses: Map<string, Use>) {
    this.#stack = stack;
    this.#uses = uses;
  }

  static async prepare(stack: MeteredStack, uses: Map<string, Use>): Promise<Rows> {
    const userIds = [SENDER, 'syncing', ...READERS, ...CROWD];
    const groups = Array.from({ length: GROUPS }, (_, index) => groupAt(index));
    await inParallel(groups, CALLERS, async (groupId) => {
      await stack.call('POST', `/groups/${groupId}/members`, { userIds });
      await Rows.#sendFirst(stack, groupId, SENDER);
    });
    for (let from = 0; from < LARGE; from += BATCH) {
      const some = EVERYBODY.slice(from, from + BATCH);
      await stack.call('POST', '/groups/large/members', { userIds: some });
    }
    await Rows.#sendFirst(stack, 'large', 'large-0');
    return new Rows(stack, uses);
  }

  /**
   * Records a message and asks for its receipts, as somebody does in most groups: the cache then knows how far all have read.
   * Without that, each row would have a search of the ledger now and then.
   */
  static async #sendFirst(stack: MeteredStack, groupId: string, senderId: string): Promise<void> {
    await stack.call('POST', `/groups/${groupId}/messages`, { messageId: MESSAGE_ID, senderId });
    const messageIds = [MESSAGE_ID];
    await stack.call('POST', `/users/${senderId}/groups/${groupId}/receipts`, { messageIds });
  }

  /** Marks by the route. `arrives` waits for the frames that a mark makes. */
  async markOf(reader: Reader, name: string, arrives = async (): Promise<unknown> => null): Promise<void> {
    await this.#measure(name, async (time) => {
      await Promise.all([arrives(), this.#mark(reader, groupAt(time), MESSAGE_ID)]);
    });
  }

  /** A connection from its handshake to its end, and what is sent over it without a mark. */
  async connections(): Promise<void> {
    const syncing = await this.#stack.connect('syncing');
    const connect = await this.#measure('connect and close', async () => {
      const device = await this.#stack.connect('visitor');
      await device.close();
    });
    const ping = await this.#measure('ping', async () => {
      const answered = syncing.next('pong');
      syncing.send({ action: 'ping' });
      await answered;
    });
    const sync = await this.#measure(`sync of ${GROUPS} groups`, async () => {
      const answered = syncing.next('synced');
      syncing.send({ action: 'sync' });
      await answered;
    });
    const frames = sumOfUses([
      [connect, 1],
      [sync, 1],
      [ping, PINGS],
    ]);
    this.#uses.set('connection of two hours', { ...frames, connectionMinutes: CONNECTION_MINUTES });
  }

  /** Marks whose readers or senders are connected. A user who has connected stays so. */
  async frames(): Promise<void> {
    await this.markOf('without-device', 'mark, reader and sender not connected');
    const device = await this.#stack.connect('with-device');
    await this.markOf('with-device', 'mark, one device of the reader', () => device.next('view'));

    const socket = await this.#stack.connect('over-socket');
    await this.#measure('the same mark over its WebSocket', async (time) => {
      const answered = Promise.all([socket.next('answer'), socket.next('view')]);
      socket.send({ action: 'mark', ref: time, groupId: groupAt(time), messageId: MESSAGE_ID });
      await answered;
    });

    const sender = await this.#stack.connect(SENDER);
    await this.markOf('with-sender', 'mark, one device of the sender', () => sender.next('receipts'));
    const both = await this.#stack.connect('with-both');
    await this.markOf('with-both', 'mark, one device of both', () =>
      Promise.all([both.next('view'), sender.next('receipts')]),
    );

    const crowd = await Promise.all(CROWD.map((userId) => this.#stack.connect(userId)));
    const use = await this.#stack.measure(async (time) => {
      const arrived = Promise.all(crowd.map((one) => one.next('view')));
      await Promise.all([arrived, ...CROWD.map((userId) => this.#mark(userId, groupAt(time), MESSAGE_ID))]);
    }, TIMES_TOGETHER);
    this.#uses.set(`the same, each of ${TOGETHER} at once`, sumOfUses([[use, 1 / TOGETHER]]));
  }

  /** One member of the large group sends a message, and all others mark it by the route. */
  async readByAll(name: string): Promise<void> {
    const [senderId, ...readers] = EVERYBODY;
    const use = await this.#stack.measure(async (time) => {
      const messageId = String(time + 2);
      await this.#stack.call('POST', '/groups/large/messages', { messageId, senderId });
      await inParallel(readers, CALLERS, (reader) => this.#mark(reader, 'large', messageId));
    }, TIMES_LARGE);
    this.#uses.set(name, use);
  }

  #mark(reader: string, groupId: string, messageId: string): Promise<void> {
    return this.#stack.call('PUT', `/users/${reader}/groups/${groupId}/watermark`, { messageId });
  }

  async #measure(name: string, run: (time: number) => Promise<void>): Promise<Use> {
    const use = await this.#stack.measure(run, TIMES);
    this.#uses.set(name, use);
    return use;
  }
}

function groupAt(time: number): string {
  return `group-${time}`;
}

function print(uses: ReadonlyMap<string, Use>): void {
  console.log('\nLive: dollars for a million of each, without a webhook, with a Redis of a fixed price');
  console.log(
    formatTable(
      [
        ...['operation', 'API Gateway', 'its functions', 'ledger', 'projector', 'events', 'waiting frames'],
        ...['= sum', 'logs, traces', 'Redis by use', 'and in scripts'],
      ],
      [...uses].map(([name, use]) => {
        const cost = costOf(withoutWebhook(use));
        const { gateway, functions, ledger, projector, events, waitingFrames } = cost;
        return [
          name,
          ...[gateway, functions, ledger, projector, events, waitingFrames].map(hundredths),
          ...[totals(cost).withEvents, cost.logsAndTraces, cost.redis, cost.redisWithInner].map(hundredths),
        ];
      }),
    ),
  );
  console.log('\nWhat one of each uses, without a webhook');
  console.log(
    formatTable(
      [
        ...['operation', 'HTTP calls', 'messages in', 'messages out', 'invocations', 'CPU ms', 'write units'],
        ...['read units', 'events', 'frames queued', 'Redis scripts', 'commands', 'refused'],
      ],
      [...uses].map(([name, use]) => {
        const { engines, functions, events, calls, messagesIn, messagesOut, queued, refused } =
          withoutWebhook(use);
        const sum = (unit: 'invocations' | 'cpuMs') =>
          [...functions.values()].reduce((total, used) => total + used[unit], 0);
        const { writeUnits, readUnits, commands, commandsWithInner } = engines;
        return [
          name,
          ...[calls, messagesIn, messagesOut, sum('invocations'), sum('cpuMs'), writeUnits].map(hundredths),
          ...[readUnits, events, queued, commands, commandsWithInner, refused].map(hundredths),
        ];
      }),
    ),
  );
}

/** The local stack always has a webhook, which costs the same with and without live. */
function withoutWebhook(use: Use): Use {
  const functions = [...use.functions].filter(([name]) => name !== 'deliver-webhook');
  return { ...use, functions: new Map(functions) };
}
