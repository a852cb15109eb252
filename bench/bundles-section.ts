import { execFile } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { type FunctionName, functionNames, LEAN, plainBundles } from '../infra/bundle.ts';
import * as variables from '../shared/contract/environment.ts';
import { type DeployedFunctions, USER, withFunctions, withMessage } from './deployed-functions.ts';
import { NODE, runFunction } from './measured-function.ts';
import { quantile } from './measurement.ts';
import { digits, formatTable, verdict } from './table.ts';
import { makeTemporaryDirectory } from './temporary-directory.ts';

const IMPORTS = 7;
const STARTS = 5;

const IMPORT_AIM_MS = 60;
const MEMORY_AIM_MB = 70;
/** As a share of the CPU of the naive bundle's import. */
const IMPORT_AIM = 0.5;
const MEASURED_BY_AIMS = 'mark-read';

const FIRST_AIM_MS = 15;
const FIRST_MEASURED_BY_AIMS: readonly string[] = ['mark-read', 'get-watermark'];

/** A URL at which nothing answers. */
const NOWHERE = 'http://127.0.0.1:9';

/** What the functions need at their start. Nothing answers there: an import waits for nobody. */
const ENVIRONMENT = {
  // Any text will do for most of them. A variable that comes later is here by itself.
  ...Object.fromEntries(Object.values(variables).map((name) => [name, NOWHERE])),
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'none',
  AWS_SECRET_ACCESS_KEY: 'none',
  AWS_ENDPOINT_URL: NOWHERE,
  AWS_LAMBDA_FUNCTION_NAME: 'none',
  [variables.MESSAGE_RETENTION_DAYS]: '1',
  [variables.MEMBERSHIP]: 'strict',
  [variables.TOKEN_ISSUERS]: '[]',
};

const IMPORT = `
  const cpu = process.cpuUsage();
  const begun = performance.now();
  await import(process.argv[1]);
  const ms = performance.now() - begun;
  const { user, system } = process.cpuUsage(cpu);
  const rssMb = process.memoryUsage.rss() / 2 ** 20;
  console.log(JSON.stringify({ ms, cpuMs: (user + system) / 1_000, rssMb }));
  process.exit();
`;

interface Import {
  readonly ms: number;
  readonly cpuMs: number;
  readonly rssMb: number;
}

interface Bundle {
  readonly name: string;
  readonly file: string;
  readonly runs: Import[];
}

/** Measures size, import and memory of every function's bundle and of a naive one, then its start and first event. */
export async function measureBundles(): Promise<void> {
  await measureImports();
  console.log();
  await withFunctions(measureStarts);
}

async function measureImports(): Promise<void> {
  const temporary = makeTemporaryDirectory();
  try {
    const [careful, naive] = ['careful', 'naive'].map((folder) => join(temporary.path, folder)) as [
      string,
      string,
    ];
    await buildUnprepared({ ...plainBundles(careful), ...LEAN, legalComments: 'none' });
    await buildUnprepared(plainBundles(naive));
    const bare = join(temporary.path, 'bare.mjs');
    writeFileSync(bare, 'export const handler = async () => null;\n');
    const rows = [
      { own: bundleOf('nothing but a handler', bare), naive: null },
      ...functionNames.map((name) => ({
        own: bundleOf(name, join(careful, name, 'index.mjs')),
        naive: bundleOf(name, join(naive, name, 'index.mjs')),
      })),
    ];
    // Round by round, so that other load on the machine affects all alike.
    for (let run = 0; run < IMPORTS; run += 1) {
      for (const row of rows) {
        row.own.runs.push(await importOnce(row.own.file));
        row.naive?.runs.push(await importOnce(row.naive.file));
      }
    }
    console.log(
      `Bundles: import in a fresh process, without the preparation, and RSS after it; medians of ${IMPORTS}`,
    );
    console.log('(naive: the same handler with the defaults of esbuild and every credential provider)');
    console.log(
      formatTable(
        [
          ...['bundle', 'KB', 'import ms', 'aim', '', 'CPU ms', 'RSS MB', 'aim', ''],
          ...['naive KB', 'import ms', 'CPU ms', 'RSS MB', 'CPU ratio', 'aim', ''],
        ],
        rows.map(({ own, naive }) => [
          ...[own.name, kilobytes(own)],
          ...withAim(own, digits(median(own, 'ms')), median(own, 'ms'), IMPORT_AIM_MS),
          digits(median(own, 'cpuMs')),
          ...withAim(own, digits(median(own, 'rssMb')), median(own, 'rssMb'), MEMORY_AIM_MB),
          ...(naive ? besideNaive(own, naive) : []),
        ]),
      ),
    );
  } finally {
    temporary.remove();
  }
}

function besideNaive(own: Bundle, naive: Bundle): string[] {
  const ratio = median(own, 'cpuMs') / median(naive, 'cpuMs');
  const figures = (['ms', 'cpuMs', 'rssMb'] as const).map((figure) => digits(median(naive, figure)));
  return [kilobytes(naive), ...figures, ...withAim(own, ratio.toFixed(2), ratio, IMPORT_AIM)];
}

