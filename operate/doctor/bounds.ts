/** The timeout of each call, in milliseconds. */
export const TIMEOUT_MS = 5_000;

/** Rejects with a TimeoutError if a promise does not settle in time. It does not stop the work behind the promise. */
export async function within<T>(timeoutMs: number, promise: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new DOMException(`no answer within ${timeoutMs} ms`, 'TimeoutError')),
    timeoutMs,
  );
  return Promise.race([promise, late.promise]).finally(() => clearTimeout(timer));
}

const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'has an unknown name',
  EAI_AGAIN: 'has a name that could not be resolved',
  ECONNREFUSED: 'refuses the connection',
  ECONNRESET: 'closes the connection',
  EHOSTUNREACH: 'cannot be reached',
  ENETUNREACH: 'cannot be reached',
  UND_ERR_SOCKET: 'closes the connection',
  UND_ERR_CONNECT_TIMEOUT: 'does not answer in time',
};

/** The reason why an address gave no answer, as a predicate: the address's name goes before it. */
export function whyNot(error: unknown): string {
  // The error of `fetch` has the reason in its cause.
  const { name, message, code, cause } = error as NodeJS.ErrnoException;
  if (name === 'TimeoutError' || name === 'AbortError') return 'does not answer in time';
  const why = cause as NodeJS.ErrnoException | undefined;
  const reason = why?.code ?? code;
  if (typeof reason !== 'string') return `fails: ${why?.message ?? message}`;
  const isAboutTls = /CERT|TLS|SSL|SIGNATURE/.test(reason);
  return REASONS[reason] ?? (isAboutTls ? `has no valid certificate (${reason})` : `fails: ${reason}`);
}
