import { type GroupId, type Member, NOBODY, type UserId } from '../domain/ids.ts';
import type { EarlyMark } from '../domain/mark.ts';
import type { MembershipState } from '../domain/membership.ts';
import type { Message } from '../domain/message.ts';
import type { Position } from '../domain/position.ts';
import type { CacheConnection } from './connection.ts';
import { keysOf } from './keys.ts';
import { encodeMembership } from './membership-text.ts';
import { encodePosition } from './position-text.ts';
import { ReceiptsIndex } from './receipts-index.ts';
import { arrayIn, earlyMarksIn, membershipIn, positionIn, usersIn } from './replies.ts';

/** One thing that the cache merges about a group. Values come from the ledger. */
export type Change =
  | { readonly kind: 'member'; readonly userId: UserId; readonly state: MembershipState }
  /** A member's state that may be old. It is merged only if the cache holds the member already. */
  | { readonly kind: 'known-member'; readonly userId: UserId; readonly state: MembershipState }
  /** The member's own view is about to go back; see mark-unread.ts. */
  | { readonly kind: 'doubt'; readonly userId: UserId; readonly doubt: string }
  /** Ends a doubt: the cache now holds the new own view, or the ledger was not written. */
  | { readonly kind: 'settled'; readonly userId: UserId; readonly doubt: string }
  /** A clamped mark, whose message is not recorded yet. The cache keeps it for a minute. */
  | { readonly kind: 'early'; readonly mark: EarlyMark }
  /** The member has just joined. Comes in addition to `member`. */
  | { readonly kind: 'joined'; readonly userId: UserId }
  | { readonly kind: 'head'; readonly position: Position }
  /** A head that may be old. It is merged only if the cache holds a head already. */
  | { readonly kind: 'known-head'; readonly position: Position }
  | { readonly kind: 'message'; readonly message: Message }
  | { readonly kind: 'load'; readonly token: string }
  | { readonly kind: 'loaded'; readonly token: string; readonly above: Position }
  /** A step of a load of the receipts: all members up to this one are merged, and the lease is extended. */
  | {
      readonly kind: 'index';
      readonly token: string;
      readonly leaseEndMs: number;
      readonly lastUserId: UserId;
    }
  | { readonly kind: 'indexed'; readonly token: string }
  /** The member found behind all others in a search of the ledger. Nobody searches again until it moves. */
  | { readonly kind: 'laggard'; readonly userId: UserId };

/** The changes for several members that were just read from the ledger. */
export function memberChanges(states: Iterable<readonly [UserId, MembershipState]>): Change[] {
  return [...states].map(([userId, state]) => ({ kind: 'member', userId, state }));
}

/** What the cache knows of a group for one member. Null means "read the ledger", never "there is none". */
export interface View {
  readonly state: MembershipState | null;
  /** The start if no message is recorded. */
  readonly head: Position | null;
  readonly window: Window | null;
}

/** The messages in the cache: all above `floor`. `unread` counts those of others above the member's own view. */
export interface Window {
  readonly floor: Position;
  readonly unread: number;
  /** The number of messages in the window. It may be 0 if the own view is not below the floor: then nobody needs it. */
  readonly kept: number;
}

/** The reply to a merge of records of the stream. */
export interface NewsReply {
  /**
   * How far everyone has read; or, at or below the position asked for, how far one member has
   * who is behind. Null if unknown.
   */
  readonly everyoneAt: Position | null;
  /** Merged members whom the index lacks: their join did not reach the cache, or they have left since. */
  readonly strangers: readonly UserId[];
  /** Members who joined a moment ago, whom the ledger's list may lack. Empty if no position was asked for. */
  readonly recent: readonly UserId[];
}

/** The reply to a doubt: the view at that moment. */
export interface Doubted {
  readonly view: View;
  /** The doubt was stored and must be settled. False if the cache does not hold the member. */
  readonly isNoted: boolean;
}

/** What the cache knows of a member, and how some messages relate to it. */
export interface Statuses {
  readonly state: MembershipState | null;
  readonly whose: readonly Whose[] | null;
}

/** What the cache knows of one group of the inbox. The window is null if nothing is above the position read up to. */
export type InboxView = Pick<View, 'head' | 'window'>;

/**
 * How a message relates to a member. `below`: at or below the own view. `own`: sent by the member. `other`: sent by
 * another user or not recorded. `unknown`: read the ledger.
 */
export type Whose = 'below' | 'own' | 'other' | 'unknown';

export interface GroupCacheOptions {
  /** The most messages of a group that are kept. */
  readonly capacity: number;
  /**
   * The most unread messages that are counted. Below `capacity`, so that the window nearly always decides the count.
   */
  readonly unreadLimit: number;
  /** How long the keys of a group live after their last change, in milliseconds. */
  readonly idleMs: number;
  /** How long the receipts of a group live after a member last read them, in milliseconds. */
  readonly receiptsIdleMs: number;
  readonly nowMs?: () => number;
}

