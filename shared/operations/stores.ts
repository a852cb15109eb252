import type { GroupCache } from '../cache/group-cache.ts';
import type { Ledger } from '../ledger/ledger.ts';

/** What every operation works with. */
export interface Stores {
  readonly ledger: Ledger;
  readonly cache: GroupCache;
  readonly nowMs: () => number;
}
