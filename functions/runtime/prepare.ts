import type { GroupCache } from '../../shared/cache/group-cache.ts';
import type { Ledger } from '../../shared/ledger/ledger.ts';

/** A start takes no longer for it than this. Lambda gives all of it 10 s. */
const BOUND_MS = 1_000;

export interface Preparation {
  readonly tidemark?: { readonly ledger: Pick<Ledger, 'rehearseWrite'>; readonly cache: GroupCache };
  /** What the function is asked to do, for nobody: it reads, and writes nothing. */
  readonly operation?: () => Promise<unknown>;
  /** Whether requests write the ledger, so that a write is rehearsed too. */
  readonly writes?: boolean;
  /** What needs neither ledger nor cache. */
  readonly others: readonly (() => Promise<unknown>)[];
}

/**
 * Does ahead of the first request what an instance does only once: it reads the secret, connects, and runs the code of
 * a request, which is slow the first time. While it starts, a function has a whole core; later it has a seventh of one,
 * and the first request would not be answered in the cache's time.
 *
 * Nothing is left behind, nothing costs the start more than a second, and whatever fails leaves the function as it is:
 * the first request finds that out itself.
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
