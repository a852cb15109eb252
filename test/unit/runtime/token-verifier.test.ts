import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { InvalidToken, TokenVerifier } from '../../../functions/runtime/token-verifier.ts';

const ISSUER = 'https://login.example.com/';
/** Far ahead, since the library has the clock of the machine. */
const NOW_SECONDS = 4_000_000_000;

type Key = Awaited<ReturnType<typeof generateKeyPair>>['privateKey'];

/** The keys that the issuer publishes, by their ids. Answers no request while there are none. */
let published: Readonly<Record<string, object>> = {};
let requests = 0;
const keys: Record<string, Key> = {};
const server = createServer((_request, response) => {
  requests += 1;
  const isUp = Object.keys(published).length > 0;
  response.writeHead(isUp ? 200 : 500);
  response.end(JSON.stringify({ keys: Object.values(published) }));
});
let keysUrl = '';

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  keysUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
  for (const [kid, alg] of [
    ['one', 'RS256'],
    ['two', 'RS256'],
    ['curve', 'ES256'],
  ] as const) {
    const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
    keys[kid] = privateKey;
    published = { ...published, [kid]: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
  }
});
afterAll(() => {
  server.close();
});

interface Signing {
  readonly kid?: string;
  readonly alg?: string;
  /** The id that the token names. */
  readonly named?: string;
}

async function tokenOf(claims: JWTPayload, { kid = 'one', alg = 'RS256', named = kid }: Signing = {}) {
  const key = keys[kid];
  if (!key) throw new Error(`there is no key ${kid}`);
  const base = { iss: ISSUER, aud: 'chat', sub: 'alice', exp: NOW_SECONDS + 600 };
  return new SignJWT({ ...base, ...claims }).setProtectedHeader({ alg, kid: named }).sign(key);
}

function aVerifier(nowMs = () => NOW_SECONDS * 1000): TokenVerifier {
  const audience = ['chat', 'ios'];
  return new TokenVerifier([{ issuer: ISSUER, audience, keysUrl }], nowMs);
}

describe('a token', () => {
  test.each([
    ['of the issuer for the audience', {}],
    ['for one of several audiences', { aud: ['web', 'ios'] }],
    ['with a client id instead of an audience, as Cognito makes them', { aud: undefined, client_id: 'chat' }],
  ])('%s is valid until it expires', async (_, claims) => {
    const token = await tokenOf(claims as JWTPayload);
    expect(await aVerifier().verify(token)).toMatchObject({
      payload: { sub: 'alice' },
      expiresAtMs: 4_000_000_600_000,
    });
  });

  test.each([
    ['that has expired', { exp: NOW_SECONDS }],
    ['that never expires', { exp: undefined }],
    ['that is not valid yet', { nbf: 5_000_000_000 }],
    ['that is issued in the future', { iat: NOW_SECONDS + 60 }],
    ['for another audience', { aud: 'bank' }],
    ['for no audience', { aud: undefined }],
    ['whose client id is right and whose audience is not', { aud: 'bank', client_id: 'chat' }],
    ['of another issuer', { iss: 'https://evil.example.com/' }],
    ['of an issuer without the slash', { iss: 'https://login.example.com' }],
  ])('%s is not', async (_, claims) => {
    await expect(aVerifier().verify(await tokenOf(claims as JWTPayload))).rejects.toThrow(InvalidToken);
  });

  test.each([
    ['an elliptic curve, which an HTTP API does not accept either', { kid: 'curve', alg: 'ES256' }],
    ['another key than it names', { kid: 'two', named: 'one' }],
    ['a key that the issuer does not have', { named: 'three' }],
  ])('signed with %s is not', async (_, signing) => {
    await expect(aVerifier().verify(await tokenOf({}, signing))).rejects.toThrow(InvalidToken);
  });

  test.each(['', 'a', 'a.b.c', 'e30.e30.'])('is not %p', async (text) => {
    await expect(aVerifier().verify(text)).rejects.toThrow(InvalidToken);
  });

  test('without a signature is not', async () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = { iss: ISSUER, aud: 'chat', sub: 'alice', exp: NOW_SECONDS + 600 };
    const token = `${part({ alg: 'none', kid: 'one' })}.${part(claims)}.AAAA`;
    await expect(aVerifier().verify(token)).rejects.toThrow(InvalidToken);
  });
});

describe('the keys', () => {
  test('are read once, and again after an hour', async () => {
    let nowMs = NOW_SECONDS * 1000;
    const verifier = aVerifier(() => nowMs);
    const token = await tokenOf({ exp: NOW_SECONDS + 10_000 });
    requests = 0;
    for (let count = 0; count < 3; count += 1) await verifier.verify(token);
    expect(requests).toBe(1);
    nowMs += 3_600_000;
    await verifier.verify(token);
    expect(requests).toBe(2);
  });

  test('if they cannot be read, that is no fault of the token, and the next token asks again', async () => {
    const all = published;
    const verifier = aVerifier();
    published = {};
    const failed = await verifier.verify(await tokenOf({})).catch((error: unknown) => error);
    published = all;
    expect(failed).toBeInstanceOf(Error);
    expect(failed).not.toBeInstanceOf(InvalidToken);
    expect(await verifier.verify(await tokenOf({}))).toMatchObject({ payload: { sub: 'alice' } });
  });

  test('are read over https alone, but from this machine', async () => {
    const verifier = new TokenVerifier(
      [{ issuer: ISSUER, audience: ['chat'], keysUrl: 'http://login.example.com/keys' }],
      () => NOW_SECONDS * 1000,
    );
    await expect(verifier.verify(await tokenOf({}))).rejects.toThrow('keys are read over https');
  });
});
