import type { Change, GroupCache } from '../cache/group-cache.ts';
import { inParallel } from '../concurrency/in-parallel.ts';
import type { GroupId } from '../domain/ids.ts';
import { isPast, type Membership, type MembershipState } from '../domain/membership.ts';
import { formatMessageId, type Position } from '../domain/position.ts';
import type { TidemarkEvent } from '../events/event.ts';
import { eventsOf, type MembershipChange } from '../events/membership-changes.ts';
import type { Publisher } from '../events/publisher.ts';
import { type Item, readItem } from '../ledger/items.ts';
import type { Ledger } from '../ledger/ledger.ts';
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
  readonly cache: GroupCache;
  readonly ledger: Pick<Ledger, 'memberships'>;
  readonly publisher: Publisher;
  /** What this instance has published: a batch that failed for the cache's sake does not publish again. */
  readonly published: RecentRecords;
}

/** What a record has to say: to the cache always, to the bus where a membership moved. */
interface News {
  readonly sequenceNumber: string;
  readonly groupId: GroupId;
  readonly change: Change | null;
  readonly moved: MembershipChange | null;
  /** A position at which others see a member no more. If it was the last one there, everyone has read past it. */
  readonly left: Position | null;
}

/** What is known of a group after its news were merged. */
interface Merged {
  readonly groupId: GroupId;
  readonly ofGroup: readonly News[];
  readonly isMerged: boolean;
  /** The lowest position that a member left, and what the cache says of how far everyone is. */
  readonly left: Position | null;
  readonly everyoneAt: Position | null;
}

/**
 * Carries a batch of the ledger's stream on: into the cache, one call for each group, and onto the bus, one event
 * for each member however often it moved. Resolves to the sequence numbers of the records that failed. Neither waits
 * for the other to be well, and all of it may be done again.
 */
export async function project(projection: Projection, records: readonly StreamRecord[]): Promise<string[]> {
  const { readable, unreadable } = readAll(records);
  // The cache comes first: whoever hears of a read may ask for it at once.
  const groups = await mergeIntoCache(projection, readable);
  const unmerged = groups.flatMap(({ isMerged, ofGroup }) => (isMerged ? [] : ofGroup));
  const unpublished = await publish(projection, groups);
  const failed = [...unmerged, ...unpublished].map(({ sequenceNumber }) => sequenceNumber);
  return [...new Set([...unreadable, ...failed])];
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

async function mergeIntoCache({ cache, published }: Projection, news: readonly News[]): Promise<Merged[]> {
  const groups = Map.groupBy(news, ({ groupId }) => groupId);
  return Promise.all(
    [...groups].map(async ([groupId, ofGroup]): Promise<Merged> => {
      const changes = ofGroup.flatMap(({ change }) => change ?? []);
      const left =
        ofGroup
          .filter(isFresh(published))
          .flatMap((item) => item.left ?? [])
          .toSorted()[0] ?? null;
      if (!left) {
        const isMerged = changes.length === 0 || (await cache.merge(groupId, changes));
        return { groupId, ofGroup, isMerged, left, everyoneAt: null };
      }
      const reply = await cache.mergeAndAsk(groupId, changes, left);
      return { groupId, ofGroup, isMerged: reply !== null, left, everyoneAt: reply?.everyoneAt ?? null };
    }),
  );
}

/** Publishes what is new, and tells of which news an event could not be. */
async function publish(projection: Projection, groups: readonly Merged[]): Promise<News[]> {
  const { publisher, published } = projection;
  const fresh = groups.flatMap(({ ofGroup }) => ofGroup.filter(isFresh(published)));
  const sources = new Map<TidemarkEvent, readonly News[]>(memberEvents(fresh));
  const failed = new Set<News>();
  await inParallel(groups, CONCURRENT_GROUPS, async (group) => {
    const ofGroup = group.ofGroup.filter((item) => item.left && isFresh(published)(item));
    try {
      const event = await groupEvent(projection, group);
      if (event) sources.set(event, ofGroup);
    } catch (error) {
      console.error({ message: 'it is not known how far everyone has read', error });
      for (const item of ofGroup) failed.add(item);
    }
  });
  const refused = await publisher.publish([...sources.keys()]);
  for (const event of refused) for (const item of sources.get(event) ?? []) failed.add(item);
  for (const item of fresh) if (!failed.has(item)) published.add(item.sequenceNumber);
  return [...failed];
}

/** One event for all that one member did, with the news that it tells. */
function* memberEvents(news: readonly News[]): Generator<[TidemarkEvent, readonly News[]]> {
  const members = Map.groupBy(
    news.filter(({ moved }) => moved),
    ({ moved }) => moved && `${moved.groupId}|${moved.userId}|${moved.after.generation}`,
  );
  for (const ofMember of members.values()) {
    const [first, last] = [ofMember.at(0)?.moved, ofMember.at(-1)?.moved];
    if (!first || !last) continue;
    for (const event of eventsOf({ ...last, before: first.before })) yield [event, ofMember];
  }
}

async function groupEvent(
  { cache, ledger }: Projection,
  { groupId, left, everyoneAt }: Merged,
): Promise<TidemarkEvent | null> {
  if (!left) return null;
  const upTo = await everyonePast({ cache, ledger }, groupId, left, everyoneAt);
  const messageId = upTo && formatMessageId(upTo);
  return messageId ? { type: 'GroupFullyRead', groupId, upTo: messageId } : null;
}

const isFresh =
  (published: RecentRecords) =>
  ({ sequenceNumber, moved, left }: News): boolean =>
    (moved !== null || left !== null) && !published.has(sequenceNumber);

/** Throws where an item is none of the ledger's. */
function newsOf({ sequenceNumber, before, after }: StreamRecord): News {
  const [was, is] = [before && readItem(before), after && readItem(after)];
  const fact = is ?? was;
  if (!fact) throw new Error('a record of the stream holds no item');
  const { groupId } = fact;
  const quiet = { sequenceNumber, groupId, moved: null, left: null };
  switch (fact.kind) {
    case 'head':
      return { ...quiet, change: { kind: 'head', position: fact.position } };
    case 'message': {
      // What expires from the ledger is gone from the unread counts too.
      const message = is ? fact.message : { ...fact.message, deleted: true };
      return { ...quiet, change: { kind: 'message', message } };
    }
    case 'membership': {
      const { userId, state } = fact;
      // A departure that expires leaves nothing to say.
      const change: Change | null = is ? { kind: 'known-member', userId, state } : null;
      const before = was?.kind === 'membership' && was.state.kind === 'member' ? was.state : null;
      const moved =
        is && before && state.kind === 'member' && before.generation === state.generation
          ? { groupId, userId, before, after: state }
          : null;
      return { ...quiet, change, moved, left: is && leftBehind(before, state) };
    }
  }
}

/** Where others saw a member who is there no more: it read on, or left. */
function leftBehind(before: Membership | null, state: MembershipState): Position | null {
  if (!before) return null;
  const stays = state.kind === 'member' && !isPast(state.public, before.public);
  return stays ? null : before.public.position;
}
