import { type Change, memberChanges, type NewsReply } from '../cache/group-cache.ts';
import { inParallel } from '../concurrency/in-parallel.ts';
import type { GroupId } from '../domain/ids.ts';
import { isPast, type Membership, type MembershipState } from '../domain/membership.ts';
import { formatMessageId, type Position } from '../domain/position.ts';
import type { TidemarkEvent } from '../events/event.ts';
import { eventsOf, type MembershipChange } from '../events/membership-changes.ts';
import type { Publisher } from '../events/publisher.ts';
import { type Item, readItem } from '../ledger/items.ts';
import type { Stores } from '../watermarks/stores.ts';
import { everyonePast } from './fully-read.ts';
import type { RecentRecords } from './recent-records.ts';

/** Groups whose members are searched at once for one who is behind. */
const CONCURRENT_GROUPS = 10;

/** One record of the ledger's stream: an item before and after a write, either absent where there was none. */
export interface StreamRecord {
  readonly sequenceNumber: string;
  readonly before: Item | null;
  readonly after: Item | null;
}

export interface Projection {
  readonly stores: Stores;
  readonly publisher: Publisher;
  /**
   * The records that this instance has told of, to members' subscribers and to groups': a batch that fails for the
   * sake of something else does not tell of them again.
   */
  readonly told: { readonly members: RecentRecords; readonly groups: RecentRecords };
}

/** What a record has to say: to the cache always, to the bus where a membership moved. */
interface News {
  readonly sequenceNumber: string;
  readonly groupId: GroupId;
  readonly changes: readonly Change[];
  readonly moved: MembershipChange | null;
  /** A position at which others see a member no more. If it was the last one there, everyone has read past it. */
  readonly left: Position | null;
}

/** What is known of a group after its news were merged. */
interface Merged {
  readonly groupId: GroupId;
  readonly ofGroup: readonly News[];
  readonly isMerged: boolean;
  /** The news of a member who left a position, of which the group was not told yet, and the lowest such position. */
  readonly leaving: readonly News[];
  readonly left: Position | null;
  readonly reply: NewsReply | null;
}

/**
 * Carries a batch of the ledger's stream on: into the cache, one call for each group, and onto the bus, one event
 * for each member however often it moved, and one for each group that everyone has read further. Resolves to the
 * sequence numbers of the records that failed. None of the three waits for the others to be well, and all of it may be
 * done again.
 */
export async function project(projection: Projection, records: readonly StreamRecord[]): Promise<string[]> {
  const { readable, unreadable } = readAll(records);
  // The cache comes first: whoever hears of a read may ask for it at once.
  const groups = await mergeIntoCache(projection, readable);
  const unmerged = groups.flatMap(({ isMerged, ofGroup }) => (isMerged ? [] : ofGroup));
  const untoldToMembers = await tellOfMembers(projection, readable);
  const untoldToGroups = await tellOfGroups(projection, groups);
  const failed = [...unmerged, ...untoldToMembers, ...untoldToGroups];
  return [...new Set([...unreadable, ...failed.map(({ sequenceNumber }) => sequenceNumber)])];
}

function readAll(records: readonly StreamRecord[]): { readable: News[]; unreadable: string[] } {
  const readable: News[] = [];
  const unreadable: string[] = [];
  for (const record of records) {
    try {
      readable.push(newsOf(record));
    } catch (error) {
      const { sequenceNumber } = record;
      console.error({ message: 'a record of the stream cannot be read', sequenceNumber, error });
      unreadable.push(sequenceNumber);
    }
  }
  return { readable, unreadable };
}

async function mergeIntoCache({ stores, told }: Projection, news: readonly News[]): Promise<Merged[]> {
  const groups = Map.groupBy(news, ({ groupId }) => groupId);
  return Promise.all(
    [...groups].map(async ([groupId, ofGroup]): Promise<Merged> => {
      const leaving = ofGroup.filter(({ left, sequenceNumber }) => left && !told.groups.has(sequenceNumber));
      const left = leaving.flatMap((item) => item.left ?? []).toSorted()[0] ?? null;
      const changes = ofGroup.flatMap((item) => item.changes);
      const reply = changes.length > 0 ? await stores.cache.mergeNews(groupId, changes, left) : null;
      const isMerged = changes.length === 0 || (reply !== null && (await introduce(stores, groupId, reply)));
      return { groupId, ofGroup, isMerged, leaving, left, reply };
    }),
  );
}

/**
 * Tells the cache of members whom its index lacks, as the ledger knows them now: what the stream says of them may be
 * long past, and they may have left since.
 */