/** Leaves the preparation out of the bundle: it is not part of the import, and no service answers it here. */
const unprepared: Plugin = {
  name: 'unprepared',
  setup({ onLoad }) {
    onLoad({ filter: /functions\/runtime\/prepare\.ts$/ }, () => ({
      contents: 'export async function prepare() {}',
      loader: 'ts',
    }));
  },
};

async function buildUnprepared(options: BuildOptions): Promise<void> {
  await build({ ...options, plugins: [unprepared, ...(options.plugins ?? [])] });
}

function bundleOf(name: string, file: string): Bundle {
  return { name, file, runs: [] };
}

async function importOnce(file: string): Promise<Import> {
  const { stdout } = await promisify(execFile)(
    NODE,
    ['--input-type=module', '--eval', IMPORT, pathToFileURL(file).href],
    { env: ENVIRONMENT },
  );
  return JSON.parse(stdout) as Import;
}

function median({ runs }: Bundle, figure: keyof Import): number {
  return quantile(
    runs.map((run) => run[figure]),
    0.5,
  );
}

function kilobytes({ file }: Bundle): string {
  return digits(statSync(file).size / 1024);
}

function withAim({ name }: Bundle, text: string, value: number, aim: number): string[] {
  return [text, ...(name === MEASURED_BY_AIMS ? [`<= ${aim}`, verdict(value, aim)] : ['', ''])];
}

/** The part of a route's events that must differ each time, so that the function has work to do. */
const MOVES: readonly string[] = ['mark-read', 'mark-delivered', 'mark-groups', 'record-message'];

/** Measures the start of each deployed function, its first event, and its second event. */
async function measureStarts(functions: DeployedFunctions): Promise<void> {
  await callEachRoute(functions);
  const called = functionNames.filter((name) => functions.eventsOf(name).length > 0);
  const runs = new Map(called.map((name) => [name, [] as Awaited<ReturnType<typeof runFunction>>[]]));
  let messageId = 1_000;
  const nextEvent = (name: FunctionName): string => {
    messageId += 1;
    const event = functions.eventsOf(name)[0] ?? '';
    return MOVES.includes(name) ? withMessage(event, messageId) : event;
  };
  for (let run = 0; run < STARTS; run += 1) {
    for (const [name, figures] of runs) {
      const { bundle, exportName, environment } = functions.definition(name);
      const events = { warmUp: [nextEvent(name)], events: [nextEvent(name)] };
      figures.push(await runFunction(environment, { bundle, handlerName: exportName, ...events }));
    }
  }
  console.log(`Functions on the local engines: CPU of a fresh process in ms, medians of ${STARTS}`);
  console.log(
    formatTable(
      ['function', 'start ms', 'CPU', 'first event', 'aim', '', 'second'],
      [...runs].map(([name, figures]) => {
        const of = (read: (one: (typeof figures)[number]) => number) => quantile(figures.map(read), 0.5);
        const first = of(({ warmUpCpuMs }) => warmUpCpuMs);
        const isMeasured = FIRST_MEASURED_BY_AIMS.includes(name);
        return [
          ...[
            name,
            digits(of(({ start }) => start.ms)),
            digits(of(({ start }) => start.cpuMs)),
            digits(first),
          ],
          ...(isMeasured ? [`<= ${FIRST_AIM_MS}`, verdict(first, FIRST_AIM_MS)] : ['', '']),
          digits(of(({ cpuMs }) => cpuMs)),
        ];
      }),
    ),
  );
}

async function callEachRoute(functions: DeployedFunctions): Promise<void> {
  const group = '/v1/groups/a-group';
  await functions.call('service', 'POST', `${group}/members`, { userIds: [USER, 'another'] });
  await functions.call('service', 'POST', `${group}/messages`, {
    messageId: '1000000',
    senderId: 'a-sender',
  });
  await functions.call('user', 'PUT', `${group}/delivered`, { messageId: '2' });
  await functions.call('user', 'PUT', `${group}/watermark`, { messageId: '1' });
  await functions.call('user', 'POST', '/v1/watermarks', { marks: [{ groupId: 'a-group', messageId: '3' }] });
  await functions.call('user', 'GET', `${group}/watermark`);
  await functions.call('user', 'POST', `${group}/messages/status`, { messageIds: ['1000000'] });
  await functions.call('user', 'GET', '/v1/inbox');
  await functions.call('user', 'GET', `${group}/messages/1000000/receipts`);
  await functions.call('user', 'POST', `${group}/receipts`, { messageIds: ['1000000'] });
  await functions.call('service', 'GET', `${group}/members`);
  await functions.call('user', 'GET', '/v1/health');
  await functions.call('user', 'POST', `${group}/unread`, { messageId: '1' });
  await functions.call('service', 'POST', '/v1/groups/other/messages', {
    messageId: '1',
    senderId: 'a-sender',
  });
  await functions.call('service', 'DELETE', '/v1/groups/other/messages/1');
  await functions.call('service', 'DELETE', '/v1/groups/other/members/nobody');
  await functions.settle();
}
