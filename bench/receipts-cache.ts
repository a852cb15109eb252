import { randomUUID } from 'node:crypto';
import * as change from '../shared/cache/changes.ts';
import { CacheConnection } from '../shared/cache/connection.ts';
import { GroupCache } from '../shared/cache/group-cache.ts';
import type { CacheCredentials } from '../shared/cache/upstash.ts';
import { NO_HEAD } from '../shared/domain/head.ts';
import type { Position } from '../shared/domain/position.ts';
import { START } from '../shared/domain/position.ts';
import type { Counts } from './receipts-plain.ts';
import type { Population } from './receipts-population.ts';

const CHUNK = 1_000;

/** Long enough for a busy machine: a call that times out would spoil the measurement. */
const TIMEOUT_MS = 20_000;

/** Loads generated groups into the cache like the service, and counts their receipts. */
export class ReceiptsCache {
  readonly #cache: GroupCache;

  constructor(credentials: CacheCredentials) {
    this.#cache = new GroupCache(
      new CacheConnection({
        credentials: async () => credentials,
        timeoutsMs: { connect: TIMEOUT_MS, read: TIMEOUT_MS, write: TIMEOUT_MS },
      }),
    );
  }

  /** Loads only what marks leave in the cache. */
  async fillMarks(population: Population): Promise<void> {
    await this.#mergeMembers(population, () => []);
  }

  /** Like `loadIndex` of shared/operations, with a population instead of the ledger. */
  async fillReceipts(population: Population): Promise<void> {
    const { groupId } = population;
    const leaseEndMs = Date.now() + TIMEOUT_MS;
    const claim = await this.#cache.receipts.claim(groupId, randomUUID(), Date.now(), leaseEndMs);
    if (claim?.outcome !== 'claimed') throw new Error(`the claim of ${groupId} returned ${claim?.outcome}`);
    const { token } = claim;
    await this.#mergeMembers(population, (lastUserId, isLast) => [
      isLast ? change.indexed(token) : change.index(token, leaseEndMs, lastUserId),
    ]);
  }

  /** Like `loadWindow` of shared/operations. */
  async fillMessages({ groupId, messages }: Population): Promise<void> {
    const token = randomUUID();
    await this.#merge(groupId, [change.load(token)]);
    for (let start = 0; start < messages.length; start += CHUNK) {
      const chunk = messages.slice(start, start + CHUNK);
      await this.#merge(
        groupId,
        chunk.map((message) =>
          change.message({ ...message, deleted: false, recordedAt: 1, isSilent: false, mentions: [] }),
        ),
      );
    }
    const newest = messages.at(-1)?.position ?? START;
    await this.#merge(groupId, [
      change.head({ ...NO_HEAD, position: newest, loud: newest }),
      change.loaded(token, START),
    ]);
  }

  /** The receipts of messages, in the given order, with one call. The cache knows the senders. */
  async count({ groupId, members }: Population, positions: readonly Position[]): Promise<Counts[]> {
    const [caller] = members;
    if (!caller) throw new Error('a group without members has no caller');
    const queries = positions.map((position) => ({ position }));
    const counted = await this.#cache.receipts.count({ groupId, userId: caller.userId }, queries);
    if (!counted?.receipts) throw new Error(`the cache did not count the receipts of ${groupId}`);
    return counted.receipts.map((receipt) => {
      if (!receipt) throw new Error(`a message of ${groupId} is not in the cache`);
      const { audience, readCount, deliveredCount } = receipt;
      return { audience, readCount, deliveredCount };
    });
  }

  async #mergeMembers(
    { groupId, members }: Population,
    ending: (
      lastUserId: Population['members'][number]['userId'],
      isLast: boolean,
    ) => readonly change.Change[],
  ): Promise<void> {
    for (let start = 0; start < members.length; start += CHUNK) {
      const chunk = members.slice(start, start + CHUNK);
      const last = chunk.at(-1);
      if (!last) return;
      await this.#merge(groupId, [
        ...chunk.map(({ userId, membership }) => change.member(userId, membership)),
        ...ending(last.userId, start + CHUNK >= members.length),
      ]);
    }
  }

  async #merge(groupId: Population['groupId'], changes: readonly change.Change[]): Promise<void> {
    if (!(await this.#cache.merge(groupId, changes))) throw new Error(`the cache did not merge ${groupId}`);
  }
}
