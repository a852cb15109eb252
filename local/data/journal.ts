import { appendFileSync, closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { UsageError } from '../command/usage-error.ts';
import { writePrivateFile } from './private-files.ts';

/** More entries than this are forgotten at the next start, the oldest first. */
const KEPT_ENTRIES = 10_000;

/** A list that survives the process: each entry is on disk, as far as the kernel, before `append` returns. */
export class Journal<T> {
  readonly #entries: T[];
  readonly #descriptor: number;

  constructor(file: string) {
    this.#entries = existsSync(file) ? readEntries<T>(file).slice(-KEPT_ENTRIES) : [];
    // Written anew, so that half a line at the end of a killed run does not spoil the next one.
    writePrivateFile(file, this.#entries.map(lineOf).join(''));
    this.#descriptor = openSync(file, 'a');
  }

  get entries(): readonly T[] {
    return this.#entries;
  }

  append(entry: T): void {
    appendFileSync(this.#descriptor, lineOf(entry));
    this.#entries.push(entry);
    if (this.#entries.length > 2 * KEPT_ENTRIES) this.#entries.splice(0, KEPT_ENTRIES);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

function readEntries<T>(file: string): T[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line, index, lines) => {
      if (line === '') return [];
      try {
        return [JSON.parse(line) as T];
      } catch (error) {
        if (index === lines.length - 1) return [];
        throw new UsageError(`${file} is half written; start once with --fresh.`, { cause: error });
      }
    });
}

const lineOf = (entry: unknown): string => `${JSON.stringify(entry)}\n`;
