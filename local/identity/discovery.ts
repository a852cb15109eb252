import * as v from 'valibot';
import type { TrustedIssuer } from '../aws/gateway/jwt-authorizer.ts';
import { UsageError } from '../command/usage-error.ts';

const TIMEOUT_MS = 5_000;

const Discovery = v.object({ issuer: v.string(), jwks_uri: v.pipe(v.string(), v.url()) });

/**
 * Reads the URL of an issuer's keys from its discovery document (OpenID Connect Discovery). API Gateway does so at
 * deployment, and fails if the document is not valid.
 *
 * @param audience one audience, or several separated by commas
 * @throws UsageError if the document cannot be read or is not valid
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
  if (!parsed.success) throw refuse('has no issuer and jwks_uri');
  if (parsed.output.issuer !== issuer) throw refuse(`belongs to the issuer ${parsed.output.issuer}`);
  return { issuer, audiences: audience.split(','), keySetUrl: parsed.output.jwks_uri };
}
