import type { GroupId, UserId } from '../domain/ids.ts';
import type { MembershipState } from '../domain/membership.ts';
import type { Message } from '../domain/message.ts';
import { type Position, storedPosition } from '../domain/position.ts';
import type { CacheConnection } from './connection.ts';
import { decodeMembership, encodeMembership } from './membership-text.ts';

/** Something that the ledger has said of a group. */
export type Change =
  | { readonly kind: 'member'; readonly userId: UserId; readonly state: MembershipState }
  /** The same, of a moment that may be long past: it brings no member into the cache that is not there. */
  | { readonly kind: 'known-member'; readonly userId: UserId; readonly state: MembershipState }
  | { readonly kind: 'head'; readonly position: Position }
  | { readonly kind: 'message'; readonly message: Message }
  | { readonly kind: 'load'; readonly token: string }
  | { readonly kind: 'loaded'; readonly token: string; readonly above: Position };

/** What the cache knows of a group for one member. Null is "ask the ledger", never "there is none". */
export interface View {
  readonly state: MembershipState | null;
  readonly head: Position | null;
  /** The messages kept: all above `floor`. `unread` of them are above the member's own view and of others. */
  readonly window: { readonly floor: Position; readonly unread: number; readonly kept: number } | null;
}

export interface GroupCacheOptions {
  /** How many messages of a group are kept. */
  readonly capacity: number;
  /** How long a group that does not change is kept, in milliseconds. */
  readonly idleMs: number;
}

export const DEFAULT_GROUP_CACHE: GroupCacheOptions = { capacity: 5_000, idleMs: 7 * 86_400_000 };

/** The cache, group by group. It holds only what the ledger has said, and may lose any of it at any time. */
export class GroupCache {
  readonly capacity: number;
  readonly #connection: CacheConnection;
  readonly #idleMs: number;

  constructor(connection: CacheConnection, options: GroupCacheOptions = DEFAULT_GROUP_CACHE) {
    this.#connection = connection;
    this.capacity = options.capacity;
    this.#idleMs = options.idleMs;
  }

  /** Null when the cache does not answer. One call. */
  async read(groupId: GroupId, userId: UserId): Promise<View | null> {
    return this.#connection.run('readView', keysOf(groupId), [userId], viewOf);
  }

  /** Merges what the ledger said, and tells what a member then sees. Null when the cache does not answer. One call. */
  async mergeFor(groupId: GroupId, userId: UserId, changes: readonly Change[]): Promise<View | null> {
    return this.#connection.run('mergeGroup', keysOf(groupId), this.#arguments(userId, changes), viewOf);
  }

  /** Merges what the ledger said. False when the cache does not answer. One call. */
  async merge(groupId: GroupId, changes: readonly Change[]): Promise<boolean> {
    const reply = await this.#connection.run(
      'mergeGroup',
      keysOf(groupId),
      this.#arguments('', changes),
      () => true,
    );
    return reply ?? false;
  }

  /** Whether the cache answers. One call. */
  async probe(): Promise<boolean> {
    return (await this.#connection.run('readView', keysOf(PROBED_GROUP), [''], () => true)) ?? false;
  }

  #arguments(viewer: UserId | '', changes: readonly Change[]): string[] {
    return [String(this.#idleMs), String(this.capacity), viewer, ...changes.flatMap(entryOf)];
  }
}

/** Empty, so that it is no group's id. */
const PROBED_GROUP = '' as GroupId;

/** The braces are a Redis hash tag: all keys of a group live in one slot. */
function keysOf(groupId: GroupId): string[] {
  return [`tm:{${groupId}}:members`, `tm:{${groupId}}:messages`];
}

function entryOf(change: Change): string[] {
  switch (change.kind) {
    case 'member':
      return ['member', change.userId, encodeMembership(change.state)];
    case 'known-member':
      return ['known-member', change.userId, encodeMembership(change.state)];
    case 'head':
      return ['head', change.position];
    case 'message': {
      const { position, senderId, deleted } = change.message;
      if (deleted) return ['deleted', position];
      return senderId ? ['sent', position, senderId] : [];
    }
    case 'load':
      return ['load', change.token];
    case 'loaded':
      return ['loaded', change.token, change.above];
  }
}

/** Reads the reply of `view` in group-view.lua. Throws on any other. */
function viewOf(reply: unknown): View {
  if (!Array.isArray(reply) || reply.length !== 5) throw new Error('the cache replied no view');
  const [state, head, floor, unread, kept] = reply as unknown[];
  return {
    state: typeof state === 'string' ? decodeMembership(state) : null,
    head: typeof head === 'string' ? storedPosition(head) : null,
    window:
      typeof floor === 'string'
        ? { floor: storedPosition(floor), unread: Number(unread), kept: Number(kept) }
        : null,
  };
}
