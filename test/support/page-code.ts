import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

/** The code of a page of docs/, as files that can be run. */
export interface PageCode {
  /** Loads a block by the file name that stands behind its language: ```js name.mjs */
  load<T>(fileName: string): Promise<T>;
  remove(): Promise<void>;
}

/** Writes every named block of a page into a directory of its own, beside the project's packages. */
export async function codeOf(page: string): Promise<PageCode> {
  const markdown = await readFile(join(PROJECT, 'docs', page), 'utf8');
  const directory = await mkdtemp(join(tmpdir(), 'tidemark-page-'));
  await symlink(join(PROJECT, 'node_modules'), join(directory, 'node_modules'));
  for (const [, name = '', code = ''] of markdown.matchAll(/^```js (\S+\.mjs)\n(.*?)^```$/gms)) {
    await writeFile(join(directory, name), code);
  }
  return {
    load: (fileName) => import(pathToFileURL(join(directory, fileName)).href),
    remove: () => rm(directory, { recursive: true }),
  };
}
