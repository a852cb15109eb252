/** A function whose instances take slots. */
export interface SlotUser {
  /** How many instances it has. */
  readonly size: number;
  /** Since when its longest idle instance has been idle; null where none is. */
  readonly idleSince: number | null;
  /** Ends its longest idle instance. */
  endIdle(): void;
  /** Called once a slot is free after it got none: it may take one now. */
  slotIsFree(): void;
}

/** An instance that was idle for this long is not about to be needed again. */
const LONG_IDLE_MS = 1_000;

/**
 * Bounds the instances of all functions together, since each holds some 20 MB. A function that gets no slot waits in
 * line, and idle instances of others end for it, those that have been idle for longest first: any of them for a
 * function that has no instance, and only long idle ones for a function whose own instances come free anyway.
 *
 * No function waits for another one while it handles a request. So every busy instance answers at some time, and the
 * line moves on.
 */
export class InstanceSlots {
  readonly #max: number;
  readonly #nowMs: () => number;
  readonly #users = new Set<SlotUser>();
  /** Each function once, in the order in which they asked. */
  readonly #line: SlotUser[] = [];
  #taken = 0;
  /** Slots of instances that are being ended for the line. */
  #ending = 0;

  /** The clock is that of `idleSince`. */
  constructor(max: number, nowMs = () => performance.now()) {
    this.#max = max;
    this.#nowMs = nowMs;
  }

  add(user: SlotUser): void {
    this.#users.add(user);
  }

  /** Takes a slot and returns true where one is free. Where none is, it calls the function's `slotIsFree` later. */
  take(user: SlotUser): boolean {
    if (this.#taken < this.#max) {
      this.#taken += 1;
      return true;
    }
    if (!this.#line.includes(user)) this.#line.push(user);
    this.endIdle();
    return false;
  }

  /** The instance that had the slot has ended. */
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

  /** Ends idle instances, at most as many as there are functions in line. */
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
   * Whether a function has to end the instance that has just answered, though it has more to do: where one in line has
   * no instance at all. Those with several give up one first.
   */
  mustYield(user: SlotUser): boolean {
    if (this.#ending >= this.#starving()) return false;
    const mayYield = user.size > 1 || [...this.#users].every(({ size }) => size <= 1);
    if (mayYield) this.#ending += 1;
    return mayYield;
  }

  /** How many functions in line have no instance at all. */
  #starving(): number {
    return this.#line.filter(({ size }) => size === 0).length;
  }
}
