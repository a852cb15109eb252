import { createHmac, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { createServer } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { JwtAuthorizer } from '../../../local/aws/gateway/jwt-authorizer.ts';
import { type Listening, listenOnLoopback } from '../../../local/http/loopback.ts';

const ISSUER = 'https://issuer.example';
/** A second trusted issuer, with its own audience. */
const OTHER = 'https://other.example';
const NOW = Math.floor(Date.now() / 1000);
const CLAIMS = {
  iss: ISSUER,
  aud: 'app',
  sub: 'alice',
  scope: 'tidemark/user other',
  iat: NOW - 10,
  exp: NOW + 600,
};

const key = generateKeyPairSync('rsa', { modulusLength: 2048 });
const otherKey = generateKeyPairSync('rsa', { modulusLength: 2048 });
const unknownKeyPair = generateKeyPairSync('rsa', { modulusLength: 2048 });

let keys: Listening;
let authorizer: JwtAuthorizer;
beforeAll(async () => {
  const jwk = { ...key.publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'RS256', use: 'sig' };
  const others = { ...otherKey.publicKey.export({ format: 'jwk' }), kid: 'k1', alg: 'RS256', use: 'sig' };
  keys = await listenOnLoopback(
    createServer((request, response) =>
      response.end(JSON.stringify({ keys: [request.url === '/others.json' ? others : jwk] })),
    ),
  );
  authorizer = new JwtAuthorizer(
    {
      ApiId: 'api',
      Name: 'jwt',
      AuthorizerType: 'JWT',
      IdentitySource: ['$request.header.Authorization'],
      JwtConfiguration: { Audience: ['app'], Issuer: ISSUER },
    },
    () => `${keys.url}/jwks.json`,
    [{ issuer: OTHER, audiences: ['other-app'], keySetUrl: `${keys.url}/others.json` }],
  );
});
afterAll(() => keys.close());

const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

/** Signed with Node's own crypto, so that the authorizer's library does not check itself. */
async function token(
  claims: object,
  header: object = { alg: 'RS256', kid: 'k1' },
  privateKey: KeyObject = key.privateKey,
) {
  const { sign } = await import('node:crypto');
  const text = `${base64(header)}.${base64(claims)}`;
  return `${text}.${sign('sha256', Buffer.from(text), privateKey).toString('base64url')}`;
}

describe('a JWT authorizer', () => {
  test('accepts a valid token, with its claims as text', async () => {
    const allowed = await authorizer.authorize(`Bearer ${await token({ ...CLAIMS, groups: ['a', 'b'] })}`, [
      'tidemark/user',
    ]);
    expect(allowed).toMatchObject({
      outcome: 'allowed',
      claims: { sub: 'alice', exp: String(NOW + 600), groups: '[a b]' },
      scopes: ['tidemark/user', 'other'],
    });
  });

  test('uses the client id if there is no audience', async () => {
    const { aud: _aud, ...claims } = CLAIMS;
    const allowed = await authorizer.authorize(`Bearer ${await token({ ...claims, client_id: 'app' })}`, []);
    expect(allowed.outcome).toBe('allowed');
  });

  test('refuses a route whose scope the token lacks', async () => {
    expect(await authorizer.authorize(`Bearer ${await token(CLAIMS)}`, ['tidemark/service'])).toEqual({
      outcome: 'forbidden',
    });
  });

  test.each([
    ['a text', 'tidemark/user'],
    ['a list of texts', ['other', 'tidemark/user']],
  ])('accepts the scopes as %s, in either claim', async (_name, scopes) => {
    for (const claim of ['scope', 'scp']) {
      const { scope: _scope, ...claims } = CLAIMS;
      const header = `Bearer ${await token({ ...claims, [claim]: scopes })}`;
      expect((await authorizer.authorize(header, ['tidemark/user'])).outcome).toBe('allowed');
    }
  });

  test.each([
    ['a nested list', [['tidemark/user']]],
    ['a list with a text and a list', ['tidemark/user', ['other']]],
    ['a list with a text and a number', ['tidemark/user', 1]],
    ['a list with a text and null', ['tidemark/user', null]],
    ['an object', { 0: 'tidemark/user' }],
    ['true', true],
    ['an empty list', []],
  ])('finds no scope in %s, in either claim', async (_name, scopes) => {
    for (const claim of ['scope', 'scp']) {
      const { scope: _scope, ...claims } = CLAIMS;
      const header = `Bearer ${await token({ ...claims, [claim]: scopes })}`;
      expect(await authorizer.authorize(header, ['tidemark/user'])).toEqual({ outcome: 'forbidden' });
    }
  });

  test.each([
    ['expired', { ...CLAIMS, exp: NOW - 1 }],
    ['without an end', { ...CLAIMS, exp: undefined }],
    ['not valid yet', { ...CLAIMS, nbf: NOW + 60 }],
    ['issued in the future', { ...CLAIMS, iat: NOW + 60 }],
    ['of another issuer', { ...CLAIMS, iss: 'https://evil.example' }],
    ['for another audience', { ...CLAIMS, aud: 'other' }],
  ])('refuses a token that is %s, also the second time', async (_name, claims) => {
    const header = `Bearer ${await token(claims)}`;
    expect((await authorizer.authorize(header, ['tidemark/user'])).outcome).toBe('unauthorized');
    expect((await authorizer.authorize(header, ['tidemark/user'])).outcome).toBe('unauthorized');
  });

  describe('with a second issuer', () => {
    const OTHERS = { ...CLAIMS, iss: OTHER, aud: 'other-app' };
    const signed = (claims: object) => token(claims, { alg: 'RS256', kid: 'k1' }, otherKey.privateKey);

    test('accepts the tokens of both', async () => {
      for (const good of [await token(CLAIMS), await signed(OTHERS)]) {
        expect(await authorizer.authorize(`Bearer ${good}`, ['tidemark/user'])).toMatchObject({
          outcome: 'allowed',
          claims: { sub: 'alice' },
        });
      }
    });

    test('checks each against its own audience, keys, times and scopes', async () => {
      const refused = {
        'the audience of the first': await signed({ ...OTHERS, aud: 'app' }),
        'the first for the audience of the other': await token({ ...CLAIMS, aud: 'other-app' }),
        'the key of the first': await token(OTHERS),
        'the first with the key of the other': await signed(CLAIMS),
        'a third issuer': await signed({ ...OTHERS, iss: 'https://third.example' }),
        'no issuer': await signed({ ...OTHERS, iss: undefined }),
        'another slash': await signed({ ...OTHERS, iss: `${OTHER}/` }),
        'after its end': await signed({ ...OTHERS, exp: NOW - 1 }),
      };
      for (const [name, bad] of Object.entries(refused)) {
        const { outcome } = await authorizer.authorize(`Bearer ${bad}`, ['tidemark/user']);
        expect([name, outcome]).toEqual([name, 'unauthorized']);
      }
      expect(await authorizer.authorize(`Bearer ${await signed(OTHERS)}`, ['tidemark/service'])).toEqual({
        outcome: 'forbidden',
      });
    });
  });

  test('refuses tokens that the issuer did not sign', async () => {
    const publicPem = key.publicKey.export({ format: 'pem', type: 'spki' }).toString();
    const hmacText = `${base64({ alg: 'HS256', kid: 'k1' })}.${base64(CLAIMS)}`;
    const good = await token(CLAIMS);
    const forged = {
      none: undefined,
      empty: '',
      garbage: 'Bearer abc.def.ghi',
      'no signature': `Bearer ${base64({ alg: 'none' })}.${base64(CLAIMS)}.`,
      'HMAC with the public key': `Bearer ${hmacText}.${createHmac('sha256', publicPem).update(hmacText).digest('base64url')}`,
      'unknown key': `Bearer ${await token(CLAIMS, { alg: 'RS256', kid: 'k2' })}`,
      'another key': `Bearer ${await token(CLAIMS, { alg: 'RS256', kid: 'k1' }, unknownKeyPair.privateKey)}`,
      'changed claims': `Bearer ${good.split('.')[0]}.${base64({ ...CLAIMS, sub: 'bob' })}.${good.split('.')[2]}`,
      'another scheme': `Basic ${good}`,
    };
    const outcomes = Object.entries(forged).map(async ([name, header]) => [
      name,
      (await authorizer.authorize(header, ['tidemark/user'])).outcome,
    ]);
    expect(Object.fromEntries(await Promise.all(outcomes))).toEqual(
      Object.fromEntries(Object.keys(forged).map((name) => [name, 'unauthorized'])),
    );
  });
});
