import type { GroupId, UserId } from '../shared/domain/ids.ts';
import { advance, deliver, joinAt, type Membership } from '../shared/domain/membership.ts';
import { type Position, parseMessageId, START } from '../shared/domain/position.ts';

export interface PopulationMember {
  readonly userId: UserId;
  readonly membership: Membership;
}

export interface PopulationMessage {
  readonly position: Position;
  readonly senderId: UserId;
}

/** A generated group. The same size and kind give the same group in every run. */
export interface Population {
  readonly groupId: GroupId;
  /** Ordered by user id, like the ledger's list. */
  readonly members: readonly PopulationMember[];
  /** Oldest first. */
  readonly messages: readonly PopulationMessage[];
}

/** 'worst' costs the most memory: all members joined late, and have received more than they have read. */
export type PopulationKind = 'mixed' | 'worst';

/** The length of a ULID. */
export const USER_ID_LENGTH = 26;
/** The length of most names and numbers. */
export const SHORT_ID_LENGTH = 12;
export const MESSAGES = 5_000;
export const NEWEST = 1_000;
export const SHARE_FROM_START = 0.25;
export const SHARE_DELIVERY_AHEAD = 0.05;

const SENDERS = 20;

/** A Snowflake of 2025, and the average distance to a group's next message. A double cannot hold these ids. */
const FIRST_MESSAGE_ID = 1_370_000_000_000_000_000n;
const MESSAGE_DISTANCE = 251_658_241n;

const BEGUN_MS = Date.UTC(2025, 0, 1);
const DAY_MS = 86_400_000;

export function populationOf(
  kind: PopulationKind,
  size: number,
  idLength: number = USER_ID_LENGTH,
): Population {
  const random = randomOf(size);
  const below = (limit: number) => Math.floor(random() * limit);
  const positions = Array.from({ length: MESSAGES }, (_, index) =>
    positionOf(FIRST_MESSAGE_ID + BigInt(index) * MESSAGE_DISTANCE),
  );
  const at = (index: number) => positions[index] ?? START;
  const oldestMark = MESSAGES - NEWEST;

  const members = Array.from({ length: size }, (_, index): PopulationMember => {
    const isFromStart = kind === 'mixed' && index < size * SHARE_FROM_START;
    const isDeliveryAhead = kind === 'worst' || random() < SHARE_DELIVERY_AHEAD;
    const joinedAfter = isFromStart ? -1 : below(kind === 'worst' ? oldestMark : MESSAGES);
    const earliest = Math.max(joinedAfter, oldestMark);
    const last = isDeliveryAhead ? MESSAGES - 1 : MESSAGES;
    const read = earliest + below(last - earliest);
    const joined = joinAt(at(joinedAfter), BEGUN_MS + below(DAY_MS));
    const readAt = BEGUN_MS + DAY_MS + below(DAY_MS);
    const marked = advance(joined, at(read), readAt);
    return {
      userId: userIdOf(idLength, below),
      membership: isDeliveryAhead
        ? deliver(marked, at(read + 1 + below(MESSAGES - 1 - read)), readAt + below(DAY_MS))
        : marked,
    };
  });
  const senders = members.slice(0, SENDERS).map(({ userId }) => userId);
  const messages = positions.map((position) => {
    const senderId = senders[below(senders.length)];
    if (!senderId) throw new Error('a group without members has no senders');
    return { position, senderId };
  });
  return {
    groupId: `bench-${kind}-${size}` as GroupId,
    members: members.toSorted((a, b) => (a.userId < b.userId ? -1 : 1)),
    messages,
  };
}

function positionOf(messageId: bigint): Position {
  const position = parseMessageId(String(messageId));
  if (!position) throw new Error(`not a message id: ${messageId}`);
  return position;
}

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

function userIdOf(length: number, below: (limit: number) => number): UserId {
  let id = '01J';
  while (id.length < length) id += CROCKFORD[below(CROCKFORD.length)];
  return id as UserId;
}

/** The minimal standard generator of Park and Miller, with their later multiplier. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}
