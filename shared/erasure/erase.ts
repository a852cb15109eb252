import type { Erasure } from '../domain/erasure.ts';
import type { Erasures } from '../ledger/erasures.ts';
import { type ErasingGroups, eraseGroup } from './erase-group.ts';
import { type ErasingUsers, eraseUser } from './erase-user.ts';
import type { ErasureJob, ErasureQueue, Outcome, Share } from './erasure-job.ts';

export interface Erasing extends ErasingUsers, ErasingGroups {
  readonly erasures: Erasures;
  readonly queue: ErasureQueue;
  /** How long one job works, in milliseconds. */
  readonly runMs: number;
}

/** Longer than any call that is under way can take: functions end within a minute. */
const SETTLING_SECONDS = 90;

/**
 * Does a part of an erasure. The items themselves show what is still to do, so a job that dies anywhere is simply repeated, and
 * two jobs of one erasure do no harm:
 *
 *     route            ledger                              stream              queue
 *     1 begin  ──────▶ the erasure's item ───────────────▶ project-ledger ────▶ a job
 *     erase, in one job or several
 *     2 page   ──────▶ the next items of the user (of a group: see erase-group.ts)
 *     3 end    ──────▶ memberships: departures ──────────▶ cache, GroupFullyRead
 *              ──────▶ connections: closed, removed
 *     4 wait   ──────────────────────────────────────────────────────────────▶ a job that is delayed
 *     5 remove ──────▶ departures that have settled ─────▶ cache
 *     6 end    ──────▶ removes the erasure's item ───────▶ publish-events: UserErased, GroupDeleted
 *
 * Why it waits: a call that read a membership just before step 3 may merge it into the cache afterwards. The departure
 * there wins over it, so it stays until every such call has ended.
 */
export async function erase(erasing: Erasing, { key, waitedSinceMs }: ErasureJob): Promise<void> {
  const { erasures, queue, runMs, tidemark } = erasing;
  const erasure = await erasures.read(key);
  if (!erasure) return;
  const startMs = tidemark.nowMs();
  const outcome = await eraseSubject(erasing, erasure, {
    hasTime: () => tidemark.nowMs() < startMs + runMs,
    settledByMs: Math.max(waitedSinceMs ?? 0, startMs - SETTLING_SECONDS * 1_000),
  });
  switch (outcome) {
    case 'done':
      // If it has begun again meanwhile, its item stays, and the write that began it again has started another job.
      return erasures.end(erasure);
    case 'more':
      return queue.add({ key, waitedSinceMs }, 0);
    case 'waits':
      return queue.add({ key, waitedSinceMs: tidemark.nowMs() }, SETTLING_SECONDS);
  }
}

async function eraseSubject(
  erasing: Erasing,
  { subject, begunAtMs }: Erasure,
  share: Share,
): Promise<Outcome> {
  switch (subject.kind) {
    case 'user':
      return eraseUser(erasing, { userId: subject.userId, begunAtMs }, share);
    case 'group':
      return eraseGroup(erasing, { groupId: subject.groupId, begunAtMs }, share);
  }
}
