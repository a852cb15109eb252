import { type GroupId, NOBODY, NOBODYS_GROUP, type UserId } from '../domain/ids.ts';
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

/** Something that the ledger has said of a group. */
export type Change =
  | { readonly kind: 'member'; readonly userId: UserId; readonly state: MembershipState }
  /** The same, of a moment that may be long past: it brings no member into the cache that is not there. */
  | { readonly kind: 'known-member'; readonly userId: UserId; readonly state: MembershipState }
  /** The member's own view is about to go back; see `GroupCache.doubt`. */
  | { readonly kind: 'doubt'; readonly userId: UserId; readonly doubt: string }
  /** A doubt has come to its end: the cache holds what the ledger then held, or the ledger was not written. */
  | { readonly kind: 'settled'; readonly userId: UserId; readonly doubt: string }
  /** A mark that was clamped, since its message is not recorded yet. It waits for a minute. */
  | { readonly kind: 'early'; readonly mark: EarlyMark }
  /** Who has just joined, besides what it is as a member. */
  | { readonly kind: 'joined'; readonly userId: UserId }
  | { readonly kind: 'head'; readonly position: Position }
  /** The same, of a moment that may be long past: it brings no head into the cache where there is none. */
  | { readonly kind: 'known-head'; readonly position: Position }
  | { readonly kind: 'message'; readonly message: Message }
  | { readonly kind: 'load'; readonly token: string }
  | { readonly kind: 'loaded'; readonly token: string; readonly above: Position }
  /** Of a load of the receipts, the members up to this one are told; whoever loads goes on until the lease ends. */
  | {
      readonly kind: 'index';
      readonly token: string;
      readonly leaseEndMs: number;
      readonly lastUserId: UserId;
    }
  | { readonly kind: 'indexed'; readonly token: string }
  /** A member whom, as it seems, nobody's public watermark is behind. */
  | { readonly kind: 'laggard'; readonly userId: UserId };

/** What the ledger has just told of several members. */
export function memberChanges(states: Iterable<readonly [UserId, MembershipState]>): Change[] {
  return [...states].map(([userId, state]) => ({ kind: 'member', userId, state }));
}

/** What the cache knows of a group for one member. Null is "ask the ledger", never "there is none". */
export interface View {
  readonly state: MembershipState | null;
  /** The start where no message is recorded. */
  readonly head: Position | null;
  readonly window: Window | null;
}

/** The messages kept: all above `floor`. `unread` of them are above the member's own view and of others. */
export interface Window {
  readonly floor: Position;
  readonly unread: number;
  /** Told where the member's own view is below the floor. */
  readonly kept: number;
}

/** What the cache says to news of what the ledger said at some time. */
export interface NewsReply {
  /** How far everyone has read, or a position up to the one asked that somebody is known not to be past. */
  readonly everyoneAt: Position | null;
  /** Of the members told, those whom an index of all members lacks: they joined unheard, or have left since. */
  readonly strangers: readonly UserId[];
  /** Who joined of late, and may be missing from the ledger's list of members; where a position was asked. */
  readonly recent: readonly UserId[];
}

/** What the cache knew when a member's own view came into doubt. */
export interface Doubted {
  readonly view: View;
  /** The doubt is noted, and must be settled. It is not where the cache does not hold the member. */
  readonly isNoted: boolean;
}

/** What the cache knows of a member, and whose some messages are. */
export interface Statuses {
  readonly state: MembershipState | null;
  readonly whose: readonly Whose[] | null;
}

/** What the inbox shows of one group. The window is told only where the head is past the position read up to. */
export type InboxView = Pick<View, 'head' | 'window'>;

/** How a message relates to a member: at or below the own view, sent by it, sent by another one or not recorded. */
export type Whose = 'below' | 'own' | 'other' | 'unknown';

export interface GroupCacheOptions {
  /** How many messages of a group are kept. */
  readonly capacity: number;
  /** How many unread messages are counted at most. Less than `capacity`: then what is kept decides nearly always. */
  readonly unreadLimit: number;
  /** How long a group that does not change is kept, in milliseconds. */
  readonly idleMs: number;
  /** How long the receipts of a group that nobody asks for are kept, in milliseconds. */
  readonly receiptsIdleMs: number;
  readonly nowMs?: () => number;
}

