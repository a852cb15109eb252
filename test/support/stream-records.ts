import type { GroupId, UserId } from '../../shared/domain/ids.ts';
import { advance, deliver, joinAt, type Membership, retreat } from '../../shared/domain/membership.ts';
import { type Item, membershipItem } from '../../shared/ledger/items.ts';
import type { DeadLetterQueue } from '../../shared/stream/dead-letters.ts';
import type { StreamRecord } from '../../shared/stream/stream-records.ts';
import { at } from './positions.ts';

/** When the memberships of these records began. */
export const T = 1_700_000_000_000;
export const G = 'g' as GroupId;

let sequence = 0;
export function recordOf(before: Item | null, after: Item | null): StreamRecord {
  sequence += 1;
  return { sequenceNumber: String(sequence).padStart(6, '0'), before, after };
}

/** One who joined at the first message, and has read up to another; 0 for one who has read none. */
export const membership = (userId: string, read: number, generation = T, groupId = G): Item =>
  membershipItem(
    { groupId, userId: userId as UserId },
    read === 0 ? joinAt(at(1), generation) : advance(joinAt(at(1), generation), at(read), T + read),
  );

export const move = (userId: string, from: number, to: number, groupId = G): StreamRecord =>
  recordOf(membership(userId, from, T, groupId), membership(userId, to, T, groupId));

const departure = (userId: string, generation: number): Item => ({
  kind: { S: 'membership' },
  groupId: { S: G },
  formerUserId: { S: userId },
  generation: { N: String(generation) },
});

export const leave = (userId: string, read: number): StreamRecord =>
  recordOf(membership(userId, read), departure(userId, T + 1));

/** A private read, a mark unread and a delivery of one who has read up to 5: no other sees them read. */
export function hiddenMoves(userId: string): StreamRecord[] {
  const before = advance(joinAt(at(1), T), at(5), T);
  const states = [
    advance(before, at(9), T, { isPrivate: true, ifRevision: null }),
    retreat(before, at(3), T),
    deliver(before, at(9), T),
  ];
  const itemOf = (state: Membership) => membershipItem({ groupId: G, userId: userId as UserId }, state);
  return states.map((after) => recordOf(itemOf(before), itemOf(after)));
}

/** A departure that expires. */
export const expire = (userId: string): StreamRecord => recordOf(departure(userId, T), null);

/** A record of an item whose kind this version does not know; null for an item that has none. */
export const unknownKind = (kind: string | null): StreamRecord =>
  recordOf(null, { PK: { S: 'CONN#x' }, SK: { S: 'CONN#x' }, ...(kind !== null && { kind: { S: kind } }) });

/** A membership, as it was sound once, that lost its public register. */
export function brokenMembership(userId: string, read = 5): Item {
  const { public: lost, ...rest } = membership(userId, read);
  return { PK: { S: `USER#${userId}` }, SK: { S: `GROUP#${G}` }, ...rest };
}

/** A member whose membership breaks. */
export const breakMembership = (userId: string): StreamRecord =>
  recordOf(membership(userId, 5), brokenMembership(userId));

/** A dead-letter queue that keeps its messages, except those that a test makes it refuse. */
export class KeptLetters implements DeadLetterQueue {
  readonly functionName = 'a-function';
  readonly messages: string[] = [];
  /** The number of calls. */
  tries = 0;
  isDown = false;

  async send(message: string): Promise<void> {
    this.tries += 1;
    if (this.isDown) throw new Error('the queue is down');
    this.messages.push(message);
  }

  get letters(): Record<string, unknown>[] {
    return this.messages.map((message) => JSON.parse(message) as Record<string, unknown>);
  }
}
