import { execFile } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { bundleFunctions, functionNames } from '../infra/bundle.ts';
import { quantile } from './measurement.ts';
import { digits, formatTable, verdict } from './table.ts';
import { makeTemporaryDirectory } from './temporary-directory.ts';

const PROJECT = fileURLToPath(new URL('..', import.meta.url));

/** The version that production runs, whatever started the bench. */
const NODE = join(PROJECT, 'node_modules', '.bin', 'node');

const RUNS = 7;

const IMPORT_AIM_MS = 60;
const MEMORY_AIM_MB = 70;
const MEASURED_BY_AIMS = 'mark-read';

/** What the functions need at their start. Nothing answers there: an import waits for nobody. */
const ENVIRONMENT = {
  AWS_REGION: 'us-east-1',
  AWS_ACCESS_KEY_ID: 'none',
  AWS_SECRET_ACCESS_KEY: 'none',
  AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
  TABLE_NAME: 'none',
  MEMBERS_INDEX_NAME: 'none',
  MESSAGE_RETENTION_DAYS: '1',
  MEMBERSHIP: 'strict',
  UPSTASH_SECRET_ARN: 'none',
  EVENT_BUS_NAME: 'none',
  DEAD_LETTER_QUEUE_URL: 'none',
  AWS_LAMBDA_FUNCTION_NAME: 'none',
  WEBHOOK_URL: 'http://127.0.0.1:9',
  WEBHOOK_SECRET_ARN: 'none',
};

const IMPORT = `
  const begun = performance.now();
  await import(process.argv[1]);
  const ms = performance.now() - begun;
  console.log(JSON.stringify({ ms, rssMb: process.memoryUsage.rss() / 2 ** 20 }));
  process.exit();
`;

interface Bundle {
  readonly name: string;
  readonly file: string;
  readonly runs: { readonly ms: number; readonly rssMb: number }[];
}

/** Size, import and memory of every function's bundle, beside one made without care. */
export async function measureBundles(): Promise<void> {
  const temporary = makeTemporaryDirectory();
  const directory = temporary.path;
  try {
    const careful = await bundleFunctions();
    await bundleNaively(directory);
    const bare = join(directory, 'bare.mjs');
    writeFileSync(bare, 'export const handler = async () => null;\n');
    const rows = [
      { own: bundleOf('nothing but a handler', bare), naive: null },
      ...functionNames.map((name) => ({
        own: bundleOf(name, join(careful, name, 'index.mjs')),
        naive: bundleOf(name, join(directory, name, 'index.mjs')),
      })),
    ];
    // Round by round, so that what else the machine does hits all alike.
    for (let run = 0; run < RUNS; run += 1) {
      for (const { own, naive } of rows) {
        own.runs.push(await importOnce(own.file));
        naive?.runs.push(await importOnce(naive.file));
      }
    }
    console.log(`Bundles: import in a fresh process and RSS after it, medians of ${RUNS}`);
    console.log('(naive: the same handler with esbuild as it comes, every credential provider included)');
    console.log(
      formatTable(
        [
          ...['bundle', 'KB', 'import ms', 'aim', '', 'RSS MB', 'aim', ''],
          ...['naive KB', 'import ms', 'RSS MB'],
        ],
        rows.map(({ own, naive }) => [
          own.name,
          kilobytes(own),
          ...withAim(own, median(own, 'ms'), IMPORT_AIM_MS),
          ...withAim(own, median(own, 'rssMb'), MEMORY_AIM_MB),
          ...(naive ? [kilobytes(naive), digits(median(naive, 'ms')), digits(median(naive, 'rssMb'))] : []),
        ]),
      ),
    );
  } finally {
    temporary.remove();
  }
}

/** As `bundleFunctions`, without what it does for the start: nothing replaced, packages taken as Node.js takes them. */
async function bundleNaively(outdir: string): Promise<void> {
  await build({
    absWorkingDir: PROJECT,
    entryPoints: functionNames.map((name) => ({ in: `functions/${name}/handler.ts`, out: `${name}/index` })),
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    loader: { '.lua': 'text' },
    banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
    logLevel: 'error',
  });
}

function bundleOf(name: string, file: string): Bundle {
  return { name, file, runs: [] };
}

async function importOnce(file: string): Promise<Bundle['runs'][number]> {
  const { stdout } = await promisify(execFile)(
    NODE,
    ['--input-type=module', '--eval', IMPORT, pathToFileURL(file).href],
    { env: ENVIRONMENT },
  );
  return JSON.parse(stdout) as Bundle['runs'][number];
}

function median({ runs }: Bundle, what: 'ms' | 'rssMb'): number {
  return quantile(
    runs.map((run) => run[what]),
    0.5,
  );
}

function kilobytes({ file }: Bundle): string {
  return digits(statSync(file).size / 1024);
}

function withAim({ name }: Bundle, value: number, aim: number): string[] {
  return [digits(value), ...(name === MEASURED_BY_AIMS ? [`<= ${aim}`, verdict(value, aim)] : ['', ''])];
}
