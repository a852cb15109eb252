import type { TidemarkEvent } from '../contract/event.ts';
import { joinAt } from '../domain/membership.ts';
import type { DeadLetters } from './dead-letters.ts';
import { type ErasureRecord, endOf, sortErasures } from './erasures.ts';
import { eventsOf, type MembershipChange } from './membership-changes.ts';
import { type Publisher, publishFrom } from './publisher.ts';
import type { RecentRecords } from './recent-records.ts';
import { membershipIn, readAll, type StreamRecord, type Written } from './stream-records.ts';

export interface Publication {
  readonly publisher: Publisher;
  readonly deadLetters: DeadLetters;
  /** Records whose events this instance has published. A repeated batch does not publish them again. */
  readonly published: RecentRecords;
}

/** The record that an event comes from. */
interface Source {
  readonly sequenceNumber: string;
}

interface Move extends MembershipChange, Source {}

/** The end of an erasure. */
interface End extends Source {
  readonly event: TidemarkEvent;
}

/**
 * Publishes how the memberships in a batch of the ledger's stream moved, and which erasures ended. Several moves of one
 * member become one move. Sends unreadable records to the dead-letter queue. Resolves to the sequence numbers of the records that failed. Uses
 * neither cache nor ledger, so events leave even if these fail. All of it may be repeated.
 */
export async function publishMoves(
  publication: Publication,
  records: readonly StreamRecord[],
): Promise<string[]> {
  const { readable, unreadable } = readAll(records);
  const [unsent, failed] = await Promise.all([
    publication.deadLetters.setAside(unreadable),
    publishEvents(publication, readable.flatMap(moveIn), sortErasures(readable).ofErasures.flatMap(endIn)),
  ]);
  return [...unsent, ...failed.map(({ sequenceNumber }) => sequenceNumber)];
}

/** Resolves to the sources of the events that the bus did not accept. */
async function publishEvents(
  { publisher, published }: Publication,
  moves: readonly Move[],
  ends: readonly End[],
): Promise<Source[]> {
  const isFresh = ({ sequenceNumber }: Source) => !published.has(sequenceNumber);
  const [freshMoves, freshEnds] = [moves.filter(isFresh), ends.filter(isFresh)];
  const sources = new Map<TidemarkEvent, readonly Source[]>(eventsOfMembers(freshMoves));
  for (const end of freshEnds) sources.set(end.event, [end]);
  const failed = await publishFrom(publisher, sources);
  for (const source of [...freshMoves, ...freshEnds]) {
    if (!failed.has(source)) published.add(source.sequenceNumber);
  }
  return [...failed];
}

function endIn(record: ErasureRecord): End[] {
  const event = endOf(record);
  return event ? [{ sequenceNumber: record.sequenceNumber, event }] : [];
}

/**
 * The move in a record, if there is one. A membership that begins counts as a move from its start: it has moved if it
 * took over marks that were made before.
 */
function moveIn({ sequenceNumber, was, is, stored }: Written): Move[] {
  const after = membershipIn(is);
  if (!after || stored.kind !== 'membership') return [];
  const former = membershipIn(was);
  const { groupId, userId } = stored;
  const before =
    former?.generation === after.generation
      ? former
      : joinAt(after.joinedAfter, after.generation, after.firstRevision);
  return [{ sequenceNumber, groupId, userId, before, after }];
}

/** The events of each member, coalesced over all its moves, each with the moves that it covers. */
function* eventsOfMembers(moves: readonly Move[]): Generator<[TidemarkEvent, readonly Move[]]> {
  const members = Map.groupBy(
    moves,
    ({ groupId, userId, after }) => `${groupId}#${userId}#${after.generation}`,
  );
  for (const ofMember of members.values()) {
    const [first, last] = [ofMember.at(0), ofMember.at(-1)];
    if (!first || !last) continue;
    for (const event of eventsOf({ ...last, before: first.before })) yield [event, ofMember];
  }
}
