/** How long each wait may take, in milliseconds. */
export const TIMEOUT_MS = 5_000;

/** Rejects with a TimeoutError where a promise has not settled in time. What it waits for may go on. */
export async function within<T>(timeoutMs: number, promise: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new DOMException(`no answer within ${timeoutMs} ms`, 'TimeoutError')),
    timeoutMs,
  );
  return Promise.race([promise, late.promise]).finally(() => clearTimeout(timer));
}

const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'has a name that nobody knows',
  EAI_AGAIN: 'has a name that could not be looked up',
  ECONNREFUSED: 'refuses the connection',
  ECONNRESET: 'breaks the connection off',
  EHOSTUNREACH: 'cannot be reached',
  ENETUNREACH: 'cannot be reached',
  UND_ERR_SOCKET: 'breaks the connection off',
  UND_ERR_CONNECT_TIMEOUT: 'does not answer in time',
};

/** Why an address gave no answer, in words that go behind its name. */
export function whyNot(error: unknown): string {
  // `fetch` says only that it failed; why stands in the cause.
  const { name, message, code, cause } = error as NodeJS.ErrnoException;
  if (name === 'TimeoutError' || name === 'AbortError') return 'does not answer in time';
  const why = cause as NodeJS.ErrnoException | undefined;
  const reason = why?.code ?? code;
  if (typeof reason !== 'string') return `fails: ${why?.message ?? message}`;
  const isAboutTls = /CERT|TLS|SSL|SIGNATURE/.test(reason);
  return REASONS[reason] ?? (isAboutTls ? `has no valid certificate (${reason})` : `fails: ${reason}`);
}
