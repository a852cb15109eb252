import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { quantile } from './measurement.ts';
import { withCache } from './running-cache.ts';
import { digits, formatTable } from './table.ts';

const CALLS = fileURLToPath(new URL('./cache-call.ts', import.meta.url));

const RUNS = 9;

const SENDERS = { sdk: "the AWS SDK's HTTP handler (ours)", fetch: "fetch (the client's default)" } as const;

const senders = Object.keys(SENDERS) as Sender[];

const FIGURES = ['firstCpuMs', 'firstRssMb', 'p50', 'cpuMs'] as const;

type Sender = keyof typeof SENDERS;
type Figures = Record<(typeof FIGURES)[number], number>;

/** Measures what a call of the cache costs a function, cold and warm, for each HTTP client. */
export async function measureCacheCall(): Promise<void> {
  await withCache(async ({ engine, credentials }) => {
    const runs: Record<Sender, Figures[]> = { sdk: [], fetch: [] };
    // In turn, so that other load on the machine affects both alike.
    for (let run = 0; run < RUNS; run += 1) {
      for (const sender of senders) {
        const { stdout } = await promisify(execFile)(process.execPath, [
          CALLS,
          JSON.stringify([sender, credentials]),
        ]);
        runs[sender].push(JSON.parse(stdout) as Figures);
      }
    }
    const median = (sender: Sender, figure: keyof Figures) =>
      quantile(
        runs[sender].map((figures) => figures[figure]),
        0.5,
      );
    console.log(`A call of the cache (${engine} behind the local REST front), medians of ${RUNS} processes`);
    console.log(
      formatTable(
        ['sent by', 'first: CPU ms', 'RSS MB', 'then: p50 ms', 'CPU ms'],
        [
          ...senders.map((sender) => [
            SENDERS[sender],
            ...FIGURES.map((figure) => digits(median(sender, figure))),
          ]),
          ['ratio', ...FIGURES.map((figure) => digits(median('fetch', figure) / median('sdk', figure)))],
        ],
      ),
    );
  });
}
