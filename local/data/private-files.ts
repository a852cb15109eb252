import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { UsageError } from '../command/usage-error.ts';

/** Only the user may read the files of the local stack: they have keys, tokens and the data of events. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

export function makePrivateDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: DIRECTORY_MODE });
}

/** Replaces a file atomically: if the process is killed before the end, the old file is still there. */
export function writePrivateFile(file: string, text: string): void {
  withTemporaryFile(file, text, (temporary) => renameSync(temporary, file));
}

/** Creates a file atomically. Keeps the existing file if another process has created it. */
export function createPrivateFile(file: string, text: string): void {
  withTemporaryFile(file, text, (temporary) => {
    try {
      linkSync(temporary, file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  });
}

const TEMPORARY = '.new';

/** The name of the file that a temporary file replaces; undefined if the file is not temporary. */
export function targetOfTemporary(name: string): string | undefined {
  return new RegExp(`^(.+?)(?:\\.[0-9a-f-]+)?\\${TEMPORARY}$`).exec(name)?.[1];
}

function withTemporaryFile(file: string, text: string, use: (temporary: string) => void): void {
  makePrivateDirectory(dirname(file));
  // A unique name: two processes may write the same file, and an old temporary file may be readable by others.
  const temporary = `${file}.${randomUUID()}${TEMPORARY}`;
  try {
    writeFileSync(temporary, text, { mode: FILE_MODE, flag: 'wx' });
    use(temporary);
  } finally {
    rmSync(temporary, { force: true });
  }
}

/**
 * Reads the JSON of a file; null if there is no such file. Throws a UsageError with the remedy if the file is incomplete:
 * older versions wrote some files in place, so a kill could interrupt the write.
 */
export function readJsonFile<T>(file: string, remedy: string): T | null {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    throw new UsageError(`${file} is half written; ${remedy}.`, { cause: error });
  }
}

/** Makes a file private, or a folder and everything in it. */
export function closeToOthers(path: string): void {
  const stats = lstatSync(path);
  if (stats.isDirectory()) {
    chmodSync(path, DIRECTORY_MODE);
    for (const name of readdirSync(path)) closeToOthers(join(path, name));
  } else if (stats.isFile()) {
    chmodSync(path, FILE_MODE);
  }
}
