import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, importJWK, type JWK, SignJWT } from 'jose';
import { createPrivateFile, readJsonFile } from '../data/private-files.ts';

/** Without a port, so that a token stays valid after a restart on another port. The local authorizer maps it to a URL. */
export const ISSUER = 'https://issuer.tidemark.localhost';
export const AUDIENCE = 'tidemark-local';

export const SCOPES = { user: 'tidemark/user', service: 'tidemark/service' } as const;

export const KEY_SET_PATH = '/_local/issuer/.well-known/jwks.json';

const ALGORITHM = 'RS256';
const VALIDITY = '30d';

/** The URL of an issuer's keys: a route of the local stack for its own issuer, else a path below the issuer's URL. */
export function keySetUrl(issuer: string, apiUrl: string): string {
  return issuer === ISSUER ? apiUrl + KEY_SET_PATH : `${issuer.replace(/\/$/, '')}/.well-known/jwks.json`;
}

/** Issues tokens with the key of one data directory. */
export class Issuer {
  readonly #key: JWK;

  private constructor(key: JWK) {
    this.#key = key;
  }

  /** Reads the key of a data directory. Generates it if there is none yet. */
  static async open(dataDirectory: string): Promise<Issuer> {
    const file = join(dataDirectory, 'issuer.json');
    const kept = readKey(file);
    if (kept) return new Issuer(kept);
    const { privateKey } = await generateKeyPair(ALGORITHM, { extractable: true });
    const key = { ...(await exportJWK(privateKey)), kid: randomUUID(), alg: ALGORITHM, use: 'sig' };
    createPrivateFile(file, JSON.stringify(key));
    // If another process was faster, its key is the one in the file.
    return new Issuer(readKey(file) ?? key);
  }

  /** The body of `/.well-known/jwks.json`: the public key. */
  get keySet() {
    const { kty, n, e, kid, alg, use } = this.#key;
    return { keys: [{ kty, n, e, kid, alg, use }] };
  }

  /** @param scope null for a token without scopes */
  async issue(subject: string, scope: string | null, audience = AUDIENCE): Promise<string> {
    return new SignJWT(scope === null ? {} : { scope })
      .setProtectedHeader({ alg: ALGORITHM, kid: this.#key.kid ?? '', typ: 'JWT' })
      .setIssuer(ISSUER)
      .setAudience(audience)
      .setSubject(subject)
      .setIssuedAt()
      .setExpirationTime(VALIDITY)
      .sign(await importJWK(this.#key, ALGORITHM));
  }
}

function readKey(file: string): JWK | null {
  return readJsonFile(file, 'remove it: tokens that were issued before will then be refused');
}
