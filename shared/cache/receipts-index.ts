import type { Head } from '../domain/head.ts';
import { type GroupId, type Member, parseUserId, type UserId } from '../domain/ids.ts';
import type { Membership, MembershipState } from '../domain/membership.ts';
import type { Receipt, ReceiptState } from '../domain/message.ts';
import type { Position } from '../domain/position.ts';
import type { CacheConnection } from './connection.ts';
import { keysOf } from './keys.ts';
import { decodePosition, encodePosition } from './position-text.ts';
import { arrayIn, headIn, membershipIn, positionIn, userIn, usersIn } from './replies.ts';

/** A message to count receipts for. If the sender is not given, the cache looks it up. */
export interface ReceiptQuery {
  readonly position: Position;
  readonly senderId?: UserId;
}

/** What the cache knows of the receipts of some messages, and of the caller. */
export interface Counted {
  /** The caller's state in the cache. Null means "read the ledger". */
  readonly caller: MembershipState | null;
  /** Null means "read the ledger". */
  readonly head: Head | null;
  /** Every message above it is in the cache; null if no window is loaded. */
  readonly floor: Position | null;
  /** The number of messages in the cache; 0 if the group is not indexed. */
  readonly kept: number;
  /** In the order of the queries, null for a message that is not in the cache. Null if the group is not indexed. */
  readonly receipts: readonly (Receipt | null)[] | null;
}

/** A place in a list, which is ordered by position, then user. */
export interface ListEntry {
  readonly position: Position;
  readonly userId: UserId;
}

export interface ListedMember extends ListEntry {
  readonly membership: Membership;
}

/** Members in order. The next page begins after `next`; null if there is none. */
export interface ReceiptsPage {
  readonly members: readonly ListedMember[];
  readonly next: ListEntry | null;
}

export type Claim =
  | { readonly outcome: 'indexed' | 'loading' }
  | {
      readonly outcome: 'claimed';
      readonly token: string;
      readonly after: UserId | null;
      /** Members who joined a moment ago, whom the ledger's list may lack. */
      readonly recent: readonly UserId[];
    };

export interface ReceiptsIndexOptions {
  readonly idleMs: number;
  readonly receiptsIdleMs: number;
}

/** The most members that one page reads. Members who joined after the message are read too, but not returned. */
const MOST_READ = 2_000;

/**
 * For each list: the side of the message that its members are on, and their sections of the index
 * (receipts-index.lua).
 */
const LISTS: Record<ReceiptState, readonly ['from' | 'below', ...string[]]> = {
  read: ['from', 'p', 'q'],
  unread: ['below', 'p', 'q'],
  delivered: ['from', 'p', 'd'],
};

/** The members of a group, ordered by their public registers, so that counts and lists need not read all of them. */
export class ReceiptsIndex {
  readonly #connection: CacheConnection;
  readonly #options: ReceiptsIndexOptions;

  constructor(connection: CacheConnection, options: ReceiptsIndexOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  /** Counts the receipts of messages. Null if the cache does not answer. One call. */
  async count({ groupId, userId }: Member, queries: readonly ReceiptQuery[]): Promise<Counted | null> {
    const { members, messages, receipts, head } = keysOf(groupId);
    return this.#connection.run(
      'countReceipts',
      [members, messages, receipts, head],
      [
        ...[userId, String(this.#options.receiptsIdleMs)],
        ...queries.flatMap(({ position, senderId = '' }) => [encodePosition(position), senderId]),
      ],
      (reply) => countedOf(reply, queries),
    );
  }

  /** Lists members by state. 'missing' if the group is not indexed; null if the cache does not answer. One call. */
  async list(
    groupId: GroupId,
    { position, senderId }: Required<ReceiptQuery>,
    state: ReceiptState,
    limit: number,
    after: ListEntry | null,
  ): Promise<ReceiptsPage | 'missing' | null> {
    const { members, receipts } = keysOf(groupId);
    const [side, ...sections] = LISTS[state];
    const start = after ? `${encodePosition(after.position)}|${after.userId}` : '';
    return this.#connection.run(
      'listReceipts',
      [members, receipts],
      [encodePosition(position), senderId, side, start, String(limit), String(MOST_READ), ...sections],
      (reply) => (reply === null ? 'missing' : pageOf(arrayIn(reply, sections.length), limit)),
    );
  }

  /** Claims the load of the index until the lease ends. Null if the cache does not answer. One call. */
  async claim(groupId: GroupId, token: string, nowMs: number, leaseEndMs: number): Promise<Claim | null> {
    const { members, receipts, joined } = keysOf(groupId);
    const { idleMs, receiptsIdleMs } = this.#options;
    return this.#connection.run(
      'claimIndex',
      [members, receipts, joined],
      [token, ...[nowMs, leaseEndMs, idleMs, receiptsIdleMs].map(String)],
      claimOf,
    );
  }
}

function countedOf(reply: unknown, queries: readonly ReceiptQuery[]): Counted {
  const [caller, head, isIndexed, floor, kept, counts] = arrayIn(reply, 6);
  return {
    caller: membershipIn(caller),
    head: headIn(head),
    floor: positionIn(floor),
    kept: Number(kept),
    receipts: isIndexed
      ? arrayIn(counts, queries.length).map((count, index) => {
          const position = queries[index]?.position;
          return count === null || !position ? null : receiptOf(count, position);
        })
      : null,
  };
}

function receiptOf(count: unknown, position: Position): Receipt {
  const [senderId, audience, readCount, deliveredCount] = arrayIn(count, 4);
  return {
    position,
    senderId: userIn(senderId),
    audience: Number(audience),
    readCount: Number(readCount),
    deliveredCount: Number(deliveredCount),
  };
}

/**
 * Merges the entries of several sections into one page. If a section was not read to its end, the page ends where that
 * section stopped: its next entries may come before those of the other sections.
 */
function pageOf(sections: readonly unknown[], limit: number): ReceiptsPage {
  const stops: string[] = [];
  const found: { readonly entry: string; readonly text: string }[] = [];
  for (const section of sections) {
    const [stop, ...pairs] = arrayIn(section);
    if (typeof stop === 'string') stops.push(stop);
    for (let index = 0; index < pairs.length; index += 2) {
      found.push({ entry: String(pairs[index]), text: String(pairs[index + 1]) });
    }
  }
  const bound = stops.toSorted()[0];
  const inOrder = found.toSorted((a, b) => (a.entry < b.entry ? -1 : 1));
  const listed = inOrder.filter(({ entry }) => bound === undefined || entry <= bound).slice(0, limit);
  const isFull = listed.length === limit && (bound !== undefined || inOrder.length > limit);
  const next = isFull ? listed.at(-1)?.entry : bound;
  return {
    members: listed.flatMap(({ entry, text }) => {
      const membership = membershipIn(text);
      return membership?.kind === 'member' ? [{ ...entryOf(entry), membership }] : [];
    }),
    next: next === undefined ? null : entryOf(next),
  };
}

function entryOf(text: string): ListEntry {
  const separator = text.indexOf('|');
  return { position: decodePosition(text.slice(0, separator)), userId: userIn(text.slice(separator + 1)) };
}

function claimOf(reply: unknown): Claim {
  const [outcome, token, after, recent] = arrayIn(reply);
  if (outcome === 'indexed' || outcome === 'loading') return { outcome };
  if (outcome === 'claimed') {
    return { outcome, token: String(token), after: parseUserId(after), recent: usersIn(recent) };
  }
  throw new Error(`the cache replied no claim: ${outcome}`);
}
