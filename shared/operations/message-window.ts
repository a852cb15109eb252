import { randomUUID } from 'node:crypto';
import * as change from '../cache/changes.ts';
import { isAfterEpoch } from '../domain/head.ts';
import type { GroupId } from '../domain/ids.ts';
import type { Position } from '../domain/position.ts';
import type { Tidemark } from './tidemark.ts';

/** Messages merged in one call, so that no call grows with the window. */
const LOAD_CHUNK = 1_000;

/**
 * Loads the newest messages above a position into the cache. Others may record and delete messages at the same time.
 *
 *     load                    cache                                       ledger
 *     1 announce   ─────────▶ `!load|<token>`: from now on the cache
 *                             keeps every message that anyone merges
 *     2 read       ─────────────────────────────────────────────────────▶ head and newest messages
 *     3 merge them ─────────▶ in chunks
 *     4 done       ─────────▶ if the token is still there: the floor
 *                             is set, and the window is complete above it
 *
 * A message recorded before step 2 is in what the ledger returns. A message recorded after step 1 is collected by the
 * cache. So none is missing. If the cache lost its keys in between, the token is gone and step 4 sets no floor.
 *
 * @returns the changes of step 4, for the caller to merge with its own; null if the cache does not answer
 */
export async function loadWindow(
  { cache, ledger, nowMs }: Tidemark,
  groupId: GroupId,
  position: Position,
): Promise<readonly change.Change[] | null> {
  const token = `${nowMs()}-${randomUUID()}`;
  if (!(await cache.merge(groupId, [change.load(token)]))) return null;
  const newestAfter = (epoch: number) =>
    ledger.messages.newest(groupId, { abovePosition: position, epoch }, cache.capacity + 1);
  const [head, all] = await Promise.all([ledger.heads.read(groupId), newestAfter(0)]);
  // Messages of the time before the group was deleted may have larger ids than all that count.
  const isCurrent = all.every(({ recordedAt }) => isAfterEpoch(head, recordedAt));
  const newest = isCurrent ? all : await newestAfter(head.epoch);
  const floor = newest.filter(({ deleted }) => !deleted)[cache.capacity]?.position ?? position;
  const changes = newest.filter((message) => message.position > floor).map(change.message);
  for (let start = 0; start < changes.length; start += LOAD_CHUNK) {
    if (!(await cache.merge(groupId, changes.slice(start, start + LOAD_CHUNK)))) return null;
  }
  return [change.head(head), change.loaded(token, floor)];
}
