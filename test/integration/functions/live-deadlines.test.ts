import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { bundledFunctions } from '../../support/bundled-functions.ts';
import { FaultProxy } from '../../support/fault-proxy.ts';

let aws: FaultProxy;

beforeEach(async () => {
  aws = await FaultProxy.start();
  aws.always(() => true, { kind: 'hang' });
});
afterEach(() => aws.stop());

/** Runs a bundle in a process, as Lambda does an event whose deadline is a moment away. Prints what became of it. */
const RUNTIME = `
  for (const level of ['info', 'warn', 'error']) console[level] = () => undefined;
  const causes = [];
  console.warn = ({ error }) => causes.push(...(error?.causes ?? []));
  process.once('message', async ({ bundle, event }) => {
    const { handler } = await import(bundle);
    const ended = await handler(event, { getRemainingTimeInMillis: () => 510 }).then(
      (answer) => ({ answer, causes }),
      ({ message, cause }) => ({ thrown: { message, cause: cause?.message ?? null } }),
    );
    process.stdout.write('ended ' + JSON.stringify(ended) + '\\n', () => process.exit());
  });
`;

async function outcomeOf(name: string, event: unknown): Promise<unknown> {
  const child = fork('-', [], {
    execArgv: ['--input-type=module', '--eval', RUNTIME],
    env: {
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
      AWS_ENDPOINT_URL: aws.url,
      AWS_LAMBDA_FUNCTION_NAME: 'a-function',
      TABLE_NAME: 'a-table',
      MEMBERS_INDEX_NAME: 'an-index',
      MESSAGE_RETENTION_DAYS: '30',
      UPSTASH_SECRET_ARN: 'a-secret',
      MEMBERSHIP: 'strict',
      CONNECTIONS_URL: aws.url,
      FRAMES_QUEUE_URL: `${aws.url}/1/frames`,
      TOKEN_ISSUERS: JSON.stringify([{ issuer: aws.url, audience: ['chat'] }]),
      USER_SCOPE: 'tidemark/user',
    },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  child.send({ bundle: join(await bundledFunctions(), name, 'index.mjs'), event });
  if (!child.stdout) throw new Error('the process has no output');
  const [log] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  const line = log.split('\n').find((one) => one.startsWith('ended '));
  return line === undefined ? log : JSON.parse(line.slice('ended '.length));
}

test('notify fails at its deadline, so that Lambda invokes it again', async () => {
  const detail = {
    ...{ version: '1', groupId: 'tea', userId: 'alice', membership: 1, from: null },
    ...{ to: '7', readAt: 1, ownRevision: 0 },
  };
  expect(await outcomeOf('notify', { id: '1', 'detail-type': 'WatermarkAdvanced', detail })).toEqual({
    thrown: {
      message: 'The service cannot take this request right now. Please retry.',
      cause: 'the request was not answered before its deadline',
    },
  });
});

test('the authorizer fails at its deadline if the issuer does not answer', async () => {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const token = `${part({ alg: 'RS256', kid: '1' })}.${part({ iss: aws.url, sub: 'alice' })}.c2ln`;
  const event = { headers: { 'Sec-WebSocket-Protocol': `tidemark.v1, bearer.${token}` }, methodArn: 'arn' };
  expect(await outcomeOf('authorize-connection', event)).toEqual({
    thrown: { message: 'it did not end before the deadline', cause: null },
  });
});

test.each(['open-connection', 'close-connection'])('%s answers 503 at its deadline', async (name) => {
  const requestContext = {
    ...{ connectionId: 'c1', connectedAt: 5, requestId: 'r', routeKey: '$connect' },
    authorizer: { userId: 'alice', tokenExpiresAtMs: '1800000000000' },
  };
  expect(await outcomeOf(name, { requestContext })).toEqual({
    answer: { statusCode: 503 },
    causes: expect.arrayContaining(['Error: the request was not answered before its deadline']),
  });
});
