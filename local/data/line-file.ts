import { appendFileSync, closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { UsageError } from '../command/usage-error.ts';
import { writePrivateFile } from './private-files.ts';

/**
 * A private file with a JSON value on each line. `append` and `replace` return after the kernel has the lines, so they
 * survive the end of the process.
 */
export class LineFile<T> {
  readonly #file: string;
  #descriptor: number;

  /**
   * Opens the file, and keeps only the lines that `keep` returns.
   *
   * @throws UsageError if a line before the last one is incomplete
   */
  constructor(file: string, keep: (lines: readonly T[]) => readonly T[]) {
    this.#file = file;
    // Writes the whole file: a killed run may leave half a line at the end, and an appended line would continue it.
    this.#descriptor = this.#write(keep(existsSync(file) ? readLines<T>(file) : []));
  }

  append(line: T): void {
    appendFileSync(this.#descriptor, textOf(line));
  }

  /** Replaces all lines. */
  replace(lines: readonly T[]): void {
    closeSync(this.#descriptor);
    this.#descriptor = this.#write(lines);
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #write(lines: readonly T[]): number {
    writePrivateFile(this.#file, lines.map(textOf).join(''));
    return openSync(this.#file, 'a');
  }
}

/** Skips half a line at the end, which a killed run may leave: it was never acknowledged. */
function readLines<T>(file: string): T[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  return lines.flatMap((line, index) => {
    if (line === '') return [];
    try {
      return [JSON.parse(line) as T];
    } catch (error) {
      if (index === lines.length - 1) return [];
      throw new UsageError(`${file} is half written; start once with --fresh.`, { cause: error });
    }
  });
}

const textOf = (line: unknown): string => `${JSON.stringify(line)}\n`;
