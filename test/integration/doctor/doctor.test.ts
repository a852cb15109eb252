import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { type Listening, listenOnLoopback } from '../../../local/http/loopback.ts';
import { examine } from '../../../operate/doctor/examine.ts';
import type { Finding } from '../../../operate/doctor/finding.ts';

const ARN = 'arn:aws:secretsmanager:us-east-1:123456789012:secret:upstash-Ab1Cd2';
const TOKEN = 'a-token-that-nobody-may-see';
const TIMEOUT_MS = 500;

interface Reply {
  readonly status?: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

interface ReceivedRequest {
  readonly body: string;
  readonly authorization: string | undefined;
}

/** The reply to each request, by name. A test replaces the one that it is about. Null: no answer. */
let replies: Record<string, ((requests: ReceivedRequest) => Reply | null) | Reply | null>;
const requests: string[] = [];

async function reply(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const name = String(request.headers['x-amz-target'] ?? (request.url ?? '').slice(1));
  requests.push(`${request.method} ${name}`);
  const body = await text(request);
  const found = replies[name];
  const { authorization } = request.headers;
  const answer = typeof found === 'function' ? found({ body, authorization }) : found;
  if (answer === null) return;
  const { status = 200, headers = {}, body: answered = {} } = answer ?? { status: 404 };
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1', ...headers });
  response.end(typeof answered === 'string' ? answered : JSON.stringify(answered));
}

const server = createServer((request, response) => void reply(request, response));
let listening: Listening;
let url: string;
/** A URL where nothing listens. */
let nowhere: string;
beforeAll(async () => {
  const closed = await listenOnLoopback(createServer());
  nowhere = closed.url;
  await closed.close();
  listening = await listenOnLoopback(server);
  url = listening.url;
});
afterAll(() => listening.close());

const RSA = { kty: 'RSA', kid: 'k1', use: 'sig', alg: 'RS256', n: 'AQAB', e: 'AQAB' };
const EC = { kty: 'EC', kid: 'e1', use: 'sig', alg: 'ES256', crv: 'P-256', x: 'a', y: 'b' };
const DISCOVERY = 'issuer/.well-known/openid-configuration';

const refused = (name: string): Reply => ({ status: 400, body: { __type: name, message: TOKEN } });

beforeEach(() => {
  requests.length = 0;
  Object.assign(process.env, {
    AWS_ENDPOINT_URL_SSM: url,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: url,
    AWS_ACCESS_KEY_ID: 'AKID',
    AWS_SECRET_ACCESS_KEY: 'secret',
    AWS_REGION: 'us-east-1',
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: '/dev/null',
    AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
  });
  replies = {
    [DISCOVERY]: { body: { issuer: `${url}/issuer`, jwks_uri: `${url}/keys` } },
    keys: { body: { keys: [RSA] } },
    'AmazonSSM.GetParameter': ({ body }) =>
      JSON.parse(body).Name === '/cdk-bootstrap/hnb659fds/version'
        ? { body: { Parameter: { Value: '21' } } }
        : refused('ParameterNotFound'),
    'secretsmanager.DescribeSecret': { body: { ARN } },
    'secretsmanager.GetSecretValue': () => secretOf({ url: `${url}/upstash`, token: TOKEN }),
    upstash: ({ body, authorization }) => {
      if (authorization !== `Bearer ${TOKEN}`) return { status: 401, body: { error: 'WRONGPASS' } };
      return { body: { result: body === '["PING"]' ? 'PONG' : 'OK' } };
    },
    hook: { status: 405 },
  };
});
afterEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith('AWS_')) delete process.env[name];
});

function secretOf(value: unknown): Reply {
  return { body: { ARN, SecretString: typeof value === 'string' ? value : JSON.stringify(value) } };
}

