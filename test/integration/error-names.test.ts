import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { bundledFunctions } from '../support/bundled-functions.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { membership } from '../support/stream-records.ts';

let aws: FaultProxy;

beforeEach(async () => {
  aws = await FaultProxy.start();
});
afterEach(() => aws.stop());

/**
 * Runs a bundle in a process that logs as Lambda's runtime does for functions whose log format is JSON: of an error in
 * what is logged it takes the name of the class, which is another one in a minified bundle.
 */
const RUNTIME = `
  const readable = (_key, value) =>
    value instanceof Error
      ? { errorType: value.constructor.name, errorMessage: value.message, ...value }
      : value;
  for (const level of ['info', 'warn', 'error']) {
    console[level] = (message) => process.stdout.write(JSON.stringify({ level, message }, readable) + '\\n');
  }
  process.once('message', async ({ bundle, event }) => {
    const { handler } = await import(bundle);
    await handler(event, { getRemainingTimeInMillis: () => 10_000 });
    process.disconnect();
    process.exit();
  });
`;

async function logOf(name: string, environment: Record<string, string>, event: unknown): Promise<unknown[]> {
  const child = fork('-', [], {
    execArgv: ['--input-type=module', '--eval', RUNTIME],
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  child.send({ bundle: join(await bundledFunctions(), name, 'index.mjs'), event });
  if (!child.stdout) throw new Error('the process has no output');
  const [log] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return log.split('\n').flatMap((line) => (line ? [JSON.parse(line)] : []));
}

test('an error that a bundle logs keeps the name that its class has in the source', async () => {
  aws.always('PutEvents', {
    kind: 'answer',
    status: 400,
    body: { __type: 'ResourceNotFoundException', message: 'there is no such bus' },
  });
  const log = await logOf(
    'publish-events',
    {
      AWS_REGION: 'us-east-1',
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
      AWS_ENDPOINT_URL: aws.url,
      AWS_LAMBDA_FUNCTION_NAME: 'a-function',
      EVENT_BUS_NAME: 'a-bus',
      DEAD_LETTER_QUEUE_URL: 'http://127.0.0.1:9/none',
    },
    {
      Records: [
        { dynamodb: { SequenceNumber: '1', OldImage: membership('ann', 2), NewImage: membership('ann', 3) } },
      ],
    },
  );
  expect(log).toEqual([
    {
      level: 'error',
      message: {
        message: 'the bus did not take events',
        count: 1,
        error: {
          name: 'ResourceNotFoundException',
          message: 'there is no such bus',
          frames: expect.any(Array),
          causes: [],
        },
      },
    },
  ]);
});
