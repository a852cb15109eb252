import { type Fact, type Item, interpretItem, UnreadableItem } from './items.ts';

/**
 * The items of one call of several that could not be read. They are passed over, so that one broken item takes the
 * others from nobody. An item of a kind that another version of the service keeps is among them.
 */
export class PassedOver {
  #count = 0;
  #first: string | null = null;
  #isBroken = false;

  /** What an item says, where it can be read and is of this kind. */
  read<Kind extends Fact['kind']>(item: Item, kind: Kind): Extract<Fact, { readonly kind: Kind }> | null {
    const read = interpretItem(item);
    if (read.outcome === 'fact' && isOf(read.fact, kind)) return read.fact;
    if (read.outcome === 'broken') this.note(new UnreadableItem(read.reason));
    else this.#add(`an item of the ledger is no ${kind}: ${item.PK?.S} ${item.SK?.S}`);
    return null;
  }

  note({ message }: UnreadableItem): void {
    this.#isBroken = true;
    this.#add(message);
  }

  /** One line, however many there are. DynamoDB bounds the key in it. */
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

/** What `read` returns. What it has passed over is logged. */
export async function passingOver<T>(read: (passedOver: PassedOver) => Promise<T>): Promise<T> {
  const passedOver = new PassedOver();
  try {
    return await read(passedOver);
  } finally {
    passedOver.log();
  }
}

function isOf<Kind extends Fact['kind']>(
  fact: Fact,
  kind: Kind,
): fact is Extract<Fact, { readonly kind: Kind }> {
  return fact.kind === kind;
}
