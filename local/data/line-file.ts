import { appendFileSync, closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { UsageError } from '../command/usage-error.ts';
import { writePrivateFile } from './private-files.ts';

/**
 * A private file with a value in JSON on each line. What `append` and `replace` write is on disk, as far as the kernel,
 * before they return.
 */
export class LineFile<T> {
  readonly #file: string;
  #descriptor: number;

  /**
   * Opens the file with the lines that `keep` returns of those it has.
   *
   * @throws UsageError where a line before the last one is cut off
   */
  constructor(file: string, keep: (lines: readonly T[]) => readonly T[]) {
    this.#file = file;
    // Written again as a whole: half a line, which a killed run may leave at the end, would spoil the next one.
    this.#descriptor = this.#write(keep(existsSync(file) ? readLines<T>(file) : []));
  }

  append(line: T): void {
    appendFileSync(this.#descriptor, textOf(line));
  }

  /** Writes the file again with these lines and no others. */
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

/** What a killed run left half written at the end was never acknowledged. */
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
