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

/** Nobody but the user may read what the local stack keeps: it holds keys, tokens and what people say. */
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

export function makePrivateDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: DIRECTORY_MODE });
}

/** Replaces a file as a whole: after a kill in between, the file before is still there. */
export function writePrivateFile(file: string, text: string): void {
  withTemporaryFile(file, text, (temporary) => renameSync(temporary, file));
}

/** Makes a file as a whole, and leaves it alone where another process has made it meanwhile. */
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

/** The name of the file that a temporary one was to become; undefined for any other file. */
export function targetOfTemporary(name: string): string | undefined {
  return new RegExp(`^(.+?)(?:\\.[0-9a-f-]+)?\\${TEMPORARY}$`).exec(name)?.[1];
}

function withTemporaryFile(file: string, text: string, use: (temporary: string) => void): void {
  makePrivateDirectory(dirname(file));
  // A name of its own, since two processes may write the same file, and a file left behind may be open to others.
  const temporary = `${file}.${randomUUID()}${TEMPORARY}`;
  try {
    writeFileSync(temporary, text, { mode: FILE_MODE, flag: 'wx' });
    use(temporary);
  } finally {
    rmSync(temporary, { force: true });
  }
}

/**
 * The JSON of a file; null where there is no such file. Throws a UsageError with the remedy where the file is half
 * written: older versions wrote some files in place, and a kill cut them off.
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

/** Takes every right of others from a file, or from a folder and all that it holds. */
export function closeToOthers(path: string): void {
  const stats = lstatSync(path);
  if (stats.isDirectory()) {
    chmodSync(path, DIRECTORY_MODE);
    for (const name of readdirSync(path)) closeToOthers(join(path, name));
  } else if (stats.isFile()) {
    chmodSync(path, FILE_MODE);
  }
}
