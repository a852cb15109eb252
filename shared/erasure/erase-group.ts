import type { GroupId } from '../domain/ids.ts';
import { inParallel } from '../domain/in-parallel.ts';
import type { DoomedPage, GroupItems } from '../ledger/group-items.ts';
import type { Item } from '../ledger/items.ts';
import type { Key } from '../ledger/keys.ts';
import type { Outcome, Share } from './erasure-job.ts';

/** Items read in one step. */
const PAGE = 500;

/** Items deleted at the same time. */
const CONCURRENT_ITEMS = 20;

export interface ErasingGroups {
  readonly groupItems: GroupItems;
}

interface ErasedGroup {
  readonly groupId: GroupId;
  /** The epoch that the deletion has set. What is of a later time stays. */
  readonly begunAtMs: number;
}

/**
 * Deletes the members and messages of a deleted group, in as many steps as there is time for. For callers they are gone since
 * the head has the epoch, so nothing depends on when this is done, and it may be repeated. At first `waits`: a call that read
 * the head before the deletion may still write, and the index of members is a moment behind. The last pass begins when all
 * such calls have ended, so it finds all.
 */
export async function eraseGroup(
  { groupItems }: ErasingGroups,
  { groupId, begunAtMs }: ErasedGroup,
  { hasTime, settledByMs }: Share,
): Promise<Outcome> {
  const isDone =
    (await deleteAll(
      (start) => groupItems.members(groupId, begunAtMs, start, PAGE),
      (key) => groupItems.deleteMember(key, begunAtMs),
      hasTime,
    )) &&
    (await deleteAll(
      (start) => groupItems.messages(groupId, begunAtMs, start, PAGE),
      (key) => groupItems.deleteMessage(key, begunAtMs),
      hasTime,
    ));
  if (!isDone) return 'more';
  return begunAtMs > settledByMs ? 'waits' : 'done';
}

/** Deletes page by page. False if the time was over before the last page. */
async function deleteAll(
  read: (start: Item | null) => Promise<DoomedPage>,
  remove: (key: Key) => Promise<void>,
  hasTime: () => boolean,
): Promise<boolean> {
  let start: Item | null = null;
  do {
    if (!hasTime()) return false;
    const { keys, next }: DoomedPage = await read(start);
    await inParallel(keys, CONCURRENT_ITEMS, remove);
    start = next;
  } while (start);
  return true;
}
