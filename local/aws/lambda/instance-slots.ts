/** A function, each of whose instances needs a slot. */
export interface SlotUser {
  /** The number of its instances. */
  readonly size: number;
  /** The time since which its longest idle instance has been idle; null if none is idle. */
  readonly idleSince: number | null;
  /** Ends its longest idle instance. */
  endIdle(): void;
  /** Called when a slot is free, after `take` returned false. */
  slotIsFree(): void;
}

/** An instance that has been idle this long is probably not needed soon. */
const LONG_IDLE_MS = 1_000;

/**
 * Limits the instances of all functions together, because each uses about 20 MB. A function that gets no slot waits in a
 * queue, and idle instances of other functions end for it, the longest idle first. For a function without an instance any
 * idle instance ends. For a function with instances, which become free anyway, only long idle ones end.
 *
 * No function waits for another one while it handles a request. So every busy instance answers at some time, and the
 * queue moves on.
 */
export class InstanceSlots {
  readonly #max: number;
  readonly #nowMs: () => number;
  readonly #users = new Set<SlotUser>();
  /** The waiting functions, each once, in the order of their requests. */
  readonly #line: SlotUser[] = [];
  #taken = 0;
  /** The slots of instances that are ending for waiting functions. */
  #ending = 0;

  /** The clock must be the one of `idleSince`. */
  constructor(max: number, nowMs = () => performance.now()) {
    this.#max = max;
    this.#nowMs = nowMs;
  }

  add(user: SlotUser): void {
    this.#users.add(user);
  }

  /** Takes a free slot and returns true. If none is free it returns false, and calls the function's `slotIsFree` later. */
  take(user: SlotUser): boolean {
    if (this.#taken < this.#max) {
      this.#taken += 1;
      return true;
    }
    if (!this.#line.includes(user)) this.#line.push(user);
    this.endIdle();
    return false;
  }

  /** Frees the slot of an instance that has ended. */
  free(): void {
    this.#taken -= 1;
    this.#ending = Math.max(0, this.#ending - 1);
    while (this.#taken < this.#max) {
      const next = this.#line.shift();
      if (!next) return;
      next.slotIsFree();
    }
    this.endIdle();
  }

  /** Ends idle instances, at most as many as there are waiting functions. */
  endIdle(): void {
    while (this.#ending < this.#line.length) {
      let longest: SlotUser | null = null;
      for (const user of this.#users) {
        if (user.idleSince !== null && user.idleSince < (longest?.idleSince ?? Number.POSITIVE_INFINITY)) {
          longest = user;
        }
      }
      if (!longest) return;
      const idleForMs = this.#nowMs() - (longest.idleSince ?? 0);
      if (idleForMs < LONG_IDLE_MS && this.#ending >= this.#starving()) return;
      this.#ending += 1;
      longest.endIdle();
    }
  }

  /**
   * Whether a function must end the instance that has just answered, although it has more requests: if a waiting function
   * has no instance. Functions with several instances give up one first.
   */
  mustYield(user: SlotUser): boolean {
    if (this.#ending >= this.#starving()) return false;
    const mayYield = user.size > 1 || [...this.#users].every(({ size }) => size <= 1);
    if (mayYield) this.#ending += 1;
    return mayYield;
  }

  /** The number of waiting functions without an instance. */
  #starving(): number {
    return this.#line.filter(({ size }) => size === 0).length;
  }
}
