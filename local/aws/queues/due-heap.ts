interface Entry<T> {
  readonly dueMs: number;
  /** For equal times, the value that was added first comes first. */
  readonly order: number;
  readonly value: T;
}

/** Values ordered by the time when they are due, the earliest first. */
export class DueHeap<T> {
  readonly #entries: Entry<T>[] = [];
  #added = 0;

  get nextDueMs(): number | null {
    return this.#entries[0]?.dueMs ?? null;
  }

  add(dueMs: number, value: T): void {
    const entry = { dueMs, order: this.#added, value };
    this.#added += 1;
    let index = this.#entries.push(entry) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#swapIfEarlier(index, parent)) return;
      index = parent;
    }
  }

  /** Removes and returns the earliest value that is due; undefined if none is. */
  take(nowMs: number): T | undefined {
    const first = this.#entries[0];
    if (!first || first.dueMs > nowMs) return undefined;
    const last = this.#entries.pop();
    if (last && last !== first) {
      this.#entries[0] = last;
      this.#sink();
    }
    return first.value;
  }

  #sink(): void {
    let index = 0;
    for (;;) {
      const [left, right] = [2 * index + 1, 2 * index + 2];
      const child = this.#isEarlier(right, left) ? right : left;
      if (!this.#swapIfEarlier(child, index)) return;
      index = child;
    }
  }

  #swapIfEarlier(child: number, parent: number): boolean {
    const [below, above] = [this.#entries[child], this.#entries[parent]];
    if (!below || !above || !this.#isEarlier(child, parent)) return false;
    this.#entries[child] = above;
    this.#entries[parent] = below;
    return true;
  }

  #isEarlier(index: number, other: number): boolean {
    const [one, two] = [this.#entries[index], this.#entries[other]];
    if (!one || !two) return false;
    return one.dueMs < two.dueMs || (one.dueMs === two.dueMs && one.order < two.order);
  }
}
