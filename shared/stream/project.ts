import { type Change, memberChanges, type NewsReply } from '../cache/group-cache.ts';
import type { TidemarkEvent } from '../contract/event.ts';
import type { GroupId } from '../domain/ids.ts';
import { inParallel } from '../domain/in-parallel.ts';
import { loggedError } from '../domain/logged-error.ts';
import { isPast, type Membership, type MembershipState } from '../domain/membership.ts';
import { formatMessageId, type Position } from '../domain/position.ts';
import type { Tidemark } from '../operations/tidemark.ts';
import type { DeadLetters } from './dead-letters.ts';
import { everyonePast } from './fully-read.ts';
import { type Publisher, publishFrom } from './publisher.ts';
import type { RecentRecords } from './recent-records.ts';
import { readAll, type StreamRecord, type Written } from './stream-records.ts';

/** Groups that are searched at the same time for a member who is behind. */
const CONCURRENT_GROUPS = 10;

export interface Projection {
  readonly tidemark: Tidemark;
  /** Null if nothing is published: then the projector does not compute how far everyone has read. */
  readonly publisher: Publisher | null;
  readonly deadLetters: DeadLetters;
  /** Records whose group events this instance has published. A repeated batch does not publish them again. */
  readonly told: RecentRecords;
}

/** What follows from one record: changes for the cache, and whether everyone may have read further. */
interface News {
  readonly sequenceNumber: string;
  readonly groupId: GroupId;
  readonly changes: readonly Change[];
  /** The position that a member has left. If it was the last member there, everyone has now read past it. */
  readonly left: Position | null;
}

/** One group of the batch after its news were merged into the cache. */
interface Merged {
  readonly groupId: GroupId;
  readonly ofGroup: readonly News[];
  readonly isMerged: boolean;
  /** News of members who left a position, without those published before. `left` is the lowest of these positions. */
  readonly leaving: readonly News[];
  readonly left: Position | null;
  readonly reply: NewsReply | null;
}

/**
 * Merges a batch of the ledger's stream into the cache, one call for each group, and publishes an event for each
 * group that everyone has read further. Sends unreadable records to the dead-letter queue. Resolves to the sequence
 * numbers of the records that failed. A failure of one part does not stop the others, and every part may be repeated.
 */
export async function project(projection: Projection, records: readonly StreamRecord[]): Promise<string[]> {
  const { readable, unreadable } = readAll(records);
  const [unsent, failed] = await Promise.all([
    projection.deadLetters.setAside(unreadable),
    carryOn(projection, readable.map(newsOf)),
  ]);
  return [...new Set([...unsent, ...failed.map(({ sequenceNumber }) => sequenceNumber)])];
}

/** Resolves to the news that failed. The result may contain the same news twice. */
async function carryOn(projection: Projection, news: readonly News[]): Promise<News[]> {
  const groups = await mergeIntoCache(projection, news);
  const unmerged = groups.flatMap(({ isMerged, ofGroup }) => (isMerged ? [] : ofGroup));
  return [...unmerged, ...(await tellOfGroups(projection, groups))];
}

async function mergeIntoCache({ tidemark, told }: Projection, news: readonly News[]): Promise<Merged[]> {
  const groups = Map.groupBy(news, ({ groupId }) => groupId);
  return Promise.all(
    [...groups].map(async ([groupId, ofGroup]): Promise<Merged> => {
      const leaving = ofGroup.filter(({ left, sequenceNumber }) => left && !told.has(sequenceNumber));
      const left = leaving.flatMap((item) => item.left ?? []).toSorted()[0] ?? null;
      const changes = ofGroup.flatMap((item) => item.changes);
      const reply = changes.length > 0 ? await tidemark.cache.mergeNews(groupId, changes, left) : null;
      const isMerged =
        changes.length === 0 || (reply !== null && (await introduce(tidemark, groupId, reply.strangers)));
      return { groupId, ofGroup, isMerged, leaving, left, reply };
    }),
  );
}

/**
 * Merges members that the cache's index lacks, as the ledger holds them now: the record of the stream may be old, and
 * they may have left since. A member whose item cannot be read is left out. Resolves to false if this failed.
 */
async function introduce(
  tidemark: Tidemark,
  groupId: GroupId,
  strangers: NewsReply['strangers'],
): Promise<boolean> {
  if (strangers.length === 0) return true;
  const { cache, ledger } = tidemark;
  try {
    const known = await ledger.memberships.readMany(groupId, strangers);
    return await cache.merge(groupId, memberChanges(known));
  } catch (error) {
    console.error({ message: 'members whom the cache lacks could not be read', error: loggedError(error) });
    return false;
  }
}

/** Publishes an event for each group that everyone has read further. Resolves to the news for which this failed. */
async function tellOfGroups(
  { tidemark, publisher, told }: Projection,
  groups: readonly Merged[],
): Promise<News[]> {
  if (!publisher) return [];
  const sources = new Map<TidemarkEvent, readonly News[]>();
  const unknown: News[] = [];
  await inParallel(groups, CONCURRENT_GROUPS, async ({ groupId, left, leaving, reply }) => {
    if (!left) return;
    try {
      const upTo = await everyonePast(tidemark, groupId, left, reply);
      const messageId = upTo && formatMessageId(upTo);
      if (messageId) sources.set({ type: 'GroupFullyRead', groupId, upTo: messageId }, leaving);
    } catch (error) {
      console.error({ message: 'it is not known how far everyone has read', error: loggedError(error) });
      unknown.push(...leaving);
    }
  });
  const failed = await publishFrom(publisher, sources);
  for (const item of unknown) failed.add(item);
  for (const item of groups.flatMap(({ leaving }) => leaving)) {
    if (!failed.has(item)) told.add(item.sequenceNumber);
  }
  return [...failed];
}

function newsOf({ sequenceNumber, was, is, fact }: Written): News {
  const { groupId } = fact;
  const quiet = { sequenceNumber, groupId, left: null };
  switch (fact.kind) {
    case 'head':
      return { ...quiet, changes: [{ kind: 'known-head', position: fact.position }] };
    case 'message': {
      // A message that expires from the ledger no longer counts as unread.
      const message = is ? fact.message : { ...fact.message, deleted: true };
      return { ...quiet, changes: [{ kind: 'message', message }] };
    }
    case 'membership': {
      // An expired departure changes nothing.
      if (!is) return { ...quiet, changes: [] };
      const { userId, state } = fact;
      const before = was?.kind === 'membership' && was.state.kind === 'member' ? was.state : null;
      const changes: Change[] = [{ kind: 'known-member', userId, state }];
      if (!before && state.kind === 'member') changes.push({ kind: 'joined', userId });
      return { ...quiet, changes, left: leftBehind(before, state) };
    }
  }
}

/** The public watermark that a member had before it read on or left the group; null if it is still there. */
function leftBehind(before: Membership | null, state: MembershipState): Position | null {
  if (!before) return null;
  const stays = state.kind === 'member' && !isPast(state.public, before.public);
  return stays ? null : before.public.position;
}
