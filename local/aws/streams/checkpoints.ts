import { readJsonFile, writePrivateFile } from '../../data/private-files.ts';

/** The checkpoints of this duration may be lost in a crash: a write for each batch would delay everything else. */
const SAVE_AFTER_MS = 200;

/**
 * The last handled record of each shard, for each event source. It is stored on disk, replaced atomically, and never
 * ahead of what was handled.
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
