import { readJsonFile, writePrivateFile } from '../../data/private-files.ts';

/** What is handled again after a crash, at the most: a write for each batch would hold up everything else. */
const SAVE_AFTER_MS = 200;

/**
 * How far each event source has handled each shard of the stream. Survives the process; never half written, never
 * ahead.
 */
export class Checkpoints {
  readonly #file: string;
  readonly #positions: Record<string, string>;
  #saving: NodeJS.Timeout | null = null;

  constructor(file: string) {
    this.#file = file;
    this.#positions = readJsonFile<Record<string, string>>(file, 'start once with --fresh') ?? {};
  }

  get(source: string, shardId: string): string | undefined {
    return this.#positions[`${source} ${shardId}`];
  }

  set(source: string, shardId: string, sequenceNumber: string): void {
    this.#positions[`${source} ${shardId}`] = sequenceNumber;
    this.#saving ??= setTimeout(() => this.save(), SAVE_AFTER_MS);
  }

  save(): void {
    if (this.#saving) clearTimeout(this.#saving);
    this.#saving = null;
    writePrivateFile(this.#file, JSON.stringify(this.#positions));
  }
}