async function all(given: Record<string, unknown> = {}): Promise<Finding[]> {
  const findings: Finding[] = [];
  const complete = {
    stage: 'local',
    jwtIssuer: `${url}/issuer`,
    jwtAudience: 'chat',
    upstashSecretArn: ARN,
    webhookUrl: `${url}/hook`,
    ...given,
  };
  const examination = { given: complete, environment: process.env, timeoutMs: TIMEOUT_MS };
  for await (const finding of examine(examination)) findings.push(finding);
  // No finding may contain the token.
  expect(JSON.stringify(findings)).not.toContain(TOKEN);
  return findings;
}

const readable = (expected: string) =>
  expected
    .replaceAll(url, 'URL')
    .replaceAll(new URL(url).host, 'HOST')
    .replaceAll(nowhere, 'NOWHERE')
    .replaceAll(new URL(nowhere).host, 'NOWHERE');

const lineOf = ({ status, thing, text: expected }: Finding) => `${status} ${thing}: ${readable(expected)}`;

/** The findings that are not `ok`, one line each. */
async function found(given: Record<string, unknown> = {}): Promise<string[]> {
  return (await all(given)).filter(({ status }) => status !== 'ok').map(lineOf);
}

test('with a valid deployment, each check is ok', async () => {
  const lines = (await all()).map(lineOf).map((line) => line.replace(/[\d.]+ ms/, 'N ms'));
  expect(lines).toEqual([
    'ok context: each value has the right shape.',
    'ok issuer: URL/issuer answers, and its "issuer" is exactly this.',
    "ok issuer's keys: 1 RSA key.",
    'ok region: us-east-1, the region of the secret.',
    'ok AWS credentials: there are some.',
    'ok bootstrap: us-east-1 is bootstrapped, in version 21.',
    'ok secret: there is one in us-east-1.',
    "ok secret's key: it is an AWS managed key.",
    "ok secret's value: it has url and token.",
    'ok Upstash: HOST accepts the token.',
    "ok Upstash's distance: N ms away from this machine.",
    "ok Upstash's scripts: they run, and they may write.",
    'ok webhook: HOST answers (405).',
  ]);
  expect(requests).toContain('HEAD hook');
});

