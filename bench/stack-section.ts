import { DataDirectory } from '../local/data/data-directory.ts';
import { type FloorProcess, startFloor } from './floor-process.ts';
import { type Bounds, type Round, summarize } from './measurement.ts';
import { leavesEvents, type Operation, operations } from './operations.ts';
import { type RunningStack, settle, withStack } from './running-stack.ts';
import { MeasuredGroup, StackClient } from './stack-client.ts';
import { memoryTable } from './start-section.ts';
import { digits, formatTable, verdict } from './table.ts';

const CALLERS = [1, 8, 32] as const;
const MAX_CALLERS = Math.max(...CALLERS);
/** Rounds of each side: many short ones, because the speed of the machine changes. */
const ROUNDS = 20;

/** The aim for one caller. */
const RATIO_AIM = 2;

/** Enough calls for both compilers: V8 in the functions' instances, and the JVM of DynamoDB Local. */
const WARM_UP: Bounds = { calls: 800, ms: 6_000 };

const GROUP = 'bench';

/** Measures marks and reads through the whole local stack, and the bare calls to its engines. */
export async function measureStack(): Promise<void> {
  await withStack(async (stack) => {
    const client = new StackClient(stack.description.apiUrl);
    let floor: FloorProcess | null = null;
    try {
      const callers = usersOf('caller');
      const others = usersOf('floor');
      const group = await MeasuredGroup.prepare(client, stack, { id: GROUP, callers, others });
      floor = await startFloor(floorSetting(stack, others));
      await printSpeed(stack, group, floor);
      console.log('\nMemory of the stack after that');
      console.log(memoryTable(stack.description));
    } finally {
      floor?.stop();
      await client.close();
    }
  });
}

async function printSpeed(stack: RunningStack, group: MeasuredGroup, floor: FloorProcess): Promise<void> {
  let unsettled = 0;
  const settled = async () => {
    if (!(await settle(stack))) unsettled += 1;
  };
  const rows: string[][] = [];
  for (const operation of operations) {
    for (const callers of CALLERS) rows.push(await measure(group, floor, operation, callers, settled));
  }
  console.log('Calls through the local stack, and the same calls to its engines by a bare script (floor)');
  console.log(
    formatTable(
      [
        ...['operation', 'callers'],
        ...['p50 ms', 'p99 ms', 'calls/s'],
        ...['floor p50', 'p99', 'calls/s'],
        ...['p50 ratio', 'aim', ''],
      ],
      rows,
    ),
  );
  if (unsettled > 0)
    console.log(`Note: ${unsettled} rounds began while earlier events were still being delivered.`);
}

/**
 * Runs rounds of both sides in turn, each first equally often, so that other load on the machine affects both alike. Before
 * a round it waits until the events of earlier marks are delivered: their work would be counted as the floor's. Without
 * such events there is no wait.
 */
async function measure(
  group: MeasuredGroup,
  floor: FloorProcess,
  operation: Operation,
  callers: number,
  settled: () => Promise<void>,
): Promise<string[]> {
  const bounds: Bounds = { calls: 100 + 20 * callers, ms: 1_000 };
  // Directly before the rounds, because idle instances end.
  await group.run(operation, callers, WARM_UP);
  await floor.run({ operation, callers, bounds: WARM_UP });
  await settled();
  const ofStack: Round[] = [];
  const ofFloor: Round[] = [];
  const sides = [
    async () => ofStack.push(await group.run(operation, callers, bounds)),
    async () => ofFloor.push(await floor.run({ operation, callers, bounds })),
  ];
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      if (leavesEvents(operation)) await settled();
      await side();
    }
  }
  const stack = summarize(ofStack);
  const bare = summarize(ofFloor);
  const ratio = stack.p50 / bare.p50;
  return [
    ...[operation, String(callers)],
    ...[stack, bare].flatMap(({ p50, p99, callsPerSecond }) => [
      digits(p50),
      digits(p99),
      callsPerSecond.toFixed(0),
    ]),
    ratio.toFixed(2),
    ...(callers === 1 ? [`<= ${RATIO_AIM}`, verdict(ratio, RATIO_AIM)] : []),
  ];
}

function usersOf(side: string): string[] {
  return Array.from({ length: MAX_CALLERS }, (_, index) => `${side}-${index}`);
}

function floorSetting(
  { description: { upstash, dynamodb }, dataDirectory }: RunningStack,
  userIds: readonly string[],
) {
  const engine = {
    endpoint: dynamodb.engineEndpoint,
    credentials: new DataDirectory(dataDirectory).ledgerOwner(),
  };
  return { upstash, engine, groupId: GROUP, userIds };
}
