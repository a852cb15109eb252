import type { GroupId, UserId } from '../domain/ids.ts';
import type { MembershipState } from '../domain/membership.ts';
import type { Position } from '../domain/position.ts';
import type { CacheConnection } from './connection.ts';
import { keysOf, ONLINE_KEY } from './keys.ts';
import { endsOf, type MessageRange } from './message-range.ts';
import { arrayIn, membershipIn, positionIn, userIn } from './replies.ts';

/**
 * Whether a user is connected. `unknown`: ask the ledger. `seen` belongs to what was read: `noteOffline` compares it.
 */
export interface Presence {
  readonly userId: UserId;
  readonly state: 'online' | 'offline' | 'unknown';
  readonly seen: string;
}

/** Whom a move of a member concerns. */
export interface Concerned {
  /** The member's state in the cache. Null means "read the ledger". */
  readonly state: MembershipState | null;
  readonly member: Presence;
  /** The senders of the newest messages in the range, without the member. */
  readonly senders: readonly Presence[];
  /** The range reaches below the messages that the cache holds: senders may be missing. */
  readonly isTooShort: boolean;
}

export interface LiveCacheOptions {
  /** The longest life of a connection, in milliseconds. */
  readonly connectionLifeMs: number;
  readonly nowMs: () => number;
}

/** Only the senders of this many newest messages get receipts, with the cache and without. */
export const MOST_MESSAGES = 100;

/** What the cache knows of connections, and of whom a move concerns. It may be lost at any time. */
export class LiveCache {
  readonly #connection: CacheConnection;
  readonly #options: LiveCacheOptions;

  constructor(connection: CacheConnection, options: LiveCacheOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  /** Notes that a user is connected. False if the cache does not answer. One call. */
  async noteOnline(userId: UserId, connectedAtMs: number): Promise<boolean> {
    const { connectionLifeMs, nowMs } = this.#options;
    const times = [connectedAtMs + connectionLifeMs, nowMs(), connectionLifeMs].map(String);
    return (await this.#connection.run('noteOnline', [ONLINE_KEY], [userId, ...times], () => true)) ?? false;
  }

  /** Notes that users have no connections, unless one was opened since `seen`. One call. */
  async noteOffline(users: readonly Presence[]): Promise<void> {
    const { connectionLifeMs, nowMs } = this.#options;
    const seen = users.flatMap((user) => [user.userId, user.seen]);
    const times = [nowMs(), connectionLifeMs].map(String);
    await this.#connection.run('noteOffline', [ONLINE_KEY], [...times, ...seen], () => true);
  }

  /** Forgets a user whose connections were opened by a time and are closed now. One opened later stays. One call. */
  async forgetOnline(userId: UserId, connectedByMs: number): Promise<boolean> {
    const score = String(connectedByMs + this.#options.connectionLifeMs);
    return (await this.#connection.run('forgetOnline', [ONLINE_KEY], [userId, score], () => true)) ?? false;
  }

  /**
   * Returns whom a move concerns, and whether they are connected; 'nobody' if nobody at all is connected; null if the cache
   * does not answer. Without a range there are no senders. One call.
   */
  async findOnline(
    groupId: GroupId,
    userId: UserId,
    range: MessageRange | null,
  ): Promise<Concerned | 'nobody' | null> {
    const { connectionLifeMs, nowMs } = this.#options;
    const { messages, members } = keysOf(groupId);
    const bounds = range ? endsOf(range) : ['', ''];
    const settings = [String(nowMs()), String(connectionLifeMs), ...bounds, String(MOST_MESSAGES)];
    return this.#connection.run(
      'findOnline',
      [ONLINE_KEY, messages, members],
      [userId, ...settings],
      (reply) => (reply === null ? 'nobody' : concernedOf(userId, range, arrayIn(reply))),
    );
  }

  /** The newest messages of a user in a range, the newest first. Null if the cache does not know all of them. One call. */
  async ownMessages(
    groupId: GroupId,
    userId: UserId,
    range: MessageRange,
    most: number,
  ): Promise<Position[] | null> {
    const { messages } = keysOf(groupId);
    return this.#connection.run(
      'ownMessages',
      [messages],
      [userId, ...endsOf(range), String(most)],
      (reply) => (reply === null ? null : arrayIn(reply).flatMap((position) => positionIn(position) ?? [])),
    );
  }
}

function concernedOf(userId: UserId, range: MessageRange | null, reply: readonly unknown[]): Concerned {
  const [text, floorText, found, member, ...pairs] = reply;
  const floor = positionIn(floorText);
  const isCovered = !range || (floor !== null && range.from >= floor) || Number(found) >= MOST_MESSAGES;
  const senders: Presence[] = [];
  for (let index = 0; index < pairs.length; index += 2) {
    senders.push(presenceOf(userIn(pairs[index]), pairs[index + 1]));
  }
  return {
    state: membershipIn(text),
    member: presenceOf(userId, member),
    senders,
    isTooShort: !isCovered,
  };
}

function presenceOf(userId: UserId, reply: unknown): Presence {
  const [state, seen = ''] = String(reply).split(' ');
  if (state !== 'online' && state !== 'offline' && state !== 'unknown') {
    throw new Error(`the cache replied no presence: ${reply}`);
  }
  return { userId, state, seen };
}
