import { createRemoteJWKSet, decodeJwt, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose';
import type { JwtAuthorizerProperties } from '../cloudformation/properties.ts';

export type Authorization =
  | { readonly outcome: 'allowed'; readonly claims: Record<string, string>; readonly scopes: string[] | null }
  | { readonly outcome: 'unauthorized'; readonly reason: string }
  | { readonly outcome: 'forbidden' };

/** An issuer whose tokens are accepted, in addition to the template's issuer. */
export interface TrustedIssuer {
  /** The exact `iss` of its tokens. */
  readonly issuer: string;
  readonly audiences: readonly string[];
  readonly keySetUrl: string;
}

interface Trust {
  readonly audiences: readonly string[];
  readonly keys: JWTVerifyGetKey;
}

interface VerifiedToken {
  readonly audiences: readonly string[];
  readonly payload: JWTPayload;
  /** In the form that functions receive. */
  readonly claims: Record<string, string>;
  readonly scopes: string[];
}

/** API Gateway accepts only RSA signatures. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512'];

const REMEMBERED_TOKENS = 1_000;

/**
 * A JWT authorizer of an HTTP API
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html). On AWS it has one issuer.
 * Here the template's issuer is the local stack's own, and there may be others.
 */
export class JwtAuthorizer {
  /** By the `iss` of the tokens. */
  readonly #trusts: ReadonlyMap<string, Trust>;
  /** Tokens with a verified signature, because verifying costs more than the rest of the gateway. Times are checked at each call. */
  readonly #verified = new Map<string, VerifiedToken>();

  constructor(
    { JwtConfiguration }: JwtAuthorizerProperties,
    keySetUrl: (issuer: string) => string,
    others: readonly TrustedIssuer[] = [],
  ) {
    const { Issuer: issuer, Audience: audiences } = JwtConfiguration;
    const all = [{ issuer, audiences, keySetUrl: keySetUrl(issuer) }, ...others];
    this.#trusts = new Map(all.map((trusted) => [trusted.issuer, trustIn(trusted)]));
  }

  async authorize(header: string | undefined, requiredScopes: readonly string[]): Promise<Authorization> {
    const token = /^(?:Bearer )?(\S+)$/i.exec(header ?? '')?.[1];
    if (!token) return { outcome: 'unauthorized', reason: 'a bearer token is required' };
    let verified: VerifiedToken;
    try {
      verified = await this.#verify(token);
    } catch (error) {
      return { outcome: 'unauthorized', reason: error instanceof Error ? error.message : String(error) };
    }
    const { scopes, claims } = verified;
    if (requiredScopes.length > 0 && !requiredScopes.some((scope) => scopes.includes(scope))) {
      return { outcome: 'forbidden' };
    }
    return { outcome: 'allowed', claims, scopes: requiredScopes.length > 0 ? scopes : null };
  }

  async #verify(token: string): Promise<VerifiedToken> {
    const verified = this.#verified.get(token) ?? (await this.#verifySignature(token));
    const { payload, audiences } = verified;
    const now = Date.now() / 1000;
    if (payload.exp === undefined || payload.exp <= now) throw new Error('the token has expired');
    if (payload.nbf !== undefined && payload.nbf > now) throw new Error('the token is not valid yet');
    if (payload.iat !== undefined && payload.iat > now) throw new Error('the token is issued in the future');
    const audience = [payload.aud ?? payload.client_id].flat();
    if (!audience.some((one) => typeof one === 'string' && audiences.includes(one))) {
      throw new Error('the token is for another audience');
    }
    return verified;
  }

  async #verifySignature(token: string): Promise<VerifiedToken> {
    // Not verified yet: `iss` only selects the keys to verify with.
    const { iss: issuer = '' } = decodeJwt(token);
    const trust = this.#trusts.get(issuer);
    if (!trust) throw new Error('the token is from another issuer');
    const { audiences, keys } = trust;
    const { payload, protectedHeader } = await jwtVerify(token, keys, { issuer, algorithms: ALGORITHMS });
    // API Gateway finds a key only by its id.
    if (!protectedHeader.kid) throw new Error('the token has no key id');
    if (this.#verified.size >= REMEMBERED_TOKENS) this.#verified.clear();
    const claims = Object.entries(payload).map(([name, value]) => [name, claimText(value)]);
    const verified = { audiences, payload, claims: Object.fromEntries(claims), scopes: scopesOf(payload) };
    this.#verified.set(token, verified);
    return verified;
  }
}

function trustIn({ audiences, keySetUrl }: TrustedIssuer): Trust {
  return { audiences, keys: createRemoteJWKSet(new URL(keySetUrl), { cooldownDuration: 1_000 }) };
}

/** Scopes are one text or a list of texts. Anything else gives no scope: a scope is never guessed. */
function scopesOf({ scope, scp }: JWTPayload): string[] {
  const claim: unknown = scope ?? scp;
  if (typeof claim === 'string') return claim.split(' ');
  const isListOfTexts = Array.isArray(claim) && claim.every((one) => typeof one === 'string');
  return isListOfTexts ? claim : [];
}

/** API Gateway passes every claim as text, with lists in brackets. */
function claimText(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(String).join(' ')}]` : String(value);
}
