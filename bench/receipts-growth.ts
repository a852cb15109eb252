import { deepStrictEqual } from 'node:assert/strict';
import type { CacheCredentials } from '../shared/cache/upstash.ts';
import { type Bounds, type Round, runRound, summarize } from './measurement.ts';
import { ReceiptsCache } from './receipts-cache.ts';
import { type Counts, PlainReceipts } from './receipts-plain.ts';
import {
  MESSAGES,
  NEWEST,
  type PopulationMessage,
  populationOf,
  SHARE_DELIVERY_AHEAD,
  SHARE_FROM_START,
  USER_ID_LENGTH,
} from './receipts-population.ts';
import { digits, formatTable, verdict } from './table.ts';

const SIZES = [100, 1_000, 10_000, 100_000] as const;
const LARGEST = SIZES[SIZES.length - 1];
const COUNTED = 100;
const ROUNDS = 5;

const GROWTH_AIM = 2;
const FASTER_AIM = 200;

const BOUNDS: Bounds = { calls: 200, ms: 800 };
const PLAIN_BOUNDS: Bounds = { calls: 60, ms: 800 };

/** Calls before the measurement, for the compiler. */
const WARM_UP: Bounds = { calls: 600, ms: 1_500 };
/** Calls before each round, which collect the garbage of the other side's round. */
const BEFORE_ROUND: Bounds = { calls: 15, ms: 200 };

interface Side {
  readonly call: () => Promise<Counts[]>;
  readonly bounds: Bounds;
  readonly rounds: Round[];
}

interface Measured {
  readonly size: number;
  readonly ours: Side;
  readonly plain: Side;
  readonly fastPlain: Side;
}

/** Measures the counts for 100 messages in groups of several sizes, and the plain way on the same Redis. */
export async function printGrowth(credentials: CacheCredentials): Promise<void> {
  const groups: Measured[] = [];
  for (const size of SIZES) groups.push(await prepare(credentials, size));
  const sides = groups.flatMap(({ ours, plain, fastPlain }) => [ours, plain, fastPlain]);
  for (const side of sides) await runRound(1, WARM_UP, () => called(side));
  // Round by round, so that other load on the machine affects all alike.
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      await runRound(1, BEFORE_ROUND, () => called(side));
      side.rounds.push(await runRound(1, side.bounds, () => called(side)));
    }
  }
  console.log(
    `Counts for ${COUNTED} messages in one call by one caller, and the plain way: fetch every member's`,
  );
  console.log(
    'mark and compare. Plain: HGETALL, each message against each member. Fast plain: HVALS, each member',
  );
  console.log('once for all messages. All three gave the same numbers in a check before.');
  console.log(
    `(ids of ${USER_ID_LENGTH} characters; ${percent(SHARE_FROM_START)} there from the start, the others joined ` +
      `anywhere in ${MESSAGES} messages;`,
  );
  console.log(
    `marks over the newest ${NEWEST}, like the counted messages; ${percent(SHARE_DELIVERY_AHEAD)} have received ` +
      'more than they have read)',
  );
  console.log(
    formatTable(
      [
        ...['members', 'p50 ms', 'p99 ms', `to ${SIZES[0]}`, 'aim', ''],
        ...['plain p50', 'times faster', 'aim', '', 'fast plain p50', 'times faster'],
      ],
      rowsOf(groups),
    ),
  );
}

async function prepare(credentials: CacheCredentials, size: number): Promise<Measured> {
  const population = populationOf('mixed', size);
  const messages = askedOf(population.messages);
  const positions = messages.map(({ position }) => position);
  const cache = new ReceiptsCache(credentials);
  await cache.fillMessages(population);
  await cache.fillReceipts(population);
  const plain = new PlainReceipts(credentials);
  await plain.fill(population);
  const ours = sideOf(BOUNDS, () => cache.count(population, positions));
  const simply = sideOf(PLAIN_BOUNDS, () => plain.countSimply(population, messages));
  const fast = sideOf(PLAIN_BOUNDS, () => plain.countFast(population, messages));
  const counts = await ours.call();
  deepStrictEqual(counts, await simply.call());
  deepStrictEqual(counts, await fast.call());
  return { size, ours, plain: simply, fastPlain: fast };
}

function sideOf(bounds: Bounds, call: () => Promise<Counts[]>): Side {
  return { call, bounds, rounds: [] };
}

/** Spread evenly over the newest messages, so that no two have the same numbers. */
function askedOf(messages: readonly PopulationMessage[]): PopulationMessage[] {
  return messages.slice(-NEWEST).filter((_, index) => index % (NEWEST / COUNTED) === 0);
}

async function called({ call }: Side): Promise<void> {
  await call();
}

function rowsOf(groups: readonly Measured[]): string[][] {
  const summaries = groups.map(({ size, ours, plain, fastPlain }) => ({
    size,
    ours: summarize(ours.rounds),
    plain: summarize(plain.rounds).p50,
    fastPlain: summarize(fastPlain.rounds).p50,
  }));
  return summaries.map(({ size, ours: { p50, p99 }, plain, fastPlain }) => {
    const growth = p50 / (summaries[0]?.ours.p50 ?? Number.NaN);
    const faster = plain / p50;
    const isAimedAt = size === LARGEST;
    return [
      size.toLocaleString('en'),
      ...[digits(p50), digits(p99), growth.toFixed(2)],
      ...(isAimedAt ? [`<= ${GROWTH_AIM}`, verdict(growth, GROWTH_AIM)] : ['', '']),
      ...[plain, faster].map(digits),
      // Here the aim is the lower limit.
      ...(isAimedAt ? [`>= ${FASTER_AIM}`, verdict(FASTER_AIM, faster)] : ['', '']),
      ...[fastPlain, fastPlain / p50].map(digits),
    ];
  });
}

function percent(share: number): string {
  return `${share * 100} %`;
}
