import fc from 'fast-check';
import { type HistoriesOptions, histories } from './histories.ts';
import type { History } from './operations.ts';
import { Disagreement } from './play.ts';
import { shorten } from './shorten.ts';

/** Plays a history; throws a `Disagreement` if model and service do not agree. */
export type Playing = (history: History) => Promise<unknown>;

/** Plays random histories until one disagrees; null if all agree. */
export async function firstDisagreement(
  playing: Playing,
  {
    seed,
    maxHistories,
    ...options
  }: HistoriesOptions & {
    /** The first seed is random if it is not given. */
    readonly seed?: number | undefined;
    readonly maxHistories: number;
  },
): Promise<Disagreement | null> {
  const property = fc.asyncProperty(histories(options), async (history) => {
    await playing(history);
  });
  // fast-check only makes the histories. It would shorten them more slowly: it does not use that the steps after a
  // failure can be left out.
  const { errorInstance } = await fc.check(property, {
    ...(seed !== undefined && { seed }),
    numRuns: maxHistories,
    endOnFailure: true,
  });
  return errorInstance === null ? null : disagreementOf(errorInstance);
}

/**
 * The shortest history found that still disagrees. If the order of parallel operations matters, a shorter history
 * disagrees only sometimes: each is played up to `attempts` times.
 */
export async function shortestDisagreement(
  first: Disagreement,
  playing: Playing,
  { attempts, forMs }: { readonly attempts: number; readonly forMs: number },
): Promise<Disagreement> {
  let found = first;
  const until = performance.now() + forMs;
  await shorten(
    first.history,
    async (shorter) => {
      for (let attempt = 0; attempt < attempts; attempt += 1) {
        const disagreement = await disagreementIn(playing, shorter);
        if (disagreement === null) continue;
        found = disagreement;
        return true;
      }
      return false;
    },
    () => performance.now() > until,
  );
  return found;
}

/** Null if the history agrees. */
export async function disagreementIn(playing: Playing, history: History): Promise<Disagreement | null> {
  try {
    await playing(history);
    return null;
  } catch (error) {
    return disagreementOf(error);
  }
}

function disagreementOf(error: unknown): Disagreement {
  if (error instanceof Disagreement) return error;
  throw error;
}
