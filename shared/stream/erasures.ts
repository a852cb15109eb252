import type { TidemarkEvent } from '../contract/event.ts';
import type { Erasure } from '../domain/erasure.ts';
import { loggedError } from '../domain/logged-error.ts';
import type { StoredItem } from '../ledger/items.ts';
import { erasureKey, type Key } from '../ledger/keys.ts';
import type { RecentRecords } from './recent-records.ts';
import type { Written } from './stream-records.ts';

/** Starts the work of an erasure. */
export interface ErasureStarts {
  /** Starts it with the key of its item. May be repeated. Throws if that fails. */
  start(key: Key): Promise<void>;
  /** Records whose erasures this instance has started. A repeated batch does not start them again. */
  readonly started: RecentRecords;
}

/** A record of the stream about an erasure. */
export type ErasureRecord = Written & { readonly stored: Extract<StoredItem, { readonly kind: 'erasure' }> };

/** Sorts the records of erasures out of those of the read state. */
export function sortErasures(records: readonly Written[]) {
  return {
    ofErasures: records.filter((record): record is ErasureRecord => record.stored.kind === 'erasure'),
    ofReadState: records.filter((record): record is ReadStateRecord => record.stored.kind !== 'erasure'),
  };
}

/** A record of the stream about the read state of a group. */
export type ReadStateRecord = Written & {
  readonly stored: Exclude<StoredItem, { readonly kind: 'erasure' }>;
};

/**
 * Starts the work of each erasure that began, or began again, in these records. The caller of the route has its answer as soon
 * as the ledger has the erasure: this is why nothing else starts the work. Resolves to the sequence numbers of the
 * records that failed.
 */
export async function startErasures(
  starts: ErasureStarts,
  records: readonly ErasureRecord[],
): Promise<string[]> {
  const failed: string[] = [];
  for (const { sequenceNumber, was, is } of records) {
    const begun = erasureIn(is);
    if (!begun || begun.begunAtMs === erasureIn(was)?.begunAtMs || starts.started.has(sequenceNumber))
      continue;
    try {
      await starts.start(erasureKey(begun.subject));
      starts.started.add(sequenceNumber);
    } catch (error) {
      console.error({ message: 'an erasure could not be started', error: loggedError(error) });
      failed.push(sequenceNumber);
    }
  }
  return failed;
}

/** The event of an erasure that ended in a record; null if it did not end there. */
export function endOf({ is, stored }: ErasureRecord): TidemarkEvent | null {
  if (is !== null) return null;
  const { subject } = stored.erasure;
  return subject.kind === 'user'
    ? { type: 'UserErased', userId: subject.userId }
    : { type: 'GroupDeleted', groupId: subject.groupId };
}

function erasureIn(stored: StoredItem | null): Erasure | null {
  return stored?.kind === 'erasure' ? stored.erasure : null;
}