const DAY_MS = 86_400_000;

/** Longer than the write of the ledger between a doubt and its settling can take. */
const DOUBT_MS = 30_000;

/** The most early marks that one merge returns. */
const DUE_AT_ONCE = 100;

export const DEFAULT_GROUP_CACHE: GroupCacheOptions = {
  capacity: 5_500,
  unreadLimit: 5_000,
  idleMs: 7 * DAY_MS,
  receiptsIdleMs: DAY_MS,
};

/** The cache of all groups. It holds only values that the ledger has returned, and may lose any of them at any time. */
export class GroupCache {
  readonly capacity: number;
  readonly unreadLimit: number;
  readonly receipts: ReceiptsIndex;
  readonly #connection: CacheConnection;
  readonly #idleMs: number;
  readonly #nowMs: () => number;

  constructor(connection: CacheConnection, options: GroupCacheOptions = DEFAULT_GROUP_CACHE) {
    this.#connection = connection;
    this.capacity = options.capacity;
    this.unreadLimit = options.unreadLimit;
    this.#idleMs = options.idleMs;
    this.#nowMs = options.nowMs ?? Date.now;
    this.receipts = new ReceiptsIndex(connection, options);
  }

  /**
   * Reads what a member sees. If `aboutToRead` is above the own view, the reply has no window: the unread count is
   * needed only after the mark. Null if the cache does not answer. One call.
   */
  async read({ groupId, userId }: Member, aboutToRead: Position | null = null): Promise<View | null> {
    const { members, messages, head, doubts } = keysOf(groupId);
    const position = aboutToRead === null ? '' : encodePosition(aboutToRead);
    return this.#connection.run(
      'readView',
      [members, messages, head, doubts],
      [userId, String(this.#nowMs()), position],
      viewOf,
    );
  }

  /**
   * Reads what a member sees, and stores a doubt if the cache holds the member: no call returns its own view from the
   * cache until the doubt is settled or half a minute has passed. For any other user nothing is stored. Null if the
   * cache does not answer. One call.
   */
  async doubt({ groupId, userId }: Member, doubt: string): Promise<Doubted | null> {
    const { members, messages, head, doubts } = keysOf(groupId);
    const now = this.#nowMs();
    return this.#connection.run(
      'doubtMember',
      [members, messages, head, doubts],
      [userId, String(now), String(now + DOUBT_MS), doubt],
      (reply) => {
        const [view, isNoted] = arrayIn(reply, 2);
        return { view: viewOf(view), isNoted: isNoted === 1 };
      },
    );
  }

  /**
   * Reads a member, and how the messages at these positions relate to it. `whose` is null if the cache does not hold
   * the member. Null if the cache does not answer. One call.
   */
  async readStatuses({ groupId, userId }: Member, positions: readonly Position[]): Promise<Statuses | null> {
    const { members, messages, doubts } = keysOf(groupId);
    return this.#connection.run(
      'readStatuses',
      [members, messages, doubts],
      [userId, String(this.#nowMs()), ...positions.map(encodePosition)],
      (reply) => statusesOf(reply, positions.length),
    );
  }

  /**
   * Reads heads and windows of groups, given how far the user has read in each. Null if the
   * cache does not answer. One call.
   */
  async readInbox(
    userId: UserId,
    groups: readonly { readonly groupId: GroupId; readonly readUpTo: Position }[],
  ): Promise<InboxView[] | null> {
    const keys = groups.map(({ groupId }) => keysOf(groupId));
    return this.#connection.run(
      'readInbox',
      [...keys.map(({ head }) => head), ...keys.map(({ messages }) => messages)],
      [userId, ...groups.map(({ readUpTo }) => encodePosition(readUpTo))],
      (reply) => arrayIn(reply, groups.length).map(inboxViewOf),
    );
  }

  /** Merges changes and returns what a member then sees. Null if the cache does not answer. One call. */
  async mergeFor({ groupId, userId }: Member, changes: readonly Change[]): Promise<View | null> {
    return this.#merge(groupId, { viewer: userId }, changes, viewOf);
  }

