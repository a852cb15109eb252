import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build, type Metafile, type Plugin } from 'esbuild';
import { type EndpointFunctionName, endpoints } from '../shared/contract/endpoints.ts';
import { isStampTrue, stampOf } from './file-stamp.ts';
import { scriptText } from './script-text.ts';

const projectFolder = fileURLToPath(new URL('..', import.meta.url));

/** The Lambdas without a route of the HTTP API: the stream, the bus, a queue, the schedule or the WebSocket API invokes them. */
const consumerNames = [
  'apply-facts',
  'project-ledger',
  'publish-events',
  'erase',
  'find-reminders',
  'send-reminders',
  'notify',
  'deliver-webhook',
  'authorize-connection',
  'open-connection',
  'close-connection',
  'answer-frame',
  'push-frames',
] as const;

/** A Lambda's name. Its file in `functions/` and its bundle's folder have this name; its deployed name ends with it. */
export type FunctionName = EndpointFunctionName | (typeof consumerNames)[number];

export const functionNames: readonly FunctionName[] = [
  ...new Set(endpoints.map(({ servedBy }) => servedBy)),
  ...consumerNames,
];

/** Imports Lua scripts as text. */
const luaScripts: Plugin = {
  name: 'lua-scripts',
  setup: ({ onLoad }) => {
    onLoad({ filter: /\.lua$/ }, async ({ path }) => ({
      contents: scriptText(await readFile(path, 'utf8')),
      loader: 'text',
    }));
  },
};

/** Options that keep the bundles small, so that functions start fast. */
export const LEAN = {
  // `module` is a package's ES modules. From these esbuild removes unused code; from CommonJS it cannot.
  mainFields: ['module', 'main'],
  plugins: [luaScripts],
  alias: { '@aws-sdk/credential-provider-node': './functions/runtime/lambda-credentials.ts' },
} satisfies BuildOptions;

/** Options for bundles that Lambda can run, without those that make them small. */
export function plainBundles(outdir: string) {
  return {
    absWorkingDir: projectFolder,
    entryPoints: functionNames.map((name) => ({ in: `functions/${name}.ts`, out: `${name}/index` })),
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    loader: { '.lua': 'text' },
    // Some dependencies are CommonJS and call `require` for Node's own modules. An ES module has no `require`.
    banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
    logLevel: 'error',
  } satisfies BuildOptions;
}

/** What the bundles depend on, beside the files that esbuild reads. */
const SETTINGS = ['package-lock.json', 'tsconfig.json', 'infra/bundle.ts', 'infra/script-text.ts'];

/**
 * Bundles every function into `dist/functions/<name>/index.mjs`. Beside the folder, `<name>.meta.json` lists the bundle's
 * inputs. One call of esbuild makes all bundles, because starting it and reading the SDK takes most of the time.
 *
 * @param options.reuse whether bundles of an earlier call are taken if no file that they were made from has changed
 * @returns the path of `dist/functions`
 */
export async function bundleFunctions({ reuse = false } = {}): Promise<string> {
  const outdir = join(projectFolder, 'dist', 'functions');
  const stamp = join(projectFolder, 'dist', 'functions.stamp.json');
  const sources = functionNames.map((name) => join(projectFolder, `functions/${name}.ts`));
  if (reuse && (await isStampTrue(stamp, sources))) return outdir;
  const begunMs = Date.now();
  const { outputFiles, metafile } = await build({
    ...plainBundles(outdir),
    ...LEAN,
    legalComments: 'none',
    metafile: true,
    write: false,
  });
  const metafiles = functionNames.map((name) => ({
    path: join(outdir, `${name}.meta.json`),
    contents: Buffer.from(JSON.stringify(metafileOf(name, metafile))),
  }));
  const outputs = [...outputFiles, ...metafiles];
  await Promise.all(outputs.map(({ path, contents }) => replace(path, contents)));
  const read = [...SETTINGS, ...Object.keys(metafile.inputs)].map((path) => join(projectFolder, path));
  const written = outputs.map(({ path }) => path);
  const text = await stampOf({ read, written }, begunMs);
  if (text !== null) await replace(stamp, Buffer.from(text));
  return outdir;
}

function metafileOf(name: FunctionName, all: Metafile): Metafile {
  const outputs = Object.entries(all.outputs).filter(([path]) => path.endsWith(`/${name}/index.mjs`));
  const used = new Set(outputs.flatMap(([, output]) => Object.keys(output.inputs)));
  return {
    inputs: Object.fromEntries(Object.entries(all.inputs).filter(([path]) => used.has(path))),
    outputs: Object.fromEntries(outputs),
  };
}

/**
 * Replaces a file atomically, because another process may be reading it. The temporary file is outside the bundles'
 * folders, because everything in these is deployed.
 */
async function replace(path: string, contents: Uint8Array): Promise<void> {
  const present = await readFile(path).catch(() => undefined);
  if (present?.equals(contents)) return;
  await mkdir(dirname(path), { recursive: true });
  const growing = join(projectFolder, 'dist', `${crypto.randomUUID()}.growing`);
  await writeFile(growing, contents);
  await rename(growing, path);
}
