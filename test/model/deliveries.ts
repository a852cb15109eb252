import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '../support/engines.ts';

/** The local bus's record of the events that reached a rule's target. It shows that a fact has arrived. */
export class Deliveries {
  readonly #file: FileHandle;
  readonly #delivered = new Set<string>();
  #offset = 0;
  #rest = '';
  #reading = Promise.resolve();

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  static async open(dataDirectory: string): Promise<Deliveries> {
    return new Deliveries(await open(join(dataDirectory, 'deliveries.jsonl'), 'r'));
  }

  /** Resolves when all these events have reached their target. */
  async wait(eventIds: readonly string[], deadlineMs: number): Promise<void> {
    await eventually(
      async () => {
        await this.#readOn();
        const missing = eventIds.filter((eventId) => !this.#delivered.has(eventId));
        if (missing.length > 0) throw new Error(`${missing.length} facts were not delivered`);
      },
      { deadlineMs },
    );
    for (const eventId of eventIds) this.#delivered.delete(eventId);
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  /** Only one read at a time. */
  #readOn(): Promise<void> {
    this.#reading = this.#reading.then(() => this.#read());
    return this.#reading;
  }

  async #read(): Promise<void> {
    const chunk = Buffer.alloc(65_536);
    for (;;) {
      const { bytesRead } = await this.#file.read(chunk, 0, chunk.length, this.#offset);
      if (bytesRead === 0) return;
      this.#offset += bytesRead;
      const lines = (this.#rest + chunk.toString('utf8', 0, bytesRead)).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) this.#delivered.add((JSON.parse(line) as { eventId: string }).eventId);
    }
  }
}
