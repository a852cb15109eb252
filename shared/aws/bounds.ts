import { BoundedHttpHandler } from './deadline.ts';

/**
 * The bounds of an AWS client, which by itself waits for minutes or without a limit: the number of tries, and the
 * time of one try until the answer begins, and then until its next part arrives. All tries together must end before
 * the caller gives up. A deadline (./deadline.ts) ends them earlier.
 */
export function boundsOf({ attempts, timeoutMs }: { readonly attempts: number; readonly timeoutMs: number }) {
  return {
    maxAttempts: attempts,
    requestHandler: new BoundedHttpHandler({
      connectionTimeout: timeoutMs / 2,
      requestTimeout: timeoutMs,
      // The timeout of a request ends when the answer begins. Without this one, a call whose body never arrives would
      // never end.
      socketTimeout: timeoutMs,
      throwOnRequestTimeout: true,
    }),
  };
}
