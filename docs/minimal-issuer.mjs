// A minimal token issuer for Tidemark: for a chat whose users have sessions but no tokens yet, and for its back end.
//
//   AUDIENCE=my-chat CLIENT_SECRET=a-long-secret node docs/minimal-issuer.mjs
//   npm run dev -- --issuer http://127.0.0.1:4001 --audience my-chat
//   curl -X POST -H 'Cookie: session=session-of-alice' http://127.0.0.1:4001/token
//   curl http://127.0.0.1:4001/token -d grant_type=client_credentials -d client_id=chat -d client_secret=a-long-secret
//
// It needs the package jose (npm install jose). Deployed, it needs an https address that AWS can reach: API Gateway reads
// the discovery document and the keys from it. It answers no preflight (CORS), so serve /token from the origin of your
// pages, which also has the session's cookie. KEY_FILE is a secret: keep it out of your repository.
import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { exportJWK, generateKeyPair, importJWK, SignJWT } from 'jose';

const PORT = Number(process.env.PORT ?? 4001);
/** Must equal `jwtIssuer` or `--issuer` exactly; here without a slash at its end. */
const ISSUER = process.env.ISSUER ?? `http://127.0.0.1:${PORT}`;
const AUDIENCE = process.env.AUDIENCE ?? 'my-chat';
const KEY_FILE = process.env.KEY_FILE ?? 'issuer-key.json';

/** Put the look-up of your own sessions here. */
const SESSIONS = new Map([
  ['session-of-alice', 'alice'],
  ['session-of-bob', 'bob'],
]);
/** The back end's client. Without a secret no back end gets a token. */
const { CLIENT_ID = 'chat', CLIENT_SECRET = '' } = process.env;
const userOf = ({ headers }) => SESSIONS.get(/(?:^|; )session=([^;]+)/.exec(headers.cookie ?? '')?.[1]);

// The key is stored: with a new one at each start, earlier tokens would be refused. API Gateway accepts only RSA.
const key = await readFile(KEY_FILE, 'utf8').then(JSON.parse, makeKey);
async function makeKey(error) {
  if (error.code !== 'ENOENT') throw error;
  const { privateKey } = await generateKeyPair('RS256', { extractable: true });
  const made = { ...(await exportJWK(privateKey)), kid: randomUUID(), alg: 'RS256', use: 'sig' };
  await writeFile(KEY_FILE, JSON.stringify(made), { mode: 0o600 });
  return made;
}
const signingKey = await importJWK(key, 'RS256');

/** Short, since a token cannot be revoked. Its holder requests another before it expires, or after a 401. */
const LIFE_SECONDS = 15 * 60;

/** The scope is `tidemark/user`, with the user as `sub`, or `tidemark/service` for a back end. */
const issueToken = (subject, scope) =>
  new SignJWT({ scope })
    .setProtectedHeader({ alg: 'RS256', kid: key.kid })
    .setIssuer(ISSUER)
    .setAudience(AUDIENCE)
    .setSubject(subject)
    .setIssuedAt()
    .setExpirationTime(`${LIFE_SECONDS}s`)
    .sign(signingKey);

async function tokenOfUser(request) {
  const userId = userOf(request);
  return userId ? [200, { token: await issueToken(userId, 'tidemark/user') }] : [401, {}];
}

const digest = (secret) => createHash('sha256').update(secret).digest();

/** The grant `client_credentials` of OAuth 2.0 (RFC 6749, section 4.4), with the secret in the form. */
async function tokenOfBackEnd(form) {
  const { grant_type, client_id, client_secret = '', scope = 'tidemark/service' } = form;
  if (grant_type !== 'client_credentials') return [400, { error: 'unsupported_grant_type' }];
  const isKnown = client_id === CLIENT_ID && timingSafeEqual(digest(client_secret), digest(CLIENT_SECRET));
  if (CLIENT_SECRET === '' || !isKnown) return [401, { error: 'invalid_client' }];
  if (scope !== 'tidemark/service') return [400, { error: 'invalid_scope' }];
  const access_token = await issueToken(client_id, scope);
  return [200, { access_token, token_type: 'Bearer', expires_in: LIFE_SECONDS, scope }];
}

const { kty, n, e, kid, alg, use } = key; // the public half
const ANSWERS = {
  'GET /.well-known/openid-configuration': () => [200, { issuer: ISSUER, jwks_uri: `${ISSUER}/jwks.json` }],
  'GET /jwks.json': () => [200, { keys: [{ kty, n, e, kid, alg, use }] }],
  'POST /token': async (request) => {
    const form = Object.fromEntries(new URLSearchParams(await text(request)));
    return 'grant_type' in form ? tokenOfBackEnd(form) : tokenOfUser(request);
  },
};

createServer(async (request, response) => {
  const [status, body] = (await ANSWERS[`${request.method} ${request.url}`]?.(request)) ?? [404, {}];
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' });
  response.end(JSON.stringify(body));
}).listen(PORT, '127.0.0.1', () => console.log(`Issuer ready on ${ISSUER}`));
