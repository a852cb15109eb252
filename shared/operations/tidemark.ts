import type { GroupCache } from '../cache/group-cache.ts';
import type { Ledger } from '../ledger/ledger.ts';

/** Who may mark. `strict`: only members. `open`: a user's first mark makes the user a member. */
export type MembershipMode = 'strict' | 'open';

/** The parts of a deployment that every operation works with. */
export interface Tidemark {
  readonly ledger: Ledger;
  readonly cache: GroupCache;
  readonly nowMs: () => number;
  readonly mode: MembershipMode;
}
