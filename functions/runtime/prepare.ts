import type { GroupCache } from '../../shared/cache/group-cache.ts';
import type { Ledger } from '../../shared/ledger/ledger.ts';

/** The longest time of the preparation. Lambda allows 10 s for the whole start. */
const BOUND_MS = 1_000;

export interface Preparation {
  readonly tidemark?: { readonly ledger: Pick<Ledger, 'rehearseWrite'>; readonly cache: GroupCache };
  /** The operation of the function, for a member that does not exist: it reads and writes nothing. */
  readonly operation?: () => Promise<unknown>;
  /** Whether requests write the ledger: then a write is rehearsed too. */
  readonly writes?: boolean;
  /** Rehearsals that need neither ledger nor cache. */
  readonly others: readonly (() => Promise<unknown>)[];
}

/**
 * Does before the first request what an instance does only once: reads the secret, connects, and runs the code of a
 * request, which is slow the first time. During its start a function has a whole core, later a seventh of one. Without
 * this, the first request would exceed the timeout of the cache.
 *
 * It stores nothing and takes at most a second. A failure changes nothing: the first request meets it again.
 */
export async function prepare({ tidemark, operation, writes, others }: Preparation): Promise<void> {
  const end = new AbortController();
  const rehearsals = [
    ...others,
    ...(tidemark ? [() => tidemark.cache.rehearse(async () => operation?.(), end.signal)] : []),
    ...(tidemark && writes ? [() => tidemark.ledger.rehearseWrite()] : []),
  ];
  await new Promise<void>((resolve) => {
    const bound = setTimeout(resolve, BOUND_MS);
    void Promise.allSettled(rehearsals.map(async (rehearse) => rehearse())).then(() => {
      clearTimeout(bound);
      resolve();
    });
  });
  end.abort();
}
