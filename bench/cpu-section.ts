import type { FunctionName } from '../infra/bundle.ts';
import { type DeployedFunctions, USER, withFunctions, withMessage } from './deployed-functions.ts';
import { runFunction } from './measured-function.ts';
import { digits, formatTable, verdict } from './table.ts';

/** The number of events before the measurement, and of measured events. A message takes three writes to the ledger. */
const OF_MARKS: Counts = { warmUp: 1_000, measured: 500 };
const OF_MESSAGES: Counts = { warmUp: 500, measured: 300 };

interface Counts {
  readonly warmUp: number;
  readonly measured: number;
}

const MARK_AIM_MS = 2.5;

/** The reader, the sender, and a member who reads nothing: without it, each mark would publish GroupFullyRead. */
const FEW_MEMBERS = 3;

/** The size of a large group. */
const MEMBERS = 500;
const MEMBERS_AT_ONCE = 100;

/**
 * The folder for a CPU profile of each function, if it is set: `BENCH_PROFILES=/tmp/profiles npm run bench -- cpu`.
 */
const PROFILES = process.env.BENCH_PROFILES;

/** Measures what a forward mark and a recorded message cost all functions together, warm, one event at a time. */
export async function measureCpu(): Promise<void> {
  await withFunctions(async (functions) => {
    console.log(
      `CPU of all functions in ms, without the engines: each in its own process, warm, one event at a time`,
    );
    const small = await measureGroup(functions, 'small', FEW_MEMBERS);
    const large = await measureGroup(functions, 'large', MEMBERS);
    console.log(
      formatTable(
        ['function', 'a forward mark', 'aim', '', `a message, ${FEW_MEMBERS} members`, `${MEMBERS} members`],
        [
          ...[...FUNCTIONS, 'all' as const].map((name) => {
            const [mark, message, messageOfMany] = [small.mark, small.message, large.message].map((costs) =>
              name === 'all'
                ? [...costs.values()].reduce((sum, cost) => sum + cost, 0)
                : (costs.get(name) ?? 0),
            ) as [number, number, number];
            return [
              ...[name, digits(mark)],
              ...(name === 'all' ? [`<= ${MARK_AIM_MS}`, verdict(mark, MARK_AIM_MS)] : ['', '']),
              ...[digits(message), digits(messageOfMany)],
            ];
          }),
        ],
      ),
    );
  });
}

/** The function of a request, then those that the ledger's stream and the bus invoke. */
const FOLLOWING = [
  'project-ledger',
  'publish-events',
  'notify',
  'deliver-webhook',
] as const satisfies readonly FunctionName[];
const FUNCTIONS = ['mark-read', 'record-message', ...FOLLOWING] as const satisfies readonly FunctionName[];

/** The invocations after one request if nothing is coalesced: a message writes itself, the head and its sender. */
const EVENTS = {
  'mark-read': { 'project-ledger': 1, 'publish-events': 1, notify: 1, 'deliver-webhook': 1 },
  'record-message': { 'project-ledger': 3, 'publish-events': 1, notify: 1, 'deliver-webhook': 1 },
} as const;

type Costs = ReadonlyMap<FunctionName, number>;

async function measureGroup(
  functions: DeployedFunctions,
  group: string,
  members: number,
): Promise<{ readonly mark: Costs; readonly message: Costs }> {
  const path = `/v1/groups/${group}`;
  const userIds = [USER, ...Array.from({ length: members - 1 }, (_, index) => `member-${index}`)];
  for (let start = 0; start < members; start += MEMBERS_AT_ONCE) {
    const some = userIds.slice(start, start + MEMBERS_AT_ONCE);
    await functions.call('service', 'POST', `${path}/members`, { userIds: some });
  }
  await functions.call('service', 'POST', `${path}/messages`, { messageId: '1', senderId: 'member-0' });
  const recording = lastEvent(functions, 'record-message');
  // Each event has another message, sent by a member.
  const message = await measure(functions, 'record-message', OF_MESSAGES, (count) =>
    withMessage(recording, count + 2),
  );
  // Above all marks: one beyond the head would be clamped.
  await functions.call('service', 'POST', `${path}/messages`, { messageId: '1000000', senderId: 'member-0' });
  await functions.call('user', 'PUT', `${path}/watermark`, { messageId: '1' });
  const marking = lastEvent(functions, 'mark-read');
  const mark = await measure(functions, 'mark-read', OF_MARKS, (count) => withMessage(marking, count + 2));
  return { mark, message };
}

/** Runs the function of a request and those that follow. Returns the CPU of each for one request. */
async function measure(
  functions: DeployedFunctions,
  name: keyof typeof EVENTS,
  counts: Counts,
  event: (count: number) => string,
): Promise<Costs> {
  await functions.settle();
  for (const following of FOLLOWING) functions.eventsOf(following).length = 0;
  const requests = counts.warmUp + counts.measured;
  const costs = new Map<FunctionName, number>();
  const requested = Array.from({ length: requests }, (_, count) => event(count));
  costs.set(name, await cpuOf(functions, name, counts, requested));
  await functions.settle();
  for (const following of FOLLOWING) {
    const events = functions.eventsOf(following).flatMap(oneByOne);
    if (events.length === 0) throw new Error(`${following} was not called`);
    const cpu = await cpuOf(functions, following, counts, repeated(events, requests));
    costs.set(following, cpu * EVENTS[name][following]);
  }
  return costs;
}

async function cpuOf(
  functions: DeployedFunctions,
  name: FunctionName,
  { warmUp, measured }: Counts,
  events: readonly string[],
): Promise<number> {
  const { bundle, exportName, environment } = functions.definition(name);
  const task = {
    bundle,
    handlerName: exportName,
    warmUp: events.slice(0, warmUp),
    events: events.slice(warmUp, warmUp + measured),
  };
  return (await runFunction(environment, task, PROFILES)).cpuMs;
}

/** Splits a batch into batches of one record. Returns any other event unchanged. */
function oneByOne(event: string): string[] {
  const { Records: records } = JSON.parse(event) as { Records?: unknown[] };
  return records ? records.map((record) => JSON.stringify({ Records: [record] })) : [event];
}

function repeated(events: readonly string[], most: number): string[] {
  return Array.from({ length: most }, (_, index) => {
    const event = events[index % events.length] ?? '';
    // A function skips a record that it has handled before.
    return event.replace(/("SequenceNumber":")[0-9]*/, `$1${index}`);
  });
}

function lastEvent(functions: DeployedFunctions, name: FunctionName): string {
  const event = functions.eventsOf(name).at(-1);
  if (event === undefined) throw new Error(`${name} was not called`);
  return event;
}
