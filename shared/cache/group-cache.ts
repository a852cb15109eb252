import { type GroupId, type Member, NOBODY, type UserId } from '../domain/ids.ts';
import type { EarlyMark } from '../domain/mark.ts';
import type { MembershipState } from '../domain/membership.ts';
import type { Position } from '../domain/position.ts';
import { type Change, due } from './changes.ts';
import type { CacheConnection } from './connection.ts';
import { keysOf } from './keys.ts';
import { encodeMembership } from './membership-text.ts';
import { encodePosition } from './position-text.ts';
import { ReceiptsIndex } from './receipts-index.ts';
import {
  arrayIn,
  type Doubted,
  doubtedIn,
  dueMarksIn,
  type InboxView,
  inboxViewIn,
  type MergedFromStream,
  mergedFromStreamIn,
  type Statuses,
  statusesIn,
  type View,
  viewIn,
} from './replies.ts';

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

/** The most groups that one script reads. */
const MOST_GROUPS = 500;

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
  readonly #options: GroupCacheOptions;
  readonly #idleMs: number;
  readonly #nowMs: () => number;

  constructor(connection: CacheConnection, options: GroupCacheOptions = DEFAULT_GROUP_CACHE) {
    this.#connection = connection;
    this.#options = options;
    this.capacity = options.capacity;
    this.unreadLimit = options.unreadLimit;
    this.#idleMs = options.idleMs;
    this.#nowMs = options.nowMs ?? Date.now;
    this.receipts = new ReceiptsIndex(connection, options);
  }

  /** The same cache, with another bound of unread counts. */
  countingUpTo(unreadLimit: number): GroupCache {
    return new GroupCache(this.#connection, { ...this.#options, unreadLimit });
  }

  /**
   * Reads what a member sees. If `markPosition`, which the member is about to mark, is above the own view, the reply
   * has no window: the unread count is needed only after the mark. Null if the cache does not answer. One call.
   */
  async read({ groupId, userId }: Member, markPosition: Position | null = null): Promise<View | null> {
    const { members, messages, head, doubts } = keysOf(groupId);
    const position = markPosition === null ? '' : encodePosition(markPosition);
    const settings = [this.#nowMs(), this.unreadLimit].map(String);
    return this.#connection.run(
      'readView',
      [members, messages, head, doubts],
      [userId, ...settings, position],
      viewIn,
    );
  }

  /**
   * Reads what a member sees, and stores a doubt if the cache holds the member: no call returns its own view from the
   * cache until the doubt is settled or half a minute has passed. For any other user nothing is stored. Null if the
   * cache does not answer. One call.
   */
  async doubt({ groupId, userId }: Member, token: string): Promise<Doubted | null> {
    const { members, messages, head, doubts } = keysOf(groupId);
    return this.#connection.run(
      'doubtMember',
      [members, messages, head, doubts],
      [userId, ...[this.#nowMs(), this.unreadLimit].map(String), token],
      doubtedIn,
    );
  }

  /**
   * Reads a member, and how the messages at these positions relate to it. Null if the cache does not answer. One call.
   */
  async readStatuses({ groupId, userId }: Member, positions: readonly Position[]): Promise<Statuses | null> {
    const { members, messages, doubts } = keysOf(groupId);
    return this.#connection.run(
      'readStatuses',
      [members, messages, doubts],
      [userId, String(this.#nowMs()), ...positions.map(encodePosition)],
      (reply) => statusesIn(reply, positions.length),
    );
  }

  /**
   * Reads heads and windows of groups, given how far the user has read in each. Null if the cache does not answer. One call
   * for each 500 groups, since a script stops all others while it runs.
   */
  async readInbox(
    userId: UserId,
    groups: readonly { readonly groupId: GroupId; readonly position: Position }[],
  ): Promise<InboxView[] | null> {
    const calls = Array.from({ length: Math.ceil(groups.length / MOST_GROUPS) }, (_, call) =>
      this.#readInbox(userId, groups.slice(call * MOST_GROUPS, (call + 1) * MOST_GROUPS)),
    );
    const views = await Promise.all(calls);
    return views.every((some) => some !== null) ? views.flat() : null;
  }

  async #readInbox(
    userId: UserId,
    groups: readonly { readonly groupId: GroupId; readonly position: Position }[],
  ): Promise<InboxView[] | null> {
    const keys = groups.map(({ groupId }) => keysOf(groupId));
    return this.#connection.run(
      'readInbox',
      [...keys.map(({ head }) => head), ...keys.map(({ messages }) => messages)],
      [userId, String(this.unreadLimit), ...groups.map(({ position }) => encodePosition(position))],
      (reply) => arrayIn(reply, groups.length).map(inboxViewIn),
    );
  }

  /** Merges a user's memberships in some groups, which the ledger has just returned. False if the cache does not answer. One call. */
  async mergeMember(
    userId: UserId,
    states: readonly { readonly groupId: GroupId; readonly state: MembershipState }[],
  ): Promise<boolean> {
    const keys = states.flatMap(({ groupId }) => {
      const { members, receipts, doubts, head } = keysOf(groupId);
      return [members, receipts, doubts, head];
    });
    const settings = [this.#nowMs(), this.#idleMs].map(String);
    const texts = states.map(({ state }) => encodeMembership(state));
    const isMerged = await this.#connection.run(
      'mergeMember',
      keys,
      [...settings, userId, ...texts],
      () => true,
    );
    return isMerged ?? false;
  }

  /** Merges changes and returns what a member then sees. Null if the cache does not answer. One call. */
  async mergeFor({ groupId, userId }: Member, changes: readonly Change[]): Promise<View | null> {
    return this.#merge(groupId, { viewer: userId }, changes, viewIn);
  }

  /** Merges changes. False if the cache does not answer. One call. */
  async merge(groupId: GroupId, changes: readonly Change[]): Promise<boolean> {
    return (await this.#merge(groupId, {}, changes, () => true)) ?? false;
  }

  /**
   * Merges changes from the ledger's stream, which may be old. If `formerPosition` is not null, also returns how far
   * everyone has read. Null if the cache does not answer. One call.
   */
  async mergeFromStream(
    groupId: GroupId,
    changes: readonly Change[],
    formerPosition: Position | null,
  ): Promise<MergedFromStream | null> {
    return this.#merge(groupId, { formerPosition }, changes, mergedFromStreamIn);
  }

  /**
   * Merges the changes of a recorded message. Removes the early marks at or below the head from the cache and returns
   * them, to be applied now. Null if the cache does not answer. One call.
   */
  async mergeRecorded(groupId: GroupId, changes: readonly Change[]): Promise<readonly EarlyMark[] | null> {
    return this.#merge(groupId, {}, [...changes, due(DUE_AT_ONCE)], dueMarksIn);
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
      viewer = '',
      formerPosition = null,
    }: { readonly viewer?: string; readonly formerPosition?: Position | null },
    changes: readonly Change[],
    read: (reply: unknown) => T,
  ): Promise<T | null> {
    const { members, messages, receipts, head, joined, doubts, early } = keysOf(groupId);
    const settings = [this.#nowMs(), this.#idleMs, this.capacity].map(String);
    return this.#connection.run(
      'mergeGroup',
      [members, messages, receipts, head, joined, doubts, early],
      [
        ...[...settings, viewer, formerPosition ? encodePosition(formerPosition) : ''],
        ...[String(this.unreadLimit), ...changes.flat()],
      ],
      read,
    );
  }
}
