import type { Membership } from '../domain/membership.ts';
import { type Item, interpretItem, type StoredItem } from '../ledger/items.ts';

/** One record of the ledger's stream: an item before and after a write. Each is null if there was no item. */
export interface StreamRecord {
  /** Empty if the record has none: then the record cannot be reported as failed. */
  readonly sequenceNumber: string;
  readonly before: Item | null;
  readonly after: Item | null;
}

/** What a record holds: `was` before the write, `is` after it. `stored` is `is`, or `was` if the item is gone. */
export interface Written {
  readonly sequenceNumber: string;
  readonly was: StoredItem | null;
  readonly is: StoredItem | null;
  readonly stored: StoredItem;
}

/** The membership in an item; null for a departure and for an item of another kind. */
export function membershipIn(stored: StoredItem | null): Membership | null {
  return stored?.kind === 'membership' && stored.state.kind === 'member' ? stored.state : null;
}

/** A record that this service should be able to read, and cannot. */
export interface UnreadableRecord {
  readonly record: StreamRecord;
  readonly reason: string;
}

/** The bounds of one log line. */
const MOST_LOGGED = 10;
const MOST_LOGGED_CHARACTERS = 64;

/**
 * Reads a batch. Leaves out items of an unknown kind: another version of the service wrote them. If only the old
 * image is broken, the record is readable with `was` null: the new image is valid.
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
        was: was?.outcome === 'stored' ? was.stored : null,
        is: is ? latest.stored : null,
        stored: latest.stored,
      });
    }
  }
  logUnknown(unknownKinds);
  logBrokenBefore(brokenBefore);
  return { readable, unreadable };
}

/** Logs one line for a batch, since a newer version may write many such items. */
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
    message: 'old images are broken; new ones are used',
    count: reasons.length,
    reasons: reasons.slice(0, MOST_LOGGED),
  });
}
