import { LineFile } from './line-file.ts';

/** The next start keeps only this many of the newest entries. */
const KEPT_ENTRIES = 10_000;

/** A list on disk. An entry is on disk before `append` returns. */
export class Journal<T> {
  readonly #file: LineFile<T>;
  #entries: T[] = [];

  constructor(file: string) {
    this.#file = new LineFile(file, (lines) => {
      this.#entries = lines.slice(-KEPT_ENTRIES);
      return this.#entries;
    });
  }

  get entries(): readonly T[] {
    return this.#entries;
  }

  append(entry: T): void {
    this.#file.append(entry);
    this.#entries.push(entry);
    if (this.#entries.length > 2 * KEPT_ENTRIES) this.#entries.splice(0, KEPT_ENTRIES);
  }

  close(): void {
    this.#file.close();
  }
}
