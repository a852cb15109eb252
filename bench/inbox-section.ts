import { inParallel } from '../shared/domain/in-parallel.ts';
import { type Bounds, runRound, type Summary, summarize } from './measurement.ts';
import { withStack } from './running-stack.ts';
import { type ServiceCall, withService } from './stack-client.ts';
import { digits, formatTable, verdict } from './table.ts';

const SIZES = [200, 2_000] as const;

/** One group of this many has something unread. */
const UNREAD_EVERY = 10;

const AIM_MS = 1_000;

/** Messages of one call. */
const BATCH = 100;
const CALLERS = 16;

const WARM_UP: Bounds = { calls: 20, ms: 20_000 };
const MEASURED: Bounds = { calls: 100, ms: 15_000 };

const CALLS = {
  badge: '/badge',
  'inbox, 200 groups a page': '/inbox?limit=200',
  'inbox, unread only': '/inbox?unreadOnly=true&limit=200',
} as const;

/** Measures the badge and the inbox of a user in many groups, through the local stack, with a warm cache. */
export async function measureInbox(): Promise<void> {
  await withStack((stack) =>
    withService(stack, async (call) => {
      const rows = [];
      for (const size of SIZES) rows.push(...(await measure(call, size)));
      console.log(
        `Badge and inbox of a user, one call after the other, warm; one group in ${UNREAD_EVERY} has something unread`,
      );
      console.log(
        formatTable(['call', 'groups', 'p50 ms', 'p99 ms', `to ${SIZES[0]}`, 'aim, p99', ''], tableOf(rows)),
      );
    }),
  );
}

interface Row {
  readonly name: string;
  readonly size: number;
  readonly summary: Summary;
}

async function measure(call: ServiceCall, size: number): Promise<Row[]> {
  const userId = `reader-of-${size}`;
  const groups = Array.from({ length: size }, (_, index) => `of-${size}-${index}`);
  const unread = groups.filter((_, index) => index % UNREAD_EVERY === 0);
  // The user joins after the first message, which is read thereby.
  await send(call, groups, '1');
  await inParallel(groups, CALLERS, (groupId) => call('PUT', `/v1/groups/${groupId}/members/${userId}`));
  await send(call, unread, '2');
  const badge = JSON.stringify(await call('GET', `/v1/users/${userId}/badge`));
  const expected = { groups: unread.length, messages: unread.length, mentions: 0, exact: true };
  if (badge !== JSON.stringify(expected)) throw new Error(`the badge of ${size} groups is ${badge}`);
  const rows: Row[] = [];
  for (const [name, path] of Object.entries(CALLS)) {
    const run = async () => {
      await call('GET', `/v1/users/${userId}${path}`);
    };
    await runRound(1, WARM_UP, run);
    rows.push({ name, size, summary: summarize([await runRound(1, MEASURED, run)]) });
  }
  return rows;
}

async function send(call: ServiceCall, groups: readonly string[], messageId: string): Promise<void> {
  for (let start = 0; start < groups.length; start += BATCH) {
    const messages = groups
      .slice(start, start + BATCH)
      .map((groupId) => ({ groupId, messageId, senderId: 'announcer' }));
    await call('POST', '/v1/messages', { messages });
  }
}

function tableOf(rows: readonly Row[]): string[][] {
  return rows.map(({ name, size, summary: { p50, p99 } }) => {
    const smallest = rows.find((row) => row.name === name)?.summary.p50 ?? Number.NaN;
    return [
      ...[name, size.toLocaleString('en'), digits(p50), digits(p99), (p50 / smallest).toFixed(2)],
      ...(name === 'badge' ? [`<= ${AIM_MS}`, verdict(p99, AIM_MS)] : []),
    ];
  });
}