describe('the context', () => {
  test('is reported with all its mistakes, and the other checks still run', async () => {
    expect(await found({ stage: 'Local', jwtAudience: undefined, webhookurl: 'x' })).toEqual([
      'fail context: webhookurl is not known; did you mean webhookUrl?',
      expect.stringMatching(/^fail context: webhookUrl is "URL\/hook"\. It must be/),
      expect.stringMatching(/^fail context: stage is "Local"\. It must be/),
      expect.stringMatching(/^fail context: jwtIssuer is "URL\/issuer"\. It must be/),
      expect.stringMatching(/^fail context: jwtAudience is missing\. It must be/),
      expect.stringMatching(/^fail secret's value: its url begins with http:/),
      'warn Upstash: not checked: its url and token are not known.',
    ]);
  });

  test('is reported with a warning if nobody receives alarms', async () => {
    const given = {
      stage: 'prod',
      jwtIssuer: 'https://login.example.com/',
      jwtAudience: 'my-chat',
      upstashSecretArn: ARN,
    };
    // The second finding is still about the context. Later checks would call the internet.
    const secondOf = async (settings: Record<string, string>) => {
      const findings = examine({ given: settings, environment: {}, timeoutMs: TIMEOUT_MS });
      await findings.next();
      const { value } = await findings.next();
      await findings.return(undefined);
      return value && lineOf(value);
    };
    expect(await secondOf(given)).toBe(
      'warn context: nobody receives alarms: pass -c alarmEmail=... or -c alarmTopicArn=...',
    );
    const mailed = { alarmEmail: 'on-call@example.com', userScope: 'none' };
    expect(await secondOf({ ...given, ...mailed })).toMatch(/^warn context: with userScope=none/);
  });

  test('is reported with a warning if a setting has no effect or needs care', async () => {
    expect(await found({ serviceAuth: 'iam', serviceScope: 'chat:write', userScope: 'none' })).toEqual([
      'warn context: serviceScope has no effect with serviceAuth=iam: leave it out.',
      "warn context: with userScope=none every valid token of the audience is a user's: issue no other tokens for that audience.",
    ]);
  });
});

describe('an issuer', () => {
  const asks = 'API Gateway reads this URL: set jwtIssuer to the "iss" of your tokens.';
  test.each<[string, Reply | null, string]>([
    ['answers with an error', { status: 404 }, `URL/${DISCOVERY} answers 404. ${asks}`],
    ['does not answer', null, `URL/${DISCOVERY} does not answer in time. ${asks}`],
    [
      'answers with a page',
      { body: '<html>' },
      `URL/${DISCOVERY} does not answer with a JSON object. ${asks}`,
    ],
    [
      'is not exactly jwtIssuer',
      { body: { issuer: 'https://login.example.com/', jwks_uri: 'https://login.example.com/keys' } },
      `URL/${DISCOVERY} belongs to the issuer https://login.example.com/, which is not exactly jwtIssuer: pass -c jwtIssuer='https://login.example.com/' if your tokens have it as "iss".`,
    ],
    [
      'has no issuer',
      { body: {} },
      `URL/${DISCOVERY} has no "issuer": it is not a discovery document of OpenID Connect.`,
    ],
  ])('that %s fails', async (_name, answer, expected) => {
    replies[DISCOVERY] = answer;
    expect(await found()).toEqual([`fail issuer: ${expected}`]);
  });

  test('that has no URL of keys fails', async () => {
    replies[DISCOVERY] = { body: { issuer: `${url}/issuer` } };
    expect(await found()).toEqual([
      `fail issuer: URL/${DISCOVERY} has no "jwks_uri": API Gateway would find no keys.`,
    ]);
  });

  test('that does not run fails', async () => {
    expect(await found({ jwtIssuer: nowhere })).toEqual([
      `fail issuer: NOWHERE/.well-known/openid-configuration refuses the connection. ${asks}`,
    ]);
  });

  const taken =
    'API Gateway accepts tokens signed with RS256, RS384 or RS512 and a key that has a "kid", but refuses those of';
  const allRefused = 'Let the issuer sign with RSA, or use another issuer in front of it.';
  test.each<[string, Reply, string]>([
    ['cannot be read', { status: 500 }, 'fail: URL/keys answers 500. Without keys every token is refused.'],
    [
      'do not sign',
      { body: { keys: [{ ...RSA, use: 'enc' }] } },
      'fail: URL/keys has no key that signs: every token will be refused.',
    ],
    [
      'are none',
      { body: { keys: [] } },
      'fail: URL/keys has no key that signs: every token will be refused.',
    ],
    [
      'are all of another kind',
      { body: { keys: [EC, { kty: 'OKP', kid: 'o1', crv: 'Ed25519' }] } },
      `fail: ${taken} the key "e1" (EC for ES256), the key "o1" (OKP). ${allRefused}`,
    ],
    [
      'are in part of another kind',
      { body: { keys: [EC, RSA] } },
      `warn: ${taken} the key "e1" (EC for ES256). Let the issuer sign the tokens for Tidemark with RSA.`,
    ],
    [
      'are for another RSA',
      { body: { keys: [{ ...RSA, alg: 'PS256' }] } },
      `fail: ${taken} the key "k1" (RSA for PS256). ${allRefused}`,
    ],
    [
      'have no id',
      { body: { keys: [{ ...RSA, kid: undefined }] } },
      `fail: ${taken} a key without "kid" (RSA for RS256). ${allRefused}`,
    ],
  ])('whose keys %s is reported', async (_name, answer, expected) => {
    replies.keys = answer;
    expect(await found()).toEqual([expected.replace(/^(\w+):/, "$1 issuer's keys:")]);
  });

  test('may have several RSA keys, and others that do not sign', async () => {
    replies.keys = { body: { keys: [{ kty: 'RSA', kid: 'k2' }, RSA, { ...EC, use: 'enc' }] } };
    expect((await all()).map(lineOf)).toContain("ok issuer's keys: 2 RSA keys.");
  });
});

describe('the account', () => {
  test('is not checked without credentials, but everything else is', async () => {
    delete process.env.AWS_ACCESS_KEY_ID;
    expect(await found()).toEqual([
      expect.stringMatching(/^warn AWS credentials: none were found \(.+\), so your account is not checked/),
      'warn bootstrap: not checked, no credentials.',
      'warn secret: not checked, no credentials.',
      'warn Upstash: not checked, no credentials.',
    ]);
    expect(requests).toContain('HEAD hook');
    expect(requests.join()).not.toContain('secretsmanager');
  });

  test.each(['AWS_REGION', 'AWS_DEFAULT_REGION'])(
    'must be in the region of the secret, by %s',
    async (name) => {
      delete process.env.AWS_REGION;
      process.env[name] = 'eu-central-1';
      expect(await found()).toEqual([
        'fail region: the region of the deployment is eu-central-1, but the secret is in us-east-1, where the functions cannot find it: export AWS_REGION=us-east-1, or put the secret into eu-central-1.',
      ]);
    },
  );

  test('may have no region, with a warning', async () => {
    delete process.env.AWS_REGION;
    expect(await found()).toEqual([
      'warn region: no region is set, so the CDK would use us-east-1: export AWS_REGION=us-east-1, the region of the secret.',
    ]);
  });

  const remedy = 'run npx cdk bootstrap aws://ACCOUNT/us-east-1.';
  test.each<[string, Reply | null, string]>([
    [
      'is not bootstrapped',
      refused('ParameterNotFound'),
      `fail bootstrap: us-east-1 is not bootstrapped for the CDK: ${remedy}`,
    ],
    [
      'was bootstrapped long ago',
      { body: { Parameter: { Value: '5' } } },
      `fail bootstrap: us-east-1 is bootstrapped in version 5, but the CDK needs 6: ${remedy}`,
    ],
    [
      'may not be read with these credentials',
      refused('AccessDeniedException'),
      'warn bootstrap: not checked: your credentials may not call ssm:GetParameter.',
    ],
    [
      'does not know the credentials',
      refused('ExpiredTokenException'),
      'fail bootstrap: AWS does not accept your credentials (ExpiredTokenException): log in again.',
    ],
    [
      'answers with a fault',
      { status: 500, body: { __type: 'InternalServerError' } },
      'fail bootstrap: not checked: ssm:GetParameter answers InternalServerError. Try again.',
    ],
    [
      'does not answer',
      null,
      'fail bootstrap: not checked: ssm:GetParameter does not answer in time. Try again.',
    ],
  ])('that %s is reported', async (_name, answer, expected) => {
    replies['AmazonSSM.GetParameter'] = answer;
    expect(await found()).toEqual([expected]);
  });

  test('may be bootstrapped under another qualifier', async () => {
    const qualifier = { '@aws-cdk/core:bootstrapQualifier': 'mine' };
    expect(await found(qualifier)).toEqual([
      `fail bootstrap: us-east-1 is not bootstrapped for the CDK: ${remedy}`,
    ]);
    replies['AmazonSSM.GetParameter'] = ({ body }) =>
      JSON.parse(body).Name === '/cdk-bootstrap/mine/version'
        ? { body: { Parameter: { Value: '6' } } }
        : refused('ParameterNotFound');
    expect(await found(qualifier)).toEqual([]);
  });
});

describe('the secret', () => {
  const unknown = 'warn Upstash: not checked: its url and token are not known.';

  test.each<[string, Reply | null, string]>([
    [
      'does not exist',
      refused('ResourceNotFoundException'),
      'fail secret: there is none with this ARN: copy it from aws secretsmanager list-secrets --region us-east-1',
    ],
    [
      'is to be deleted',
      { body: { ARN, DeletedDate: 1_767_225_600 } },
      `fail secret: it will be deleted: run aws secretsmanager restore-secret --secret-id ${ARN}, or use another secret.`,
    ],
  ])('that %s fails, and is not read', async (_name, answer, expected) => {
    replies['secretsmanager.DescribeSecret'] = answer;
    expect(await found()).toEqual([expected, unknown]);
    expect(requests.join()).not.toContain('GetSecretValue');
  });

  test('under a customer managed key fails, and the other checks still run', async () => {
    const key = 'arn:aws:kms:us-east-1:123456789012:key/0b9e';
    replies['secretsmanager.DescribeSecret'] = { body: { ARN, KmsKeyId: key } };
    expect(await found()).toEqual([
      `fail secret's key: it is your own key (${key}), which the functions may not use: run aws secretsmanager update-secret --secret-id ${ARN} --kms-key-id alias/aws/secretsmanager`,
    ]);
    replies['secretsmanager.DescribeSecret'] = { body: { ARN, KmsKeyId: 'alias/aws/secretsmanager' } };
    expect(await found()).toEqual([]);
  });

  test('that the deployer may not read is reported with a warning', async () => {
    const described =
      'warn secret: not checked: your credentials may not call secretsmanager:DescribeSecret.';
    replies['secretsmanager.DescribeSecret'] = refused('AccessDeniedException');
    expect(await found()).toEqual([described]);
    replies['secretsmanager.GetSecretValue'] = refused('AccessDeniedException');
    expect(await found()).toEqual([
      described,
      "warn secret's value: not checked: your credentials may not call secretsmanager:GetSecretValue.",
      unknown,
    ]);
  });

  const shape = 'it must be the text {"url": "https://...", "token": "..."}, but it is not.';
  test.each<[string, unknown, string]>([
    ['is not JSON', TOKEN, shape],
    ['is null', 'null', shape],
    ['has no token', { url: 'https://x.upstash.io' }, shape],
    ['has an empty token', { url: 'https://x.upstash.io', token: '' }, shape],
    ['has the url and the token swapped', { url: TOKEN, token: 'https://x.upstash.io' }, shape],
    ['has other names', { UPSTASH_REDIS_REST_URL: 'https://x.upstash.io', token: TOKEN }, shape],
    [
      "has Redis's own address",
      { url: `rediss://default:${TOKEN}@x.upstash.io:6379`, token: TOKEN },
      "its url begins with rediss:// but must begin with https://: copy the REST URL from Upstash's console.",
    ],
  ])('that %s fails', async (_name, value, expected) => {
    replies['secretsmanager.GetSecretValue'] = secretOf(value);
    expect(await found()).toEqual([`fail secret's value: ${expected}`, unknown]);
  });

  test('without a value fails', async () => {
    replies['secretsmanager.GetSecretValue'] = refused('ResourceNotFoundException');
    expect(await found()).toEqual([
      'fail secret\'s value: it has none yet: put {"url": "https://...", "token": "..."} into it.',
      unknown,
    ]);
  });
});

describe('Upstash', () => {
  test.each<[string, (requests: ReceivedRequest) => Reply | null, string]>([
    [
      'refuses the token',
      () => ({ status: 401, body: { error: TOKEN } }),
      "fail Upstash: HOST refuses the token (401): copy the REST token from Upstash's console.",
    ],
    ['fails', () => ({ status: 500 }), 'fail Upstash: HOST answers 500 to PING.'],
    ['answers with a page', () => ({ body: '<html>' }), 'fail Upstash: HOST does not answer with JSON.'],
    ['does not answer', () => null, 'fail Upstash: HOST does not answer in time.'],
    [
      'is something else',
      () => ({ body: {} }),
      'fail Upstash: HOST does not answer PING as Redis does: check the url in the secret.',
    ],
    [
      'lets the token only read',
      ({ body }) =>
        body === '["PING"]'
          ? { body: { result: 'PONG' } }
          : { status: 400, body: { error: "NOPERM this user has no permissions to run the 'eval' command" } },
      "fail Upstash's scripts: it answers 400 to EVAL. Put the standard token into the secret, not the read-only one.",
    ],
  ])('that %s is reported', async (_name, answer, expected) => {
    replies.upstash = answer;
    expect(await found()).toEqual([expected]);
  });

  test('that does not run is reported', async () => {
    replies['secretsmanager.GetSecretValue'] = secretOf({ url: nowhere, token: TOKEN });
    expect(await found()).toEqual(['fail Upstash: NOWHERE refuses the connection.']);
  });
});

describe('the webhook', () => {
  test.each<[string, Reply | null, string]>([
    [
      'does not answer',
      null,
      'fail webhook: HOST does not answer in time: events would wait in the dead-letter queue.',
    ],
    [
      'leads elsewhere',
      { status: 301, headers: { location: 'https://chat.example.com/' } },
      'warn webhook: HOST answers 301, a redirect, which is not followed: pass the URL that it redirects to.',
    ],
  ])('that %s is reported', async (_name, answer, expected) => {
    replies.hook = answer;
    expect(await found()).toEqual([expected]);
  });

  test.each([200, 401, 404, 405, 500])('may answer %p', async (status) => {
    replies.hook = { status };
    expect(await found()).toEqual([]);
  });

  test('that does not run fails', async () => {
    expect(await found({ webhookUrl: `${nowhere}/hook` })).toEqual([
      'fail webhook: NOWHERE refuses the connection: events would wait in the dead-letter queue.',
    ]);
  });

  test('with a self-signed certificate fails', async () => {
    const tls = createTlsServer({ key: KEY, cert: CERTIFICATE }, (_request, response) => response.end());
    const { port, close } = await listenOnLoopback(tls);
    const findings = await found({ webhookUrl: `https://127.0.0.1:${port}/hook` });
    await close();
    expect(findings).toEqual([
      `fail webhook: 127.0.0.1:${port} has no valid certificate (DEPTH_ZERO_SELF_SIGNED_CERT): events would wait in the dead-letter queue.`,
    ]);
  });

  test('is not checked if there is none', async () => {
    expect(await found({ webhookUrl: undefined })).toEqual([]);
    expect(requests).not.toContain('HEAD hook');
  });
});

/** A self-signed certificate, made for this test. */
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgFPQk0urP5R5gzUZ6
uzJFFw3zHRzzn1XAa/oqfZ2bO0ihRANCAATr5/kQzhJfjqtw7zHt864XH29uiQyu
RiaqoZjzMzlmz9oW/YWc7pZ/rGo2EVEQR3734YfxRPidzsbP2SjKATQn
-----END PRIVATE KEY-----`;
const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBmTCCAT+gAwIBAgIUb36a1rrdsAn/o2SO9Rlamz7YUq4wCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MB4XDTI2MTEyNTE4MzUxMloXDTM2MTEyMjE4
MzUxMlowFDESMBAGA1UEAwwJbG9jYWxob3N0MFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAE6+f5EM4SX46rcO8x7fOuFx9vbokMrkYmqqGY8zM5Zs/aFv2FnO6Wf6xq
NhFREEd+9+GH8UT4nc7Gz9koygE0J6NvMG0wHQYDVR0OBBYEFGo+Gh5NxZEJRNHI
oC03R8OHQdfoMB8GA1UdIwQYMBaAFGo+Gh5NxZEJRNHIoC03R8OHQdfoMA8GA1Ud
EwEB/wQFMAMBAf8wGgYDVR0RBBMwEYIJbG9jYWxob3N0hwR/AAABMAoGCCqGSM49
BAMCA0gAMEUCIBz5ip6v+pMgVVtB4/Pk7XWkX4qJ5LxbuKxZY3wZXkicAiEAqhhn
IZGspZRrGnzEPns1ga+JSsCD4vE//RlS7VkQP2k=
-----END CERTIFICATE-----`;
