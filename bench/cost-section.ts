import type { Usage } from '../local/aws/lambda/function-pool.ts';
import { type Cost, costOf, hundredths, totals } from './cost.ts';
import { measureLiveCost } from './live-cost.ts';
import { MeteredStack, type Times } from './metered-stack.ts';
import { formatTable } from './table.ts';
import { sumOfUses, type Use } from './use.ts';

const MEMBERS = 50;
const MESSAGES = 200;
const GROUPS_OF_A_USER = 20;
/** The number of runs of each operation, one at a time, so that their events are not coalesced. */
const TIMES = 20;
const USUAL: Times = { warm: TIMES, measured: TIMES };
/** The number of erasures and deletions: each waits for a while in the queue. */
const ERASURES: Times = { warm: 1, measured: 4 };
const MEMBERS_OF_DELETED = 10;
const MESSAGES_OF_DELETED = 20;
/** The marks of different members at the same time: as many as one batch of the webhook's queue. */
const TOGETHER = 10;

interface Operation {
  readonly name: string;
  /** The number of operations in a run. @default 1 */
  readonly together?: number;
  /** @default USUAL */
  readonly times?: Times;
  readonly run: (time: number) => Promise<void>;
}

/** Counts what is billed for each route, and the cost of a million calls. */
export async function measureCost(): Promise<void> {
  // What live adds to these has a table of its own.
  await MeteredStack.use({ live: 'off' }, async (stack) => {
    const uses = new Map<string, Use>();
    for (const { name, run, together = 1, times = USUAL } of await operationsOn(stack)) {
      const use = await stack.measure(run, times);
      uses.set(name, sumOfUses([[use, 1 / together]]));
    }
    printRoutes(uses);
    printDays(uses);
  });
  await measureLiveCost();
}

/** The operations, made by a back end for the members of a group. */
async function operationsOn(stack: MeteredStack): Promise<readonly Operation[]> {
  const call = (method: string, path: string, body?: unknown) => stack.call(method, path, body);
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
  await prepareErasures(
    call,
    groups.map((groupId) => `left-${groupId}`),
  );
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
    { name: `badge of ${GROUPS_OF_A_USER} groups`, run: () => call('GET', '/users/member-6/badge') },
    {
      name: `mark all of ${GROUPS_OF_A_USER} groups`,
      run: (time) => call('POST', `/users/member-${10 + time}/watermarks/all`),
    },
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
    {
      name: `erase a user of ${GROUPS_OF_A_USER} groups`,
      times: ERASURES,
      run: (time) => call('DELETE', `/users/erased-${time}`),
    },
    {
      name: `delete a group of ${MEMBERS_OF_DELETED} members and ${MESSAGES_OF_DELETED} messages`,
      times: ERASURES,
      run: (time) => call('DELETE', `/groups/deleted-${time}`),
    },
  ];
}

/** Creates the users that are erased, as members of these groups, and the groups that are deleted. */
async function prepareErasures(
  call: (method: string, path: string, body?: unknown) => Promise<void>,
  groups: readonly string[],
): Promise<void> {
  const count = ERASURES.warm + ERASURES.measured;
  const userIds = Array.from({ length: count }, (_, time) => `erased-${time}`);
  for (const groupId of groups) await call('POST', `/groups/${groupId}/members`, { userIds });
  for (let time = 0; time < count; time += 1) {
    const groupId = `deleted-${time}`;
    const members = Array.from({ length: MEMBERS_OF_DELETED }, (_, index) => `member-of-deleted-${index}`);
    await call('POST', `/groups/${groupId}/members`, { userIds: members });
    const messages = Array.from({ length: MESSAGES_OF_DELETED }, (_, index) => ({
      groupId,
      messageId: String((index + 1) * 10),
      senderId: 'announcer',
    }));
    await call('POST', '/messages', { messages });
  }
}

function printRoutes(uses: ReadonlyMap<string, Use>): void {
  console.log('Dollars for a million of each, each alone, with a Redis of a fixed price');
  const rows = [...uses].map(([name, use]) => {
    const cost = costOf(use);
    const { core, withEvents, withWebhook } = totals(cost);
    const { gateway, functions, ledger, projector, events, webhook, logsAndTraces, redis, redisWithInner } =
      cost;
    return [
      name,
      ...[gateway + functions, ledger, projector, core, events, withEvents, webhook, withWebhook].map(
        hundredths,
      ),
      ...[logsAndTraces, redis, redisWithInner].map(hundredths),
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
      ].map(hundredths),
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
