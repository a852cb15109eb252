import * as change from '../cache/changes.ts';
import type { LiveCache } from '../cache/live-cache.ts';
import { isBegunBy } from '../domain/belonging.ts';
import { unavailable } from '../domain/errors.ts';
import type { UserId } from '../domain/ids.ts';
import { inParallel } from '../domain/in-parallel.ts';
import type { UserItem, UserItems } from '../ledger/user-items.ts';
import type { Sockets } from '../live/live.ts';
import { endMemberships } from '../operations/members.ts';
import type { Tidemark } from '../operations/tidemark.ts';
import type { Outcome, Share } from './erasure-job.ts';

/** Items read in one step. */
const PAGE = 100;

/** Items worked on at the same time. */
const CONCURRENT_ITEMS = 20;

export interface ErasingUsers {
  readonly tidemark: Tidemark;
  readonly items: UserItems;
  /** Null in a deployment without the WebSocket API. */
  readonly live: { readonly cache: LiveCache; readonly sockets: Pick<Sockets, 'close'> } | null;
}

interface ErasedUser {
  readonly userId: UserId;
  readonly begunAtMs: number;
}

/** What became of an item: nothing of the erasure is left in it, or it must be looked at again later. */
type ItemOutcome = 'settled' | 'waits';

type ItemOf<Kind extends UserItem['kind']> = Extract<UserItem, { readonly kind: Kind }>;

/**
 * Erases what is stored under a user, in as many steps as there is time for. What began after the erasure stays. If one
 * item fails, the others are still worked on; then its error is thrown.
 */
export async function eraseUser(
  erasing: ErasingUsers,
  user: ErasedUser,
  { hasTime, settledByMs }: Share,
): Promise<Outcome> {
  const erasure = new UserErasure(erasing, user, settledByMs);
  let after: string | null = null;
  do {
    if (!hasTime()) return 'more';
    const page = await erasing.items.page(user.userId, PAGE, after);
    await erasure.work(page.items);
    after = page.next;
  } while (after !== null);
  return erasure.end();
}

/** One job's share of the erasure of a user. */
class UserErasure {
  readonly #erasing: ErasingUsers;
  readonly #user: ErasedUser;
  readonly #settledByMs: number;
  readonly #errors: unknown[] = [];
  #waits = false;

  constructor(erasing: ErasingUsers, user: ErasedUser, settledByMs: number) {
    this.#erasing = erasing;
    this.#user = user;
    this.#settledByMs = settledByMs;
  }

  async work(items: readonly UserItem[]): Promise<void> {
    await inParallel(items, CONCURRENT_ITEMS, async (item) => {
      try {
        if ((await this.#erase(item)) === 'waits') this.#waits = true;
      } catch (error) {
        this.#errors.push(error);
      }
    });
  }

  async end(): Promise<Outcome> {
    const { live } = this.#erasing;
    const { userId, begunAtMs } = this.#user;
    if (live && !(await live.cache.forgetOnline(userId, begunAtMs))) this.#errors.push(cacheIsDown());
    if (this.#errors.length > 0) throw this.#errors[0];
    return this.#waits ? 'waits' : 'done';
  }

  /** Each kind of item has its own way: one that is missing here does not compile. */
  async #erase(item: UserItem): Promise<ItemOutcome> {
    switch (item.kind) {
      case 'membership':
        return this.#eraseMembership(item);
      case 'connection':
        return this.#eraseConnection(item);
      case 'unreadable':
        return this.#eraseUnreadable(item);
      case 'erasure':
        // Its removal is the end of the erasure.
        return 'settled';
    }
  }

  async #eraseMembership({ groupId, belonging, writtenAtMs }: ItemOf<'membership'>): Promise<ItemOutcome> {
    const { tidemark, items } = this.#erasing;
    const { userId, begunAtMs } = this.#user;
    const { state } = belonging;
    if (state?.kind === 'member') {
      if (!isBegunBy(belonging, begunAtMs)) return 'settled';
      const after = await endMemberships(tidemark, { groupId, userId }, begunAtMs);
      return after?.kind === 'departed' ? 'waits' : 'settled';
    }
    if (!state) return 'settled';
    if ((writtenAtMs ?? 0) > this.#settledByMs) return 'waits';
    // First, so that the erasure does not end while the cache has the user. The stream does it again after the removal, for a
    // call that has read the departure just before.
    if (!(await tidemark.cache.merge(groupId, [change.forgotten(userId, state)]))) throw cacheIsDown();
    // If the user has joined again meanwhile, the next job sees the later membership.
    const isRemoved = await items.removeDeparture({ groupId, userId }, state.generation);
    return isRemoved ? 'settled' : 'waits';
  }

  async #eraseConnection({ key, connection }: ItemOf<'connection'>): Promise<ItemOutcome> {
    if (connection.connectedAtMs > this.#user.begunAtMs) return 'settled';
    // First, so that a job that dies here does not leave it open.
    await this.#erasing.live?.sockets.close(connection.connectionId);
    await this.#erasing.items.remove(key);
    return 'settled';
  }

  /** A membership that cannot be read must leave the cache too, so it becomes a departure. Others are just removed. */
  async #eraseUnreadable({ key, broken, reason }: ItemOf<'unreadable'>): Promise<ItemOutcome> {
    const { items, tidemark } = this.#erasing;
    const { userId, begunAtMs } = this.#user;
    console.warn({ message: 'an item that cannot be read is erased', reason });
    if (broken) {
      const departure = { kind: 'departed', generation: begunAtMs } as const;
      await items.replaceByDeparture(
        { groupId: broken.groupId, userId },
        broken.names,
        departure,
        tidemark.nowMs(),
      );
      await tidemark.cache.merge(broken.groupId, [change.member(userId, departure)]);
      return 'waits';
    }
    await items.remove(key);
    return 'settled';
  }
}

/** The queue tries again later. */
const cacheIsDown = () =>
  unavailable(new Error('the cache does not answer, and may still have an erased user'));
