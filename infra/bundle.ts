import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BuildOptions, build, type Metafile } from 'esbuild';
import { type EndpointFunctionName, endpoints } from '../shared/contract/endpoints.ts';

const projectFolder = fileURLToPath(new URL('..', import.meta.url));

/** The Lambdas that no route of the HTTP API leads to: the stream, the bus, a queue or the WebSocket API invokes them. */
const consumerNames = [
  'apply-facts',
  'project-ledger',
  'publish-events',
  'notify',
  'deliver-webhook',
  'authorize-connection',
  'open-connection',
  'close-connection',
  'answer-frame',
  'push-frames',
] as const;

/** Every Lambda: its file in `functions/`, its bundle's folder and the end of its deployed name. */
export type FunctionName = EndpointFunctionName | (typeof consumerNames)[number];

export const functionNames: readonly FunctionName[] = [
  ...new Set(endpoints.map(({ servedBy }) => servedBy)),
  ...consumerNames,
];

/** What makes the bundles small, and quick to start. */
export const LEAN = {
  // Packages offer their ES modules under `module`: unlike CommonJS, esbuild can leave out what is not used.
  mainFields: ['module', 'main'],
  alias: { '@aws-sdk/credential-provider-node': './functions/runtime/lambda-credentials.ts' },
} satisfies BuildOptions;

/** Bundles of every function that Lambda can run, made without further care. */
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
    // An ES module has no `require`, which the CommonJS packages among the dependencies call for Node's own modules.
    banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
    logLevel: 'error',
  } satisfies BuildOptions;
}

/**
 * Bundles every function into `dist/functions/<name>/index.mjs`, with `<name>.meta.json` beside the folder to tell
 * what went in. One call of esbuild for all, since starting it and reading the SDK is most of the work.
 *
 * @returns the folder that holds the bundles' folders
 */
export async function bundleFunctions(): Promise<string> {
  const outdir = join(projectFolder, 'dist', 'functions');
  const { outputFiles, metafile } = await build({
    ...plainBundles(outdir),
    ...LEAN,
    legalComments: 'none',
    metafile: true,
    write: false,
  });
  await Promise.all([
    ...outputFiles.map(({ path, contents }) => replace(path, contents)),
    ...functionNames.map((name) =>
      replace(join(outdir, `${name}.meta.json`), Buffer.from(JSON.stringify(metafileOf(name, metafile)))),
    ),
  ]);
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
 * Never leaves half a file to be seen, because another process may be reading the bundles at this moment. The new file
 * grows outside of the bundles' folders, whose whole contents are what gets deployed.
 */
async function replace(path: string, contents: Uint8Array): Promise<void> {
  const present = await readFile(path).catch(() => undefined);
  if (present?.equals(contents)) return;
  await mkdir(dirname(path), { recursive: true });
  const growing = join(projectFolder, 'dist', `${crypto.randomUUID()}.growing`);
  await writeFile(growing, contents);
  await rename(growing, path);
}