async function introduce(
  { cache, ledger }: Stores,
  groupId: GroupId,
  { strangers }: NewsReply,
): Promise<boolean> {
  if (strangers.length === 0) return true;
  try {
    const known = await ledger.memberships.readMany(strangers, groupId);
    return await cache.merge(groupId, memberChanges(known));
  } catch (error) {
    console.error({ message: 'members whom the cache lacks could not be read', error });
    return false;
  }
}

/** Tells of each member's moves, and resolves to the news of those that the bus did not take. */
async function tellOfMembers({ publisher, told }: Projection, news: readonly News[]): Promise<News[]> {
  const fresh = news.filter(({ moved, sequenceNumber }) => moved && !told.members.has(sequenceNumber));
  const sources = new Map<TidemarkEvent, readonly News[]>(memberEvents(fresh));
  const failed = await publishFrom(publisher, sources);
  for (const item of fresh) if (!failed.has(item)) told.members.add(item.sequenceNumber);
  return [...failed];
}

/** Tells of the groups that everyone has read further, and resolves to the news of which that is not known. */
async function tellOfGroups(
  { stores, publisher, told }: Projection,
  groups: readonly Merged[],
): Promise<News[]> {
  const sources = new Map<TidemarkEvent, readonly News[]>();
  const unknown: News[] = [];
  await inParallel(groups, CONCURRENT_GROUPS, async ({ groupId, left, leaving, reply }) => {
    if (!left) return;
    try {
      const upTo = await everyonePast(stores, groupId, left, reply);
      const messageId = upTo && formatMessageId(upTo);
      if (messageId) sources.set({ type: 'GroupFullyRead', groupId, upTo: messageId }, leaving);
    } catch (error) {
      console.error({ message: 'it is not known how far everyone has read', error });
      unknown.push(...leaving);
    }
  });
  const failed = await publishFrom(publisher, sources);
  for (const item of unknown) failed.add(item);
  for (const item of groups.flatMap(({ leaving }) => leaving)) {
    if (!failed.has(item)) told.groups.add(item.sequenceNumber);
  }
  return [...failed];
}

/** Publishes events, and tells the news of those that the bus did not take. */
async function publishFrom(
  publisher: Publisher,
  sources: ReadonlyMap<TidemarkEvent, readonly News[]>,
): Promise<Set<News>> {
  const refused = await publisher.publish([...sources.keys()]);
  return new Set(refused.flatMap((event) => sources.get(event) ?? []));
}

/** One event for all that one member did, with the news that it tells. */
function* memberEvents(news: readonly News[]): Generator<[TidemarkEvent, readonly News[]]> {
  const members = Map.groupBy(
    news,
    ({ moved }) => moved && `${moved.groupId}|${moved.userId}|${moved.after.generation}`,
  );
  for (const ofMember of members.values()) {
    const [first, last] = [ofMember.at(0)?.moved, ofMember.at(-1)?.moved];
    if (!first || !last) continue;
    for (const event of eventsOf({ ...last, before: first.before })) yield [event, ofMember];
  }
}

/** Throws where an item is none of the ledger's. */
function newsOf({ sequenceNumber, before, after }: StreamRecord): News {
  const [was, is] = [before && readItem(before), after && readItem(after)];
  const fact = is ?? was;
  if (!fact) throw new Error('a record of the stream holds no item');
  const { groupId } = fact;
  const quiet = { sequenceNumber, groupId, moved: null, left: null };
  switch (fact.kind) {
    case 'head':
      return { ...quiet, changes: [{ kind: 'known-head', position: fact.position }] };
    case 'message': {
      // What expires from the ledger is gone from the unread counts too.
      const message = is ? fact.message : { ...fact.message, deleted: true };
      return { ...quiet, changes: [{ kind: 'message', message }] };
    }
    case 'membership': {
      const { userId, state } = fact;
      const before = was?.kind === 'membership' && was.state.kind === 'member' ? was.state : null;
      const changes: Change[] = [];
      // A departure that expires leaves nothing to say.
      if (is) changes.push({ kind: 'known-member', userId, state });
      if (is && !before && state.kind === 'member') changes.push({ kind: 'joined', userId });
      const moved =
        is && before && state.kind === 'member' && before.generation === state.generation
          ? { groupId, userId, before, after: state }
          : null;
      return { ...quiet, changes, moved, left: is && leftBehind(before, state) };
    }
  }
}

/** Where others saw a member who is there no more: it read on, or left. */
function leftBehind(before: Membership | null, state: MembershipState): Position | null {
  if (!before) return null;
  const stays = state.kind === 'member' && !isPast(state.public, before.public);
  return stays ? null : before.public.position;
}
