import { isUnavailable, TidemarkError } from '../../shared/domain/errors.ts';
import { loggedError } from '../../shared/domain/logged-error.ts';

/**
 * Logs why a request or frame failed: a fault as an error under this message, and a system that is unavailable as a
 * warning. A refusal is the caller's matter and has no line. `asked` names the request in the line.
 */
export function logFailure(message: string, asked: Readonly<Record<string, string>>, error: unknown): void {
  if (!(error instanceof TidemarkError)) console.error({ message, ...asked, error: loggedError(error) });
  else if (isUnavailable(error))
    console.warn({ message: 'the service is unavailable', ...asked, error: loggedError(error.cause) });
}
