import { type Item, interpretItem, type StoredItem, UnreadableItem } from './items.ts';

/**
 * Collects the unreadable items of one call that reads several. They are left out of the result, so that one broken
 * item does not hide the others. Items of a kind that only another version knows are among them.
 */
export class PassedOver {
  #count = 0;
  #first: string | null = null;
  #isBroken = false;

  /** Returns what the item holds if it can be read and is of this kind; otherwise notes the item and returns null. */
  read<Kind extends StoredItem['kind']>(
    item: Item,
    kind: Kind,
  ): Extract<StoredItem, { readonly kind: Kind }> | null {
    const read = interpretItem(item);
    if (read.outcome === 'stored' && isOf(read.stored, kind)) return read.stored;
    if (read.outcome === 'broken') this.note(new UnreadableItem(read.reason));
    else this.#add(`an item of the ledger is no ${kind}: ${item.PK?.S} ${item.SK?.S}`);
    return null;
  }

  note({ message }: UnreadableItem): void {
    this.#isBroken = true;
    this.#add(message);
  }

  /** Logs one line for all of them. It is short: DynamoDB limits the length of the key in it. */
  log(): void {
    if (this.#count === 0) return;
    console[this.#isBroken ? 'error' : 'info']({
      message: 'items of the ledger that cannot be read were passed over',
      count: this.#count,
      first: this.#first,
    });
  }

  #add(reason: string): void {
    this.#count += 1;
    this.#first ??= reason;
  }
}

/** Returns the result of `read`, and logs the items that it left out. */
export async function passingOver<T>(read: (passedOver: PassedOver) => Promise<T>): Promise<T> {
  const passedOver = new PassedOver();
  try {
    return await read(passedOver);
  } finally {
    passedOver.log();
  }
}

function isOf<Kind extends StoredItem['kind']>(
  stored: StoredItem,
  kind: Kind,
): stored is Extract<StoredItem, { readonly kind: Kind }> {
  return stored.kind === kind;
}
