import { JwtVerifier } from 'aws-jwt-verify';
import { FetchError, JwksValidationError, JwkValidationError, JwtBaseError } from 'aws-jwt-verify/error';
import { SimpleJwksCache } from 'aws-jwt-verify/jwk';
import { decomposeUnverifiedJwt } from 'aws-jwt-verify/jwt';

/** An issuer whose tokens are accepted, as `TOKEN_ISSUERS` lists it. */
export interface TokenIssuer {
  /** The `iss` of its tokens, to the letter. */
  readonly issuer: string;
  /** A token is for one of these. */
  readonly audience: readonly string[];
  /** Where its keys are. Without it they are found by OpenID Connect Discovery. */
  readonly keysUrl?: string;
}

export interface VerifiedToken {
  readonly payload: Readonly<Record<string, unknown>>;
  readonly expiresAtMs: number;
}

/** The token is not valid. Any other error means that it is not known whether it is. */
export class InvalidToken extends Error {
  override readonly name = 'InvalidToken';
}

/** As for an HTTP API, which accepts only RSA signatures: both APIs must accept the same tokens. */
const ALGORITHMS = ['RS256', 'RS384', 'RS512'];

/** Keys are read again after this long, so that a key that the issuer has withdrawn is not accepted for ever. */
const KEYS_MS = 3_600_000;

const FETCH_TIMEOUT_MS = 2_000;

type Verify = (token: string) => Promise<Readonly<Record<string, unknown>>>;

/**
 * Verifies tokens by the rules of an HTTP API's JWT authorizer
 * (https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html). Keeps the issuers' keys.
 */
export class TokenVerifier {
  readonly #issuers: ReadonlyMap<string, KnownIssuer>;
  readonly #nowMs: () => number;

  constructor(issuers: readonly TokenIssuer[], nowMs: () => number = Date.now) {
    this.#issuers = new Map(issuers.map((one) => [one.issuer, new KnownIssuer(one, nowMs)]));
    this.#nowMs = nowMs;
  }

  /** Reads the keys ahead of the first token. Rejects if an issuer does not answer. */
  async warm(): Promise<void> {
    await Promise.all([...this.#issuers.values()].map((issuer) => issuer.verifier()));
  }

  /** Throws `InvalidToken` for a token that is not valid, and any other error if an issuer does not answer. */
  async verify(token: string): Promise<VerifiedToken> {
    try {
      // Nothing is believed yet: this only shows whose keys have to prove it.
      const { iss = '' } = decomposeUnverifiedJwt(token).payload;
      const issuer = this.#issuers.get(iss);
      if (!issuer) throw new InvalidToken('the token is of another issuer');
      const verify = await issuer.verifier();
      const payload = await verify(token);
      const { exp, iat } = payload;
      const now = this.#nowMs() / 1000;
      if (typeof exp !== 'number' || exp <= now) throw new InvalidToken('the token has expired');
      if (typeof iat === 'number' && iat > now) throw new InvalidToken('the token is issued in the future');
      return { payload, expiresAtMs: exp * 1000 };
    } catch (error) {
      if (error instanceof JwtBaseError && !isAboutKeys(error)) {
        throw new InvalidToken(error.message, { cause: error });
      }
      throw error;
    }
  }
}

/** The issuer did not answer, or not with keys. */
function isAboutKeys(error: JwtBaseError): boolean {
  return [FetchError, JwksValidationError, JwkValidationError].some((kind) => error instanceof kind);
}

class KnownIssuer {
  readonly #issuer: TokenIssuer;
  readonly #nowMs: () => number;
  #verifier: Promise<Verify> | null = null;
  #readAgainAtMs = 0;

  constructor(issuer: TokenIssuer, nowMs: () => number) {
    this.#issuer = issuer;
    this.#nowMs = nowMs;
  }

  /** With the issuer's keys. A failed read is made again at the next token. */
  async verifier(): Promise<Verify> {
    const now = this.#nowMs();
    if (!this.#verifier || now >= this.#readAgainAtMs) {
      this.#verifier = createVerifier(this.#issuer);
      this.#readAgainAtMs = now + KEYS_MS;
    }
    try {
      return await this.#verifier;
    } catch (error) {
      this.#verifier = null;
      throw error;
    }
  }
}

async function createVerifier({ issuer, audience, keysUrl }: TokenIssuer): Promise<Verify> {
  const jwksUri = keysUrl ?? (await discoverKeys(issuer));
  const verifier = JwtVerifier.create(
    {
      issuer,
      jwksUri,
      // An HTTP API checks `client_id` if a token has no `aud`; Cognito's access tokens have none.
      audience: null,
      customJwtCheck({ header, payload }) {
        if (!ALGORITHMS.includes(header.alg ?? '')) {
          throw new InvalidToken('the token is not signed with RSA');
        }
        const named: unknown[] = [payload.aud ?? payload.client_id].flat();
        if (!named.some((one) => typeof one === 'string' && audience.includes(one))) {
          throw new InvalidToken('the token is for another audience');
        }
      },
    },
    { jwksCache: new SimpleJwksCache({ fetcher: { fetch: fetchBytes } }) },
  );
  await verifier.hydrate();
  return (token) => verifier.verify(token);
}

async function discoverKeys(issuer: string): Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  const { jwks_uri: keysUrl } = JSON.parse(Buffer.from(await fetchBytes(url)).toString('utf8'));
  if (typeof keysUrl !== 'string') throw new Error(`${url} does not say where the keys are`);
  return keysUrl;
}

/** The library's own fetcher has no other protocol than https, which the local stack's issuer does not have. */
async function fetchBytes(url: string): Promise<ArrayBuffer> {
  const { protocol, hostname } = new URL(url);
  if (protocol !== 'https:' && !(protocol === 'http:' && isLoopback(hostname))) {
    throw new FetchError(url, 'keys are read over https, or from this machine');
  }
  try {
    const response = await fetch(url, {
      signal: AbortSignal.timeout(FETCH_TIMEOUT_MS),
      // A redirect could lead to a place that is not the issuer's.
      redirect: 'error',
    });
    if (!response.ok) throw new Error(`it answered ${response.status}`);
    return await response.arrayBuffer();
  } catch (error) {
    throw new FetchError(url, error);
  }
}

function isLoopback(hostname: string): boolean {
  return hostname === '127.0.0.1' || hostname === '[::1]' || hostname === 'localhost';
}
