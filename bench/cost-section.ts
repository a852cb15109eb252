import { setTimeout as delay } from 'node:timers/promises';
import type { Usage } from '../local/aws/lambda/function-pool.ts';
import { createApiClient } from '../local/http/api-client.ts';
import { type Stack, startStack } from '../local/stack.ts';
import { type EngineUnits, type MeteredEngines, startMeteredEngines } from './metered-engines.ts';
import { FUNCTION_CORE, FUNCTION_GB, PRICES, TRACED } from './prices.ts';
import { formatTable } from './table.ts';
import { makeTemporaryDirectory } from './temporary-directory.ts';

const MEMBERS = 50;
const MESSAGES = 200;
const GROUPS_OF_A_USER = 20;
/** The number of runs of each operation, one at a time, so that their events are not coalesced. */
const TIMES = 20;
const QUIET_MS = 250;
/** The second that the webhook's queue waits to fill a batch takes a tenth of a second, well within the above. */
const SPEED = 10;
/** The marks of different members at the same time: as many as one batch of the webhook's queue. */
const TOGETHER = 10;
const DEADLINE_MS = 20_000;

/** The size of a line of API Gateway's access log, in the format of infra/api.ts. */
const ACCESS_LOG_BYTES = 430;

/** The use of everything that is billed. */
interface Units {
  readonly engines: EngineUnits;
  readonly functions: ReadonlyMap<string, Usage>;
  readonly events: number;
}

/** The average use of one operation. */
interface Use {
  readonly engines: EngineUnits;
  readonly functions: ReadonlyMap<string, Usage>;
  readonly events: number;
  readonly calls: number;
}

interface Operation {
  readonly name: string;
  /** The number of operations in a run. @default 1 */
  readonly together?: number;
  /** The number of runs before the measurement, so that caches are warm. */
  readonly run: (time: number) => Promise<void>;
}

/** Counts what is billed for each route, and the cost of a million calls. */
export async function measureCost(): Promise<void> {
  const temporary = makeTemporaryDirectory();
  const engines = await startMeteredEngines();
  try {
    const stack = await startStack({
      port: 0,
      dataDirectory: temporary.path,
      speed: SPEED,
      dynamodbEndpoint: engines.dynamodbEndpoint,
      redisUrl: engines.redisUrl,
    });
    try {
      const meter = new Meter(stack, engines);
      const uses = new Map<string, Use>();
      for (const { name, run, together = 1 } of await operationsOn(stack)) {
        for (let time = 0; time < TIMES; time += 1) await meter.settled(() => run(time));
        const before = await meter.units();
        for (let time = 0; time < TIMES; time += 1) await meter.settled(() => run(TIMES + time));
        uses.set(name, difference(await meter.units(), before, TIMES * together));
      }
      printRoutes(uses);
      printDays(uses);
    } finally {
      await stack.stop();
    }
  } finally {
    await engines.stop();
    temporary.remove();
  }
}

class Meter {
  readonly #stack: Stack;
  readonly #engines: MeteredEngines;

  constructor(stack: Stack, engines: MeteredEngines) {
    this.#stack = stack;
    this.#engines = engines;
  }

  async units(): Promise<Units> {
    return {
      engines: await this.#engines.units(),
      functions: this.#stack.lambda.usages(),
      events: this.#stack.bus.events.length,
    };
  }

