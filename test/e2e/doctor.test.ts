import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { credentialsOf } from '../../local/aws/credentials.ts';
import { OPERATOR } from '../../local/aws/iam/callers.ts';
import { Secrets, UPSTASH_SECRET_ARN } from '../../local/aws/secrets.ts';
import { DataDirectory } from '../../local/data/data-directory.ts';
import { eventually } from '../support/engines.ts';
import { freePort } from '../support/free-port.ts';
import { withStack } from '../support/running-stack.ts';

const directory = mkdtempSync(join(tmpdir(), 'tidemark-doctor-'));
const stack = withStack();
let apiUrl: string;
let issuerUrl: string;
let issuer: ChildProcess;
let environment: NodeJS.ProcessEnv;

beforeAll(async () => {
  const { description } = stack;
  apiUrl = description.apiUrl;
  const secrets = new Secrets(new DataDirectory(stack.dataDirectory).file('secrets.json'));
  const operator = credentialsOf(secrets, OPERATOR);
  environment = {
    PATH: process.env.PATH,
    AWS_ENDPOINT_URL_SECRETS_MANAGER: description.eventbridge.endpoint,
    AWS_ENDPOINT_URL_SSM: description.eventbridge.endpoint,
    AWS_ACCESS_KEY_ID: operator.accessKeyId,
    AWS_SECRET_ACCESS_KEY: operator.secretAccessKey,
    AWS_REGION: 'us-east-1',
  };

  const port = await freePort();
  issuerUrl = `http://127.0.0.1:${port}`;
  issuer = spawn(process.execPath, ['docs/minimal-issuer.mjs'], {
    env: { PATH: process.env.PATH, PORT: String(port), KEY_FILE: join(directory, 'key.json') },
    stdio: 'ignore',
  });
  await eventually(() => fetch(`${issuerUrl}/.well-known/openid-configuration`));
});
afterAll(() => {
  issuer.kill();
  rmSync(directory, { recursive: true, force: true });
});

async function doctor(settings: Record<string, string>, changes: NodeJS.ProcessEnv = {}) {
  const options = Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
  const child = spawn(process.execPath, ['operate/doctor.ts', ...options], {
    env: { ...environment, ...changes },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ]);
  return { lines: stdout.replace(/[\d.]+ ms/, 'N ms').split('\n'), stderr, code };
}

const settings = () => ({
  stage: 'local',
  jwtIssuer: issuerUrl,
  jwtAudience: 'my-chat',
  upstashSecretArn: UPSTASH_SECRET_ARN,
  webhookUrl: `${apiUrl}/_local/webhook`,
});

test('every check of the local stack is ok', async () => {
  const upstash = stack.description.upstash.url;
  expect(await doctor(settings())).toEqual({
    lines: [
      'ok    context: each value has the right shape.',
      `ok    issuer: ${issuerUrl} answers, and its "issuer" is exactly this.`,
      "ok    issuer's keys: 1 RSA key.",
      'ok    region: us-east-1, the region of the secret.',
      'ok    AWS credentials: there are some.',
      'ok    bootstrap: us-east-1 is bootstrapped, in version 21.',
      'ok    secret: there is one in us-east-1.',
      "ok    secret's key: it is an AWS managed key.",
      "ok    secret's value: it has url and token.",
      `ok    Upstash: ${new URL(upstash).host} accepts the token.`,
      expect.stringMatching(/^(ok {4}|warn {2})Upstash's distance: N ms away from this machine/),
      "ok    Upstash's scripts: they run, and they may write.",
      `ok    webhook: ${new URL(apiUrl).host} answers (404).`,
      '',
    ],
    stderr: '',
    code: 0,
  });
});

test('a failed check is reported, and the exit code is 1', async () => {
  const { lines, stderr, code } = await doctor({
    ...settings(),
    upstashSecretArn: UPSTASH_SECRET_ARN.replace('local1', 'local2'),
    webhookurl: 'https://chat.example.com/hook',
  });
  expect(lines).toContain('fail  context: webhookurl is not known; did you mean webhookUrl?');
  expect(lines).toContain(
    'fail  secret: there is none with this ARN: copy it from aws secretsmanager list-secrets --region us-east-1',
  );
  expect({ stderr, code }).toEqual({ stderr: '', code: 1 });
});

test('missing permissions of a back end are warnings, not failures', async () => {
  const { credentials } = stack.description;
  const { lines, code } = await doctor(settings(), {
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  });
  expect(lines.filter((line) => !line.startsWith('ok'))).toEqual([
    'warn  bootstrap: not checked: your credentials may not call ssm:GetParameter.',
    'warn  secret: not checked: your credentials may not call secretsmanager:DescribeSecret.',
    "warn  secret's value: not checked: your credentials may not call secretsmanager:GetSecretValue.",
    'warn  Upstash: not checked: its url and token are not known.',
    '',
  ]);
  expect(code).toBe(0);
});
