/** The sequence numbers of the latest records, at most `capacity` of them. */
export class RecentRecords {
  readonly #seen = new Set<string>();
  readonly #capacity: number;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  has(sequenceNumber: string): boolean {
    return this.#seen.has(sequenceNumber);
  }

  add(sequenceNumber: string): void {
    this.#seen.add(sequenceNumber);
    const [oldest] = this.#seen;
    if (this.#seen.size > this.#capacity && oldest !== undefined) this.#seen.delete(oldest);
  }
}
