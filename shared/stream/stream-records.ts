import { type Fact, type Item, interpretItem } from '../ledger/items.ts';

/** One record of the ledger's stream: an item before and after a write, either absent where there was none. */
export interface StreamRecord {
  /** Empty where the record has none: then it cannot be reported as failed by itself. */
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

/** A record that says nothing this service understands, and should. */
export interface UnreadableRecord {
  readonly record: StreamRecord;
  readonly reason: string;
}

/** No more than these stand in one line of the log, however many there are. */
const MOST_LOGGED = 10;
const MOST_LOGGED_CHARACTERS = 64;

/**
 * Reads a batch. An item of an unknown kind is passed over: another version of the service wrote it. Where only the
 * old image is broken, it counts as unknown: what the item says now holds all the same.
 */
export function readAll(records: readonly StreamRecord[]): {
  readonly readable: Written[];
  readonly unreadable: UnreadableRecord[];
} {
  const readable: Written[] = [];
  const unreadable: UnreadableRecord[] = [];
  const unknownKinds: string[] = [];
  const brokenBefore: string[] = [];
  for (const record of records) {
    const { sequenceNumber } = record;
    const was = record.before && interpretItem(record.before);
    const is = record.after && interpretItem(record.after);
    const latest = is ?? was;
    if (!sequenceNumber) unreadable.push({ record, reason: 'a record of the stream has no sequence number' });
    else if (!latest) unreadable.push({ record, reason: 'a record of the stream holds no item' });
    else if (latest.outcome === 'broken') unreadable.push({ record, reason: latest.reason });
    else if (latest.outcome === 'unknown') unknownKinds.push(latest.kind ?? '');
    else {
      if (is && was?.outcome === 'broken') brokenBefore.push(was.reason);
      readable.push({
        sequenceNumber,
        was: was?.outcome === 'fact' ? was.fact : null,
        is: is ? latest.fact : null,
        fact: latest.fact,
      });
    }
  }
  logUnknown(unknownKinds);
  logBrokenBefore(brokenBefore);
  return { readable, unreadable };
}

/** One line for a batch, since a newer version may write many of them. */
function logUnknown(kinds: readonly string[]): void {
  if (kinds.length === 0) return;
  const counts = Map.groupBy(kinds, (kind) => kind.slice(0, MOST_LOGGED_CHARACTERS));
  console.info({
    message: 'items of unknown kinds were passed over',
    count: kinds.length,
    kinds: [...counts].slice(0, MOST_LOGGED).map(([kind, { length }]) => ({ kind, count: length })),
  });
}

function logBrokenBefore(reasons: readonly string[]): void {
  if (reasons.length === 0) return;
  console.error({
    message: 'how items were before could not be read; what they are now is carried on',
    count: reasons.length,
    reasons: reasons.slice(0, MOST_LOGGED),
  });
}