const DAY_MS = 86_400_000;

/** Longer than whoever doubts may take to write the ledger. */
const DOUBT_MS = 30_000;

/** Early marks that are made good in one go. */
const DUE_AT_ONCE = 100;

export const DEFAULT_GROUP_CACHE: GroupCacheOptions = {
  capacity: 5_500,
  unreadLimit: 5_000,
  idleMs: 7 * DAY_MS,
  receiptsIdleMs: DAY_MS,
};

/** The cache, group by group. It holds only what the ledger has said, and may lose any of it at any time. */
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
   * Null when the cache does not answer. One call. Whoever is about to read further than the cache knows says so, and is
   * told no window: what is unread is then better asked when it has been done.
   */
  async read(groupId: GroupId, userId: UserId, aboutToRead: Position | null = null): Promise<View | null> {
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
   * Reads. Where the cache holds the member, nobody takes its own view from there until the doubt is settled or half a
   * minute has gone by. Of anybody else nothing is left in the cache. Null when the cache does not answer. One call.
   */
  async doubt(groupId: GroupId, userId: UserId, doubt: string): Promise<Doubted | null> {
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
   * The member, and whose the messages at these positions are. `whose` is null where the member is not known; the whole
   * is null when the cache does not answer. One call.
   */
  async readStatuses(
    groupId: GroupId,
    userId: UserId,
    positions: readonly Position[],
  ): Promise<Statuses | null> {
    const { members, messages, doubts } = keysOf(groupId);
    return this.#connection.run(
      'readStatuses',
      [members, messages, doubts],
      [userId, String(this.#nowMs()), ...positions.map(encodePosition)],
      (reply) => statusesOf(reply, positions.length),
    );
  }

  /** What is unread of groups, in their order, given how far the user has read in each. One call. */
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

  /** Merges what the ledger said, and tells what a member then sees. Null when the cache does not answer. One call. */
  async mergeFor(groupId: GroupId, userId: UserId, changes: readonly Change[]): Promise<View | null> {
    return this.#merge(groupId, { viewer: userId }, changes, viewOf);
  }

  /** Merges what the ledger said. False when the cache does not answer. One call. */
  async merge(groupId: GroupId, changes: readonly Change[]): Promise<boolean> {
    return (await this.#merge(groupId, {}, changes, () => true)) ?? false;
  }

  /**
   * Merges what the ledger said at some time, and tells how far everyone has read where a position is asked. Null when
   * the cache does not answer. One call.
   */
  async mergeNews(
    groupId: GroupId,
    changes: readonly Change[],
    asked: Position | null,
  ): Promise<NewsReply | null> {
    return this.#merge(groupId, { asked }, changes, newsReplyOf);
  }

  /**
   * Merges what the ledger said after a message was recorded, and takes out the early marks at or below the head, which
   * are to be made good now. Null when the cache does not answer. One call.
   */
  async mergeRecorded(groupId: GroupId, changes: readonly Change[]): Promise<readonly EarlyMark[] | null> {
    return this.#merge(groupId, { dueAtOnce: DUE_AT_ONCE }, changes, (reply) =>
      earlyMarksIn(arrayIn(reply, NEWS_LENGTH)[3]),
    );
  }

  /** Whether the cache answers. One call. */
  async probe(): Promise<boolean> {
    return (await this.read(NOBODYS_GROUP, NOBODY)) !== null;
  }

  /**
   * Connects ahead of the first request, then makes a read and a merge of nothing, and what else `rehearse` does, until
   * `end`. Nothing is left in the cache.
   */
  async rehearse(rehearse: () => Promise<unknown>, end: AbortSignal): Promise<void> {
    await this.#connection.rehearse(async () => {
      if (await this.probe()) await this.mergeFor(NOBODYS_GROUP, NOBODY, []);
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

/** Reads the reply of `view` in group-view.lua. Throws on any other. */
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

/** What `mergeGroup` replies where nobody's view is asked. */
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
