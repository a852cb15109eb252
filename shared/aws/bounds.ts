/**
 * The bounds of a client of AWS, whose own are minutes or none: how often it tries, and how long one try may take
 * until the answer begins, and then until its next part comes. All tries together must be shorter than the caller's
 * patience.
 */
export function boundsOf({ attempts, timeoutMs }: { readonly attempts: number; readonly timeoutMs: number }) {
  return {
    maxAttempts: attempts,
    requestHandler: {
      connectionTimeout: timeoutMs / 2,
      requestTimeout: timeoutMs,
      // The timeout of a request ends where the answer begins: a body that stays away would be waited for.
      socketTimeout: timeoutMs,
      throwOnRequestTimeout: true,
    },
  };
}
