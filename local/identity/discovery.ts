import * as v from 'valibot';
import type { TrustedIssuer } from '../aws/gateway/jwt-authorizer.ts';
import { UsageError } from '../command/usage-error.ts';

const TIMEOUT_MS = 5_000;

const Discovery = v.object({ issuer: v.string(), jwks_uri: v.pipe(v.string(), v.url()) });

/**
 * Asks an issuer where its keys are, as OpenID Connect Discovery prescribes. API Gateway asks at deployment and fails
 * where it gets no good answer; so does this.
 *
 * @param audience one, or several with commas between
 * @throws UsageError
 */
export async function discover(issuer: string, audience: string): Promise<TrustedIssuer> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const refuse = (why: string, cause?: unknown) =>
    new UsageError(`The issuer ${issuer} cannot be trusted: ${url} ${why}.`, { cause });
  let document: unknown;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!response.ok) throw refuse(`answered ${response.status}`);
    document = await response.json();
  } catch (error) {
    throw error instanceof UsageError ? error : refuse('does not answer with JSON', error);
  }
  const parsed = v.safeParse(Discovery, document);
  if (!parsed.success) throw refuse('names no issuer with its jwks_uri');
  if (parsed.output.issuer !== issuer) throw refuse(`is of the issuer ${parsed.output.issuer}`);
  return { issuer, audiences: audience.split(','), keySetUrl: parsed.output.jwks_uri };
}
