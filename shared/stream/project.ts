import { callUntil } from '../aws/deadline.ts';
import * as change from '../cache/changes.ts';
import type { MergedFromStream } from '../cache/replies.ts';
import type { TidemarkEvent } from '../contract/event.ts';
import { type Head, mergeHeads } from '../domain/head.ts';
import type { GroupId, UserId } from '../domain/ids.ts';
import { inParallel } from '../domain/in-parallel.ts';
import { loggedError } from '../domain/logged-error.ts';
import { isPast, type Membership, type MembershipState } from '../domain/membership.ts';
import { formatMessageId, type Position } from '../domain/position.ts';
import type { Tidemark } from '../operations/tidemark.ts';
import type { DeadLetters } from './dead-letters.ts';
import { type ErasureStarts, type ReadStateRecord, sortErasures, startErasures } from './erasures.ts';
import { everyonePast } from './fully-read.ts';
import { type Publisher, publishFrom } from './publisher.ts';
import type { RecentRecords } from './recent-records.ts';
import { membershipIn, readAll, type StreamRecord } from './stream-records.ts';

/** Groups that are searched at the same time for a member who is behind. */
const CONCURRENT_GROUPS = 10;

/**
 * The searches of a batch end together after this time, so that time is left to publish what the others have found.
 * Without this, one group whose search hangs would keep back the events of all groups of its batch.
 */
const SEARCHES_MS = 10_000;

export interface Projection {
  readonly tidemark: Tidemark;
  /** Null if nothing is published: then the projector does not compute how far everyone has read. */
  readonly publisher: Publisher | null;
  readonly deadLetters: DeadLetters;
  /** Records whose group events this instance has published. A repeated batch does not publish them again. */
  readonly published: RecentRecords;
  readonly erasures: ErasureStarts;
  /** @default 10 s */
  readonly searchesMs?: number;
}

/** The effect of one record: changes for the cache, and whether everyone may have read further. */
interface Effect {
  readonly sequenceNumber: string;
  readonly groupId: GroupId;
  readonly changes: readonly change.Change[];
  /** The head in the record: the heads of a group in one batch become one change. */
  readonly head?: Head;
  /** The public position that a member had before. If it was the last member there, everyone has now read past it. */
  readonly formerPosition: Position | null;
}

/** One group of the batch after its effects were merged into the cache. */
interface Merged {
  readonly groupId: GroupId;
  readonly ofGroup: readonly Effect[];
  readonly isMerged: boolean;
  /**
   * The effects of members who moved on from a position or left the group, without those published before.
   * `formerPosition` is the lowest of these positions.
   */
  readonly moved: readonly Effect[];
  readonly formerPosition: Position | null;
  readonly reply: MergedFromStream | null;
}

/**
 * Merges a batch of the ledger's stream into the cache, one call for each group, and publishes an event for each
 * group that everyone has read further. Starts the erasures that began. Sends unreadable records to the dead-letter queue.
 * Resolves to the sequence numbers of the records that failed. A failure of one part does not stop the others, and every
 * part may be repeated.
 */
export async function project(projection: Projection, records: readonly StreamRecord[]): Promise<string[]> {
  const { readable, unreadable } = readAll(records);
  const { ofErasures, ofReadState } = sortErasures(readable);
  const [unsent, failed, unstarted] = await Promise.all([
    projection.deadLetters.setAside(unreadable),
    mergeAndPublish(projection, ofReadState.map(effectOf)),
    startErasures(projection.erasures, ofErasures),
  ]);
  return [...new Set([...unsent, ...failed.map(({ sequenceNumber }) => sequenceNumber), ...unstarted])];
}

/** Resolves to the effects that failed. The result may contain the same one twice. */
async function mergeAndPublish(projection: Projection, effects: readonly Effect[]): Promise<Effect[]> {
  const groups = await mergeIntoCache(projection, effects);
  const unmerged = groups.flatMap(({ isMerged, ofGroup }) => (isMerged ? [] : ofGroup));
  return [...unmerged, ...(await publishFullyRead(projection, groups))];
}

