import { lookup } from 'node:dns/promises';
import { isPublicHost } from '../../infra/context.ts';
import { whyNot, within } from './bounds.ts';
import { about, type Finding } from './finding.ts';

const { ok, warn, fail } = about('issuer');
const keys = about("issuer's keys");

/** A key as an issuer publishes it (RFC 7517). */
interface Key {
  readonly kty?: unknown;
  readonly kid?: unknown;
  readonly use?: unknown;
  readonly alg?: unknown;
}

/**
 * Checks what API Gateway needs from the issuer of tokens. API Gateway reads the discovery document when the authorizer is
 * created. If it is not valid, the deployment fails and is rolled back.
 */
export async function checkIssuer(issuer: string, timeoutMs: number): Promise<Finding[]> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const document = await readJson(url, timeoutMs);
  if ('problem' in document) {
    return [
      fail(
        `${url} ${document.problem}. API Gateway reads this URL: set jwtIssuer to the "iss" of your tokens.`,
      ),
    ];
  }
  const { issuer: named, jwks_uri: keySetUrl } = document.json;
  if (named !== issuer) {
    return [
      fail(
        typeof named === 'string'
          ? `${url} belongs to the issuer ${named}, which is not exactly jwtIssuer: pass -c jwtIssuer='${named}' if your tokens have it as "iss".`
          : `${url} has no "issuer": it is not a discovery document of OpenID Connect.`,
      ),
    ];
  }
  if (typeof keySetUrl !== 'string' || !URL.canParse(keySetUrl)) {
    return [fail(`${url} has no "jwks_uri": API Gateway would find no keys.`)];
  }
  const address = await privateAddressOf(new URL(issuer).hostname, timeoutMs);
  const reached = address
    ? warn(
        `${issuer} resolves to ${address} here, which the internet does not reach: API Gateway needs a public address.`,
      )
    : ok(`${issuer} answers, and its "issuer" is exactly this.`);
  return [reached, await checkKeys(keySetUrl, timeoutMs)];
}

async function checkKeys(url: string, timeoutMs: number): Promise<Finding> {
  const document = await readJson(url, timeoutMs);
  if ('problem' in document)
    return keys.fail(`${url} ${document.problem}. Without keys every token is refused.`);
  const { keys: published } = document.json;
  const all: readonly unknown[] = Array.isArray(published) ? published : [];
  const signing = all.filter(isKey).filter(({ use }) => use === undefined || use === 'sig');
  if (signing.length === 0) return keys.fail(`${url} has no key that signs: every token will be refused.`);
  const taken = signing.filter(isTaken);
  const others = signing.filter((key) => !isTaken(key)).map(nameOf);
  const refused = `API Gateway accepts tokens signed with RS256, RS384 or RS512 and a key that has a "kid", but refuses those of ${others.join(', ')}`;
  if (taken.length === 0)
    return keys.fail(`${refused}. Let the issuer sign with RSA, or use another issuer in front of it.`);
  if (others.length > 0)
    return keys.warn(`${refused}. Let the issuer sign the tokens for Tidemark with RSA.`);
  return keys.ok(taken.length === 1 ? '1 RSA key.' : `${taken.length} RSA keys.`);
}

function isKey(value: unknown): value is Key {
  return typeof value === 'object' && value !== null;
}

function isTaken({ kty, kid, alg }: Key): boolean {
  const isRsa = kty === 'RSA' && (alg === undefined || /^RS(256|384|512)$/.test(String(alg)));
  return isRsa && typeof kid === 'string' && kid !== '';
}

function nameOf({ kty, kid, alg }: Key): string {
  const kind = `${String(kty)}${alg === undefined ? '' : ` for ${String(alg)}`}`;
  return typeof kid === 'string' ? `the key "${kid}" (${kind})` : `a key without "kid" (${kind})`;
}

type Json = { readonly json: Readonly<Record<string, unknown>> } | { readonly problem: string };

async function readJson(url: string, timeoutMs: number): Promise<Json> {
  let text: string;
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) });
    if (!response.ok) return { problem: `answers ${response.status}` };
    text = await response.text();
  } catch (error) {
    return { problem: whyNot(error) };
  }
  try {
    const json: unknown = JSON.parse(text);
    if (isKey(json) && !Array.isArray(json)) return { json: json as Readonly<Record<string, unknown>> };
  } catch {
    // Reported below.
  }
  return { problem: 'does not answer with a JSON object' };
}

/** The private address that a public name resolves to, usually behind a VPN; null if it resolves to none. */
async function privateAddressOf(host: string, timeoutMs: number): Promise<string | null> {
  if (!isPublicHost(host)) return null;
  const found = await within(timeoutMs, lookup(host, { all: true })).catch(() => []);
  return found.find(({ address }) => !isPublicHost(address))?.address ?? null;
}
