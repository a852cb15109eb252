import { type Fact, type Item, readItem } from '../ledger/items.ts';

/** One record of the ledger's stream: an item before and after a write, either absent where there was none. */
export interface StreamRecord {
  readonly sequenceNumber: string;
  readonly before: Item | null;
  readonly after: Item | null;
}

/** What a record says of one item: `fact` is how it is now, or how it was where it is no more. */
export interface Written {
  readonly sequenceNumber: string;
  readonly was: Fact | null;
  readonly is: Fact | null;
  readonly fact: Fact;
}

/** Reads a batch, and names the records that hold no item of the ledger. */
export function readAll(records: readonly StreamRecord[]): { readable: Written[]; unreadable: string[] } {
  const readable: Written[] = [];
  const unreadable: string[] = [];
  for (const record of records) {
    try {
      readable.push(read(record));
    } catch (error) {
      const { sequenceNumber } = record;
      console.error({ message: 'a record of the stream cannot be read', sequenceNumber, error });
      unreadable.push(sequenceNumber);
    }
  }
  return { readable, unreadable };
}

function read({ sequenceNumber, before, after }: StreamRecord): Written {
  const [was, is] = [before && readItem(before), after && readItem(after)];
  const fact = is ?? was;
  if (!fact) throw new Error('a record of the stream holds no item');
  return { sequenceNumber, was, is, fact };
}
