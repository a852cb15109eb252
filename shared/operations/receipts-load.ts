import { randomUUID } from 'node:crypto';
import { type Change, memberChanges } from '../cache/group-cache.ts';
import type { GroupId } from '../domain/ids.ts';
import { START } from '../domain/position.ts';
import { loadWindow } from './message-window.ts';
import type { Stores } from './stores.ts';

/** Members read from the ledger and told to the cache at once: what the cache takes well within its time. */
const CHUNK = 500;

/** Longer than a chunk takes. Whoever has not told of one for so long is believed dead. */
const LEASE_MS = 5_000;

/**
 * Loads the receipts of a group into the cache, unless another one is at it, and with them the messages where they
 * are missing. Marks, joins and departures go on: from the claim on the cache indexes what is merged beside the load.
 * A load that was given up is continued.
 *
 * @returns 'loaded' once this call has brought everything there was, 'unavailable' where the cache does not answer
 */
export async function loadIndex(
  stores: Stores,
  groupId: GroupId,
  isWindowMissing: boolean,
): Promise<'indexed' | 'loading' | 'loaded' | 'unavailable'> {
  const { cache, ledger, nowMs } = stores;
  const claim = await cache.receipts.claim(groupId, randomUUID(), nowMs(), nowMs() + LEASE_MS);
  if (!claim) return 'unavailable';
  if (claim.outcome !== 'claimed') return claim.outcome;
  const { token } = claim;
  // By the same one, so that those who wait for the members find the messages as well.
  const window = isWindowMissing ? await loadWindow(stores, groupId, START) : [];
  // The list of members that follows may be a moment behind.
  const recent = await ledger.memberships.readMany(claim.recent, groupId);
  if (!window || !(await tell(stores, groupId, [...window, ...memberChanges(recent)]))) return 'unavailable';
  let after = claim.after;
  do {
    const { members, next } = await ledger.memberships.page(groupId, CHUNK, after);
    const isTold = await tell(stores, groupId, [
      ...memberChanges(members.map(({ userId, membership }) => [userId, membership])),
      next
        ? { kind: 'index', token, leaseEndMs: nowMs() + LEASE_MS, lastUserId: next }
        : { kind: 'indexed', token },
    ]);
    if (!isTold) return 'unavailable';
    after = next;
  } while (after);
  return 'loaded';
}

/** Told a second time where that failed: one slow answer should not leave everybody to the ledger. */
async function tell({ cache }: Stores, groupId: GroupId, changes: readonly Change[]): Promise<boolean> {
  if (changes.length === 0) return true;
  return (await cache.merge(groupId, changes)) || (await cache.merge(groupId, changes));
}
