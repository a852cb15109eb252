import { execFile } from 'node:child_process';
import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type BuildOptions, build } from 'esbuild';

const ENTRIES = ['index', 'ids', 'reading', 'react', 'service'];

/**
 * Names that only the client's own modules use among themselves, shortened in the package: an app's bundler cannot know that
 * it may shorten them. None of them may be the name of an option, or of a field of an answer or frame.
 */
const OWN_NAMES = [
  ...['takeStaleGroups', 'staleReceipts', 'setConnection', 'mergeViews', 'removeViews', 'mergePreferences'],
  ...['watchReceipt', 'mergeReceipts', 'groupIds', 'expire', 'stamp', 'note', 'see'],
  ...['view', 'isStale', 'noted', 'isNew', 'isMention', 'loud', 'seen', 'receipt', 'watchers'],
  ...['store', 'outbox', 'write', 'restore', 'viewChanged', 'start', 'stop', 'check', 'recheck', 'need'],
  ...['transmit', 'end', 'onFrame', 'onOpen', 'onLost'],
];

const here = fileURLToPath(new URL('.', import.meta.url));
const dist = join(here, 'dist');

/**
 * One file for each entry, and one for what entries share: a TidemarkError of each is the same class. They are not minified:
 * the bundler of the app does that.
 */
const bundles: BuildOptions = {
  absWorkingDir: here,
  entryPoints: ENTRIES.map((name) => `src/${name}.ts`),
  outdir: dist,
  bundle: true,
  splitting: true,
  mangleProps: new RegExp(`^(${OWN_NAMES.join('|')})$`),
  packages: 'external',
  format: 'esm',
  target: 'es2022',
  logLevel: 'error',
};

/** Writes the declarations that the entries need, with imports that a project without TypeScript sources resolves. */
async function writeDeclarations(): Promise<void> {
  const all = join(dist, 'all');
  const emit = ['--noEmit', 'false', '--declaration', '--emitDeclarationOnly', '--outDir', all];
  await promisify(execFile)('tsc', ['--project', 'tsconfig.json', ...emit], { cwd: here });
  const names = [...ENTRIES];
  for (const name of names) {
    const text = await readFile(join(all, `${name}.d.ts`), 'utf8');
    for (const [, path = ''] of text.matchAll(/from '\.\/([\w-]+)\.ts'/g)) {
      if (!names.includes(path)) names.push(path);
    }
    await writeFile(join(dist, `${name}.d.ts`), text.replace(/(from '\.\/[\w-]+)\.ts'/g, "$1.js'"));
  }
  await rm(all, { recursive: true });
}

await rm(dist, { recursive: true, force: true });
await mkdir(dist);
await Promise.all([
  build(bundles),
  writeDeclarations(),
  copyFile(join(here, '..', 'LICENSE'), join(dist, 'LICENSE')),
]);
