import type { Change, GroupCache } from '../cache/group-cache.ts';
import type { GroupId } from '../domain/ids.ts';
import type { TidemarkEvent } from '../events/event.ts';
import { eventsOf, type MembershipChange } from '../events/membership-changes.ts';
import type { Publisher } from '../events/publisher.ts';
import { type Item, readItem } from '../ledger/items.ts';
import type { RecentRecords } from './recent-records.ts';

/** One record of the ledger's stream: an item before and after a write, either absent where there was none. */
export interface StreamRecord {
  readonly sequenceNumber: string;
  readonly before: Item | null;
  readonly after: Item | null;
}

export interface Projection {
  readonly cache: GroupCache;
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
}

/**
 * Carries a batch of the ledger's stream on: into the cache, one call for each group, and onto the bus, one event
 * for each member however often it moved. Resolves to the sequence numbers of the records that failed. Neither waits
 * for the other to be well, and all of it may be done again.
 */
export async function project(projection: Projection, records: readonly StreamRecord[]): Promise<string[]> {
  const { readable, unreadable } = readAll(records);
  // The cache comes first: whoever hears of a read may ask for it at once.
  const unmerged = await mergeIntoCache(projection.cache, readable);
  const unpublished = await publish(projection, readable);
  return [...new Set([...unreadable, ...unmerged, ...unpublished])];
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

async function mergeIntoCache(cache: GroupCache, news: readonly News[]): Promise<string[]> {
  const groups = Map.groupBy(
    news.filter(({ change }) => change),
    ({ groupId }) => groupId,
  );
  const unmerged = await Promise.all(
    [...groups].map(async ([groupId, ofGroup]) => {
      const changes = ofGroup.flatMap(({ change }) => change ?? []);
      return (await cache.merge(groupId, changes)) ? [] : ofGroup;
    }),
  );
  return unmerged.flat().map(({ sequenceNumber }) => sequenceNumber);
}

async function publish({ publisher, published }: Projection, news: readonly News[]): Promise<string[]> {
  const fresh = news.filter(({ sequenceNumber, moved }) => moved && !published.has(sequenceNumber));
  const members = Map.groupBy(
    fresh,
    ({ moved }) => moved && `${moved.groupId}|${moved.userId}|${moved.after.generation}`,
  );
  const sources = new Map<TidemarkEvent, News[]>();
  for (const ofMember of members.values()) {
    const [first, last] = [ofMember.at(0)?.moved, ofMember.at(-1)?.moved];
    if (!first || !last) continue;
    for (const event of eventsOf({ ...last, before: first.before })) sources.set(event, ofMember);
  }
  const refused = await publisher.publish([...sources.keys()]);
  const failed = new Set(refused.flatMap((event) => sources.get(event) ?? []));
  for (const item of fresh) if (!failed.has(item)) published.add(item.sequenceNumber);
  return [...failed].map(({ sequenceNumber }) => sequenceNumber);
}

/** Throws where an item is none of the ledger's. */
function newsOf({ sequenceNumber, before, after }: StreamRecord): News {
  const [was, is] = [before && readItem(before), after && readItem(after)];
  const fact = is ?? was;
  if (!fact) throw new Error('a record of the stream holds no item');
  const { groupId } = fact;
  switch (fact.kind) {
    case 'head':
      return { sequenceNumber, groupId, change: { kind: 'head', position: fact.position }, moved: null };
    case 'message': {
      // What expires from the ledger is gone from the unread counts too.
      const message = is ? fact.message : { ...fact.message, deleted: true };
      return { sequenceNumber, groupId, change: { kind: 'message', message }, moved: null };
    }
    case 'membership': {
      const { userId, state } = fact;
      // A departure that expires leaves nothing to say.
      const change: Change | null = is ? { kind: 'known-member', userId, state } : null;
      const before = was?.kind === 'membership' ? was.state : null;
      const moved =
        is && state.kind === 'member' && before?.kind === 'member' && before.generation === state.generation
          ? { groupId, userId, before, after: state }
          : null;
      return { sequenceNumber, groupId, change, moved };
    }
  }
}
