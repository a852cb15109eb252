// A minimal issuer of tokens for Tidemark, for a back end whose users have sessions and no tokens yet.
//
//   AUDIENCE=my-chat node docs/minimal-issuer.mjs
//   npm run dev -- --issuer http://127.0.0.1:4000 --audience my-chat
//   curl -X POST -H 'Cookie: session=session-of-alice' http://127.0.0.1:4000/token
//
// It needs the package jose (npm install jose). Deployed, it needs an https address that AWS can reach: API Gateway asks it for the discovery document and the keys.
import { randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { exportJWK, generateKeyPair, importJWK, SignJWT } from 'jose';

const PORT = Number(process.env.PORT ?? 4000);
/** To the letter what `jwtIssuer` or `--issuer` is; here without a slash at its end. */
const ISSUER = process.env.ISSUER ?? `http://127.0.0.1:${PORT}`;
const AUDIENCE = process.env.AUDIENCE ?? 'my-chat';
const KEY_FILE = process.env.KEY_FILE ?? 'issuer-key.json';

/** Put the look-up of your own sessions here. */
const SESSIONS = new Map([
  ['session-of-alice', 'alice'],
  ['session-of-bob', 'bob'],
]);
const userOf = ({ headers }) => SESSIONS.get(/(?:^|; )session=([^;]+)/.exec(headers.cookie ?? '')?.[1]);

// The key is kept: with a new one at each start, tokens that were handed out would be refused. API Gateway takes RSA alone.
const key = await readFile(KEY_FILE, 'utf8').then(JSON.parse, makeKey);
async function makeKey(error) {
  if (error.code !== 'ENOENT') throw error;
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const made = { ...(await exportJWK(privateKey)), kid: randomUUID(), alg: 'RS256', use: 'sig' };
  await writeFile(KEY_FILE, JSON.stringify(made), { mode: 0o600 });
  return made;
}
const signingKey = await importJWK(key, 'RS256');

/** `sub` is the user, and the scope says that the token is a user's. A back end's own has `tidemark/service`. */
const issueToken = (userId) =>
  new SignJWT({ scope: 'tidemark/user' })
    .setProtectedHeader({ alg: 'RS256', kid: key.kid })
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setSubject(userId)
    .setIssuedAt()
    // Short, since a token cannot be taken back. The client asks again before it ends, or after a 401.
    .setExpirationTime('15m')
    .sign(signingKey);

const { kty, n, e, kid, alg, use } = key; // the public half
const ANSWERS = {
  'GET /.well-known/openid-configuration': () => ({ issuer: ISSUER, jwks_uri: `${ISSUER}/jwks.json` }),
  'GET /jwks.json': () => ({ keys: [{ kty, n, e, kid, alg, use }] }),
  'POST /token': async (request) => {
    const userId = userOf(request);
    return userId ? { token: await issueToken(userId) } : null;
  },
};

createServer(async (request, response) => {
  const answer = ANSWERS[`${request.method} ${request.url}`];
  const body = await answer?.(request);
  const status = answer ? (body ? 200 : 401) : 404;
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body ?? {}));
}).listen(PORT, '127.0.0.1', () => console.log(`Issuer ready on ${ISSUER}`));