async function mergeIntoCache(
  { tidemark, published }: Projection,
  effects: readonly Effect[],
): Promise<Merged[]> {
  const groups = Map.groupBy(effects, ({ groupId }) => groupId);
  return Promise.all(
    [...groups].map(async ([groupId, ofGroup]): Promise<Merged> => {
      const moved = ofGroup.filter(
        ({ formerPosition, sequenceNumber }) => formerPosition && !published.has(sequenceNumber),
      );
      const formerPosition = moved.flatMap((item) => item.formerPosition ?? []).toSorted()[0] ?? null;
      const heads = ofGroup.flatMap(({ head }) => head ?? []);
      const changes = [
        // First, since after a deletion of the group only later members and messages are merged.
        ...(heads.length > 0 ? [change.knownHead(heads.reduce(mergeHeads))] : []),
        ...ofGroup.flatMap((item) => item.changes),
      ];
      const reply =
        changes.length > 0 ? await tidemark.cache.mergeFromStream(groupId, changes, formerPosition) : null;
      const isMerged =
        changes.length === 0 ||
        (reply !== null && (await mergeUnknownMembers(tidemark, groupId, reply.unknownMembers)));
      return { groupId, ofGroup, isMerged, moved, formerPosition, reply };
    }),
  );
}

/**
 * Merges members that the cache's index lacks, as the ledger holds them now: the record of the stream may be old, and
 * they may have left since. A member whose item cannot be read is left out. Resolves to false if this failed.
 */
async function mergeUnknownMembers(
  tidemark: Tidemark,
  groupId: GroupId,
  unknownMembers: readonly UserId[],
): Promise<boolean> {
  if (unknownMembers.length === 0) return true;
  const { cache, ledger } = tidemark;
  try {
    const known = await ledger.memberships.readMany(groupId, unknownMembers);
    return await cache.merge(groupId, change.members(known));
  } catch (error) {
    console.error({ message: 'members whom the cache lacks could not be read', error: loggedError(error) });
    return false;
  }
}

/** Publishes an event for each group that everyone has read further. Resolves to the effects for which this failed. */
async function publishFullyRead(
  { tidemark, publisher, published, searchesMs = SEARCHES_MS }: Projection,
  groups: readonly Merged[],
): Promise<Effect[]> {
  if (!publisher) return [];
  const sources = new Map<TidemarkEvent, readonly Effect[]>();
  const undecided: Effect[] = [];
  const end = AbortSignal.timeout(searchesMs);
  await inParallel(groups, CONCURRENT_GROUPS, async ({ groupId, formerPosition, moved, reply }) => {
    if (!formerPosition) return;
    try {
      const position = await callUntil(end, () => everyonePast(tidemark, groupId, formerPosition, reply));
      const upTo = position && formatMessageId(position);
      if (upTo) sources.set({ type: 'GroupFullyRead', groupId, upTo }, moved);
    } catch (error) {
      console.error({ message: 'it is not known how far everyone has read', error: loggedError(error) });
      undecided.push(...moved);
    }
  });
  const failed = await publishFrom(publisher, sources);
  for (const item of undecided) failed.add(item);
  for (const item of groups.flatMap(({ moved }) => moved)) {
    if (!failed.has(item)) published.add(item.sequenceNumber);
  }
  return [...failed];
}

function effectOf({ sequenceNumber, was, is, stored }: ReadStateRecord): Effect {
  const { groupId } = stored;
  const quiet = { sequenceNumber, groupId, formerPosition: null };
  switch (stored.kind) {
    case 'head':
      return is
        ? { ...quiet, changes: [], head: stored.head }
        : { ...quiet, changes: [change.expiredHead(stored.head)] };
    case 'message': {
      // A message that expires from the ledger no longer counts as unread.
      return {
        ...quiet,
        changes: [is ? change.message(stored.message) : change.deleted(stored.message)],
      };
    }
    case 'membership': {
      const { userId, state } = stored;
      if (!is) {
        // Nothing late can bring the member back after all this time.
        return { ...quiet, changes: state.kind === 'departed' ? [change.forgotten(userId, state)] : [] };
      }
      const before = membershipIn(was);
      const changes = [change.knownMember(userId, state)];
      if (!before && state.kind === 'member') changes.push(change.joined(userId));
      return { ...quiet, changes, formerPosition: formerPositionOf(before, state) };
    }
  }
}

/** The public watermark that a member had before it read on or left the group; null if it is still there. */
function formerPositionOf(before: Membership | null, state: MembershipState): Position | null {
  if (!before) return null;
  const stays = state.kind === 'member' && !isPast(state.public, before.public);
  return stays ? null : before.public.position;
}
