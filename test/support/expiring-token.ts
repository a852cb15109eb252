import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { importJWK, SignJWT } from 'jose';

/** Claims other than those of a user of the local stack. */
export interface OtherClaims {
  readonly aud?: string;
  readonly scope?: string;
}

/** A token of the local stack's issuer that expires after this many seconds; with a negative number it has expired. */
export async function expiringToken(
  dataDirectory: string,
  subject: string,
  seconds: number,
  { aud = 'tidemark-local', scope = 'tidemark/user' }: OtherClaims = {},
): Promise<string> {
  const key = JSON.parse(await readFile(join(dataDirectory, 'issuer.json'), 'utf8'));
  return new SignJWT({ scope })
    .setProtectedHeader({ alg: 'RS256', kid: key.kid })
    .setIssuer('https://issuer.tidemark.localhost')
    .setAudience(aud)
    .setSubject(subject)
    .setExpirationTime(Math.floor(Date.now() / 1000) + seconds)
    .sign(await importJWK(key, 'RS256'));
}
