import type { TidemarkEvent } from '../contract/event.ts';
import { joinAt } from '../domain/membership.ts';
import type { DeadLetters } from './dead-letters.ts';
import { eventsOf, type MembershipChange } from './membership-changes.ts';
import { type Publisher, publishFrom } from './publisher.ts';
import type { RecentRecords } from './recent-records.ts';
import { readAll, type StreamRecord, type Written } from './stream-records.ts';

export interface Publication {
  readonly publisher: Publisher;
  readonly deadLetters: DeadLetters;
  /** The records that this instance has told of: a batch that fails for another's sake does not tell of them again. */
  readonly told: RecentRecords;
}

interface Move extends MembershipChange {
  readonly sequenceNumber: string;
}

/**
 * Tells the bus how the memberships of a batch of the ledger's stream moved: one event for each member, however often
 * it moved. Records that cannot be read are set aside. Resolves to the sequence numbers of the records that failed. It
 * asks neither cache nor ledger, so that events leave whatever becomes of these, and all of it may be done again.
 */
export async function publishMoves(
  publication: Publication,
  records: readonly StreamRecord[],
): Promise<string[]> {
  const { readable, unreadable } = readAll(records);
  const [unsent, failed] = await Promise.all([
    publication.deadLetters.setAside(unreadable),
    tellOfMoves(publication, readable.flatMap(moveIn)),
  ]);
  return [...unsent, ...failed.map(({ sequenceNumber }) => sequenceNumber)];
}

/** Resolves to the moves that the bus was not told of. */
async function tellOfMoves({ publisher, told }: Publication, moves: readonly Move[]): Promise<Move[]> {
  const fresh = moves.filter(({ sequenceNumber }) => !told.has(sequenceNumber));
  const failed = await publishFrom(publisher, new Map(eventsOfMembers(fresh)));
  for (const move of fresh) if (!failed.has(move)) told.add(move.sequenceNumber);
  return [...failed];
}

/** A membership that begins has moved where it takes over what was marked before, and nowhere else. */
function moveIn({ sequenceNumber, was, is }: Written): Move[] {
  if (is?.kind !== 'membership' || is.state.kind !== 'member') return [];
  const { groupId, userId, state: after } = is;
  const former = was?.kind === 'membership' && was.state.kind === 'member' ? was.state : null;
  const before =
    former?.generation === after.generation
      ? former
      : joinAt(after.joinedAfter, after.generation, after.firstRevision);
  return [{ sequenceNumber, groupId, userId, before, after }];
}

/** One event for all that one member did, with the moves that it tells. */
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