  /** Makes a call, and waits until everything that follows from it has been processed. */
  async settled(call: () => Promise<void>): Promise<void> {
    await call();
    const begun = performance.now();
    let [seen, since] = [this.#invocations(), begun];
    while (performance.now() - since < QUIET_MS) {
      if (performance.now() - begun > DEADLINE_MS)
        throw new Error('the work that follows from a call does not end');
      await delay(10);
      const now = this.#invocations();
      if (now !== seen) [seen, since] = [now, performance.now()];
    }
  }

  #invocations(): number {
    return [...this.#stack.lambda.usages().values()].reduce((sum, { invocations }) => sum + invocations, 0);
  }
}

function difference(after: Units, before: Units, calls: number): Use {
  const engine = (name: keyof EngineUnits) => (after.engines[name] - before.engines[name]) / calls;
  const functions = [...after.functions].map(([name, used]): [string, Usage] => {
    const earlier = before.functions.get(name);
    const of = (unit: keyof Usage) => (used[unit] - (earlier?.[unit] ?? 0)) / calls;
    return [
      name.replace('tidemark-local-', ''),
      { invocations: of('invocations'), cpuMs: of('cpuMs'), logBytes: of('logBytes') },
    ];
  });
  return {
    engines: {
      writeUnits: engine('writeUnits'),
      readUnits: engine('readUnits'),
      commands: engine('commands'),
      commandsWithInner: engine('commandsWithInner'),
    },
    functions: new Map(functions),
    events: (after.events - before.events) / calls,
    calls: 1,
  };
}

/** The operations, made by a back end for the members of a group. */
async function operationsOn(stack: Stack): Promise<readonly Operation[]> {
  const client = createApiClient(stack.description.apiUrl, stack.issueToken);
  const call = async (method: string, path: string, body?: unknown): Promise<void> => {
    const { status, text } = await client.asService(method, `/v1${path}`, body);
    if (status >= 300) throw new Error(`${method} ${path} answered ${status}: ${text}`);
  };
  const members = Array.from({ length: MEMBERS }, (_, index) => `member-${index}`);
  const groups = Array.from({ length: GROUPS_OF_A_USER }, (_, index) => `group-${index}`);
  for (const groupId of groups) {
    await call('POST', `/groups/${groupId}/members`, { userIds: members });
    const count = groupId === 'group-0' ? MESSAGES : 2 * TIMES + 1;
    for (let id = 1; id <= count; id += 1)
      await call('POST', `/groups/${groupId}/messages`, {
        messageId: String(id * 10),
        senderId: 'announcer',
      });
  }
  const group = '/groups/group-0';
  const ids = (length: number) => Array.from({ length }, (_, index) => String((MESSAGES - index) * 10));
  const newest = String(MESSAGES * 10);
  let nextMessage = MESSAGES * 10;
  const mark = (user: string, messageId: number) =>
    call('PUT', `/users/${user}${group}/watermark`, { messageId: String(messageId) });
  return [
    { name: 'read the own watermark', run: () => call('GET', `/users/member-1${group}/watermark`) },
    { name: 'mark, forward', run: (time) => mark('member-2', (time + 1) * 10) },
    {
      name: `mark, forward, ${TOGETHER} at once`,
      together: TOGETHER,
      run: async (time) => {
        const readers = members.slice(-TOGETHER);
        await Promise.all(readers.map((reader) => mark(reader, (time + 1) * 10)));
      },
    },
    { name: 'mark, nothing new', run: () => mark('member-2', 10) },
    {
      name: 'mark, private',
      run: (time) =>
        call('PUT', `/users/member-3${group}/watermark`, {
          messageId: String((time + 1) * 10),
          private: true,
        }),
    },
    {
      name: 'mark unread',
      run: (time) =>
        call('POST', `/users/member-2${group}/unread`, { messageId: String((2 * TIMES - time) * 10) }),
    },
    {
      name: 'mark delivered',
      run: (time) => call('PUT', `/users/member-4${group}/delivered`, { messageId: String((time + 1) * 10) }),
    },
    {
      name: `mark ${GROUPS_OF_A_USER} groups in a batch`,
      run: (time) =>
        call('POST', '/users/member-5/watermarks', {
          marks: groups.map((groupId) => ({ groupId, messageId: String((time + 1) * 10) })),
        }),
    },
    { name: `inbox of ${GROUPS_OF_A_USER} groups`, run: () => call('GET', '/users/member-6/inbox') },
    {
      name: 'statuses of 100 messages',
      run: () => call('POST', `/users/member-1${group}/messages/status`, { messageIds: ids(100) }),
    },
    {
      name: 'receipts of 100 messages',
      run: () => call('POST', `/users/member-1${group}/receipts`, { messageIds: ids(100) }),
    },
    {
      name: 'who has read a message',
      run: () => call('GET', `/users/member-1${group}/messages/${newest}/receipts`),
    },
    {
      name: 'record a message',
      run: () => {
        nextMessage += 10;
        return call('POST', `${group}/messages`, { messageId: String(nextMessage), senderId: 'member-7' });
      },
    },
    { name: 'delete a message', run: (time) => call('DELETE', `${group}/messages/${(time + 1) * 10}`) },
    { name: 'join', run: (time) => call('PUT', `${group}/members/newcomer-${time}`) },
    { name: 'list 50 members', run: () => call('GET', `${group}/members?limit=50`) },
    { name: 'leave', run: (time) => call('DELETE', `${group}/members/newcomer-${time}`) },
  ];
}

/** The cost of a million operations in dollars, by part. */
interface Cost {
  readonly call: number;
  readonly ledger: number;
  readonly projector: number;
  readonly events: number;
  readonly webhook: number;
  readonly logsAndTraces: number;
  /** Pay as you go, if each script is billed as one command, and if each command in a script is billed. */
  readonly redis: number;
  readonly redisWithInner: number;
}

const PARTS: Readonly<Record<string, 'projector' | 'events' | 'webhook'>> = {
  'project-ledger': 'projector',
  'publish-events': 'events',
  notify: 'events',
  'deliver-webhook': 'webhook',
};

function costOf({ engines, functions, events, calls }: Use): Cost {
  const parts = { call: calls * PRICES.apiCall, projector: 0, events: events * PRICES.event, webhook: 0 };
  let logBytes = calls * ACCESS_LOG_BYTES;
  let traces = 0;
  for (const [name, { invocations, cpuMs, logBytes: printed }] of functions) {
    const seconds = cpuMs / FUNCTION_CORE / 1000;
    parts[PARTS[name] ?? 'call'] +=
      invocations * PRICES.invocation + seconds * FUNCTION_GB * PRICES.gigabyteSecond;
    logBytes += printed;
    if (PARTS[name] === undefined) traces += invocations * TRACED;
    // Each event is sent to the queue. Each invocation receives a batch and deletes it.
    if (name === 'deliver-webhook' && invocations > 0)
      parts.webhook += (events + 2 * invocations) * PRICES.queueRequest;
  }
  return {
    ...parts,
    ledger: engines.writeUnits * PRICES.writeUnit + engines.readUnits * PRICES.readUnit,
    logsAndTraces: (logBytes / 1e9) * PRICES.logGigabyte + traces * PRICES.trace,
    redis: engines.commands * PRICES.redisCommand,
    redisWithInner: engines.commandsWithInner * PRICES.redisCommand,
  };
}

const dollars = (value: number) => value.toFixed(2);

function totals({ call, ledger, projector, events, webhook }: Cost) {
  const core = call + ledger + projector;
  return { core, withEvents: core + events, withWebhook: core + events + webhook };
}

function printRoutes(uses: ReadonlyMap<string, Use>): void {
  console.log('Dollars for a million of each, each alone, with a Redis of a fixed price');
  const rows = [...uses].map(([name, use]) => {
    const cost = costOf(use);
    const { core, withEvents, withWebhook } = totals(cost);
    const { call, ledger, projector, events, webhook, logsAndTraces, redis, redisWithInner } = cost;
    return [
      name,
      ...[call, ledger, projector, core, events, withEvents, webhook, withWebhook].map(dollars),
      ...[logsAndTraces, redis, redisWithInner].map(dollars),
    ];
  });
  console.log(
    formatTable(
      [
        'operation',
        ...['call', 'ledger', 'projector', '= without events', 'events', '= with', 'webhook', '= with both'],
        ...['logs, traces', 'Redis by use', 'and in scripts'],
      ],
      rows,
    ),
  );
  console.log('\nWhat one of each uses');
  console.log(
    formatTable(
      [
        'operation',
        'invocations',
        'CPU ms',
        'write units',
        'read units',
        'events',
        'Redis scripts',
        'commands',
        'log bytes',
      ],
      [...uses].map(([name, { engines, functions, events }]) => {
        const sum = (unit: keyof Usage) =>
          [...functions.values()].reduce((total, used) => total + used[unit], 0);
        return [
          name,
          ...[sum('invocations'), sum('cpuMs'), engines.writeUnits, engines.readUnits, events].map((value) =>
            value.toFixed(2),
          ),
          ...[engines.commands, engines.commandsWithInner, sum('logBytes')].map((value) => value.toFixed(1)),
        ];
      }),
    ),
  );
}

/** The number of each operation in a day. */
const DAYS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  'a team chat: 1,000 users, 20,000 messages': {
    'record a message': 20_000,
    'mark, forward': 150_000,
    'mark, nothing new': 100_000,
    'read the own watermark': 60_000,
    'inbox of 20 groups': 20_000,
    'receipts of 100 messages': 30_000,
    'who has read a message': 2_000,
    'mark unread': 500,
    join: 100,
  },
  'a busy community: 100,000 users, 500,000 messages': {
    'record a message': 500_000,
    'mark, forward': 10_000_000,
    'mark, nothing new': 8_000_000,
    'read the own watermark': 4_000_000,
    'inbox of 20 groups': 1_500_000,
    'receipts of 100 messages': 200_000,
    'who has read a message': 20_000,
    'mark unread': 20_000,
    join: 20_000,
  },
};

function printDays(uses: ReadonlyMap<string, Use>): void {
  console.log('\nDollars for a day, were each alone');
  const rows = Object.entries(DAYS).map(([name, counts]) => {
    const sum = (of: (cost: Cost) => number) =>
      Object.entries(counts).reduce((total, [operation, count]) => {
        const use = uses.get(operation);
        if (!use) throw new Error(`${operation} was not measured`);
        return total + (of(costOf(use)) * count) / 1_000_000;
      }, 0);
    return [
      name,
      ...[
        sum((cost) => totals(cost).core),
        sum((cost) => totals(cost).withEvents),
        sum((cost) => totals(cost).withWebhook),
        sum(({ logsAndTraces }) => logsAndTraces),
        sum(({ redis }) => redis),
        sum(({ redisWithInner }) => redisWithInner),
      ].map(dollars),
    ];
  });
  console.log(
    formatTable(
      [
        'day',
        'without events',
        'with events',
        'and webhook',
        'logs, traces',
        'Redis by use',
        'and in scripts',
      ],
      rows,
    ),
  );
}