  /** Merges changes. False if the cache does not answer. One call. */
  async merge(groupId: GroupId, changes: readonly Change[]): Promise<boolean> {
    return (await this.#merge(groupId, {}, changes, () => true)) ?? false;
  }

  /**
   * Merges changes from the ledger's stream, which may be old. If `asked` is not null, also returns how far everyone
   * has read. Null if the cache does not answer. One call.
   */
  async mergeNews(
    groupId: GroupId,
    changes: readonly Change[],
    asked: Position | null,
  ): Promise<NewsReply | null> {
    return this.#merge(groupId, { asked }, changes, newsReplyOf);
  }

  /**
   * Merges the changes of a recorded message. Removes the early marks at or below the head from the cache and returns
   * them, to be applied now. Null if the cache does not answer. One call.
   */
  async mergeRecorded(groupId: GroupId, changes: readonly Change[]): Promise<readonly EarlyMark[] | null> {
    return this.#merge(groupId, { dueAtOnce: DUE_AT_ONCE }, changes, (reply) =>
      earlyMarksIn(arrayIn(reply, NEWS_LENGTH)[3]),
    );
  }

  /** Whether the cache answers. One call. */
  async probe(): Promise<boolean> {
    return (await this.read(NOBODY)) !== null;
  }

  /**
   * Connects before the first request; then makes a read and an empty merge, and runs `rehearse`, unless `end` comes
   * first. Nothing is left in the cache.
   */
  async rehearse(rehearse: () => Promise<unknown>, end: AbortSignal): Promise<void> {
    await this.#connection.rehearse(async () => {
      if (await this.probe()) await this.mergeFor(NOBODY, []);
      await rehearse();
    }, end);
  }

  async #merge<T>(
    groupId: GroupId,
    {
      viewer = '' as UserId,
      asked = null,
      dueAtOnce = 0,
    }: { readonly viewer?: UserId; readonly asked?: Position | null; readonly dueAtOnce?: number },
    changes: readonly Change[],
    read: (reply: unknown) => T,
  ): Promise<T | null> {
    const { members, messages, receipts, head, joined, doubts, early } = keysOf(groupId);
    const now = this.#nowMs();
    const settings = [now, this.#idleMs, this.capacity].map(String);
    const entries = changes.flatMap((change) => entryOf(change, now));
    const due = dueAtOnce > 0 ? ['due', String(dueAtOnce)] : [];
    return this.#connection.run(
      'mergeGroup',
      [members, messages, receipts, head, joined, doubts, early],
      [...settings, viewer, asked ? encodePosition(asked) : '', ...entries, ...due],
      read,
    );
  }
}

function entryOf(change: Change, now: number): string[] {
  switch (change.kind) {
    case 'member':
      return ['member', change.userId, encodeMembership(change.state)];
    case 'known-member':
      return ['known-member', change.userId, encodeMembership(change.state)];
    case 'doubt':
      return ['doubt', change.userId, String(now + DOUBT_MS), change.doubt];
    case 'settled':
      return ['settled', change.userId, change.doubt];
    case 'early': {
      const { userId, position, generation, revision, kind } = change.mark;
      return ['early', userId, encodePosition(position), String(generation), String(revision), kind];
    }
    case 'joined':
      return ['joined', change.userId];
    case 'head':
    case 'known-head':
      return [change.kind, encodePosition(change.position)];
    case 'message': {
      const { senderId, deleted } = change.message;
      const position = encodePosition(change.message.position);
      if (deleted) return ['deleted', position];
      return senderId ? ['sent', position, senderId] : [];
    }
    case 'load':
      return ['load', change.token];
    case 'loaded':
      return ['loaded', change.token, encodePosition(change.above)];
    case 'index':
      return ['index', change.token, String(change.leaseEndMs), change.lastUserId];
    case 'indexed':
      return ['indexed', change.token];
    case 'laggard':
      return ['laggard', change.userId];
  }
}

/** Decodes the reply of `view` in group-view.lua. Throws on any other. */
function viewOf(reply: unknown): View {
  const [state, head, ...window] = arrayIn(reply, 5);
  return {
    state: membershipIn(state),
    head: positionIn(head),
    window: windowOf(window),
  };
}

function statusesOf(reply: unknown, length: number): Statuses {
  const [text, ...whose] = arrayIn(reply);
  const state = membershipIn(text);
  if (!state) return { state: null, whose: null };
  if (whose.length !== length) throw new Error(`the cache replied ${whose.length} of ${length} statuses`);
  return { state, whose: whose as Whose[] };
}

/** The length of the reply of merge-group.lua without a view. */
const NEWS_LENGTH = 4;

function newsReplyOf(reply: unknown): NewsReply {
  const [everyoneAt, strangers, recent] = arrayIn(reply, NEWS_LENGTH);
  return { everyoneAt: positionIn(everyoneAt), strangers: usersIn(strangers), recent: usersIn(recent) };
}

function inboxViewOf(reply: unknown): InboxView {
  const [head, ...window] = arrayIn(reply, 4);
  return { head: positionIn(head), window: windowOf(window) };
}

function windowOf([floor, unread, kept]: readonly unknown[]): Window | null {
  const known = positionIn(floor);
  return known && { floor: known, unread: Number(unread), kept: Number(kept) };
}
