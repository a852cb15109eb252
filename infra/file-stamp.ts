import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import * as v from 'valibot';

const Stamp = v.object({ files: v.array(v.string()), digest: v.string() });

/**
 * The text of the stamp of a step that began at a time: it holds until the content of one of these files changes, or one of
 * them is gone. Null if a file was changed after the step began to read: then nobody knows which content the step has read.
 */
export async function stampOf(
  { read, written }: { readonly read: readonly string[]; readonly written: readonly string[] },
  begunMs: number,
): Promise<string | null> {
  const files = [...read, ...written];
  const digest = await digestOf(files);
  const states = await Promise.all(read.map((file) => stat(file)));
  if (states.some(({ mtimeMs }) => mtimeMs >= begunMs)) return null;
  return JSON.stringify({ files, digest });
}

/**
 * Whether the stamp is of all these files, among others, and none of its files has changed since. False if there is no stamp, or
 * if it cannot be read.
 */
export async function isStampTrue(path: string, needed: readonly string[]): Promise<boolean> {
  try {
    const { files, digest } = v.parse(Stamp, JSON.parse(await readFile(path, 'utf8')));
    const isOfAll = needed.every((file) => files.includes(file));
    return isOfAll && digest === (await digestOf(files));
  } catch {
    return false;
  }
}

/** @throws if one of the files cannot be read */
async function digestOf(files: readonly string[]): Promise<string> {
  const contents = await Promise.all(files.map((file) => readFile(file)));
  const all = createHash('sha256');
  for (const content of contents) all.update(createHash('sha256').update(content).digest());
  return all.digest('hex');
}
