import type { GroupCache } from '../cache/group-cache.ts';
import type { Ledger } from '../ledger/ledger.ts';

/** The stores and the clock of an operation. */
export interface Stores {
  readonly ledger: Ledger;
  readonly cache: GroupCache;
  readonly nowMs: () => number;
}
