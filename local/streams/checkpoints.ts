import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';

/** How far each shard of the stream has been handled. Survives the process; never half written. */
export class Checkpoints {
  readonly #file: string;
  readonly #positions: Record<string, string>;

  constructor(file: string) {
    this.#file = file;
    this.#positions = existsSync(file)
      ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, string>)
      : {};
  }

  get(shardId: string): string | undefined {
    return this.#positions[shardId];
  }

  set(shardId: string, sequenceNumber: string): void {
    this.#positions[shardId] = sequenceNumber;
    writeFileSync(`${this.#file}.new`, JSON.stringify(this.#positions));
    renameSync(`${this.#file}.new`, this.#file);
  }
}
