import { randomUUID } from 'node:crypto';
import * as change from '../cache/changes.ts';
import type { GroupId } from '../domain/ids.ts';
import { START } from '../domain/position.ts';
import { loadWindow } from './message-window.ts';
import type { Tidemark } from './tidemark.ts';

/** Members read from the ledger and merged in one call: few enough for the cache to merge well within its timeout. */
const CHUNK = 500;

/** Longer than one chunk takes. A loader that merges nothing for this long has lost its claim. */
const LEASE_MS = 5_000;

/**
 * Loads the receipts of a group into the cache, and its messages if they are missing. Marks, joins and departures go
 * on at the same time.
 *
 *     loader                  cache                                       ledger
 *     1 claim      ─────────▶ one loader gets the claim and a lease;
 *                             from now on every merged member is indexed
 *     2 window     ─────────▶ messages, if missing (see message-window.ts)
 *     3 recent     ──────────────────────────────────────────────────────▶ members who joined a moment ago, whom
 *                  ─────────▶ indexes them                                  the list of step 4 may lack
 *     4 page       ──────────────────────────────────────────────────────▶ the next members, by user id
 *                  ─────────▶ indexes them, extends the lease, keeps the
 *                             last user id; step 4 again until the last page
 *     5 done       ─────────▶ with the last page: the index is complete
 *
 *     other callers meanwhile:   get 'loading' from step 1, and wait
 *     the loader dies:           its lease ends, and the next claim continues after the last user id
 *     the cache loses a key:     the token is gone, so later steps change nothing and the next claim begins again
 *
 * @returns 'loaded' if this call completed the index, 'indexed' if it was complete before, 'loading' if another caller
 *   loads it, 'unavailable' if the cache does not answer
 */
export async function loadIndex(
  tidemark: Tidemark,
  groupId: GroupId,
  isWindowMissing: boolean,
): Promise<'indexed' | 'loading' | 'loaded' | 'unavailable'> {
  const { cache, ledger, nowMs } = tidemark;
  const claim = await cache.receipts.claim(groupId, randomUUID(), nowMs(), nowMs() + LEASE_MS);
  if (!claim) return 'unavailable';
  if (claim.outcome !== 'claimed') return claim.outcome;
  const { token } = claim;
  // The same loader loads the messages, so that callers who wait for the members find the messages too.
  const window = isWindowMissing ? await loadWindow(tidemark, groupId, START) : [];
  // The list of members read below may be a moment behind.
  const recent = await ledger.memberships.readMany(groupId, claim.recent);
  if (!window || !(await mergeTwice(tidemark, groupId, [...window, ...change.members(recent)])))
    return 'unavailable';
  let after = claim.after;
  do {
    const { members, next } = await ledger.memberships.page(groupId, CHUNK, after);
    const isMerged = await mergeTwice(tidemark, groupId, [
      ...members.map(({ userId, membership }) => change.member(userId, membership)),
      next ? change.index(token, nowMs() + LEASE_MS, next) : change.indexed(token),
    ]);
    if (!isMerged) return 'unavailable';
    after = next;
  } while (after);
  return 'loaded';
}

/** Merges, and tries a second time if the first fails: one slow answer must not send every caller to the ledger. */
async function mergeTwice(
  { cache }: Tidemark,
  groupId: GroupId,
  changes: readonly change.Change[],
): Promise<boolean> {
  if (changes.length === 0) return true;
  return (await cache.merge(groupId, changes)) || (await cache.merge(groupId, changes));
}
