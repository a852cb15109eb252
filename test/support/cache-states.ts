import { CacheConnection } from '../../shared/cache/connection.ts';
import { DEFAULT_GROUP_CACHE, GroupCache } from '../../shared/cache/group-cache.ts';
import type { GroupId } from '../../shared/domain/ids.ts';
import type { Tidemark } from '../../shared/operations/tidemark.ts';
import { type CountedTidemark, forget } from './tidemark.ts';

/** The same ledger with a cache that does not answer. */
export function withoutCache(tidemark: Tidemark): Tidemark {
  const connection = new CacheConnection({
    credentials: async () => ({ url: 'http://127.0.0.1', token: 'none' }),
    http: { handle: () => Promise.reject(new Error('no cache here')) },
  });
  const { capacity, unreadLimit } = tidemark.cache;
  const cache = new GroupCache(connection, { ...DEFAULT_GROUP_CACHE, capacity, unreadLimit });
  return { ...tidemark, cache };
}

/** What a cache may hold of some groups: brings it about, and returns the service that uses this cache. */
type CacheState = (tidemark: CountedTidemark, groupIds: readonly GroupId[]) => Promise<Tidemark>;

const evicted =
  (keys: readonly string[] | undefined, every = 1): CacheState =>
  async (tidemark, groupIds) => {
    for (const [index, groupId] of groupIds.entries()) {
      if (index % every === 0) await forget(tidemark.redis, groupId, keys && [...keys]);
    }
    return tidemark;
  };

/** No answer may depend on which of these it is. */
export const CACHE_STATES: readonly (readonly [name: string, CacheState])[] = [
  ['that holds the groups', async (tidemark) => tidemark],
  ['that is empty', evicted(undefined)],
  ['that lost every other group', evicted(undefined, 2)],
  ['that lost the heads', evicted(['head'])],
  ['that lost the messages', evicted(['messages'])],
  ['that does not answer', async (tidemark) => withoutCache(tidemark)],
];
