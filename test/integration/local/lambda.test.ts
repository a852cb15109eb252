import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from '@jest/globals';
import type { Template } from '../../../local/aws/cloudformation/template.ts';
import type { Callers } from '../../../local/aws/iam/callers.ts';
import { Principal } from '../../../local/aws/iam/principal.ts';
import { Lambda } from '../../../local/aws/lambda/lambda.ts';
import { MessageStore } from '../../../local/aws/queues/message-store.ts';
import { Queues } from '../../../local/aws/queues/queues.ts';
import { type Log, silentLog } from '../../../local/command/log.ts';
import { eventually } from '../../support/engines.ts';

const FIXTURES = fileURLToPath(new URL('./fixtures', import.meta.url));

/** A template of functions that do what their events say. */
function templateOf(functionNames: readonly string[]): Template {
  return {
    stackName: 'probes',
    resources: functionNames.map((FunctionName) => ({
      logicalId: FunctionName,
      type: 'AWS::Lambda::Function',
      properties: {
        FunctionName,
        Role: 'arn:role',
        Handler: 'probe.handler',
        Runtime: 'nodejs24.x',
        MemorySize: 128,
        Timeout: 30,
        Code: { S3Bucket: 'assets', S3Key: 'probe' },
      },
    })),
    identityOf: (logicalId) => ({ ref: logicalId, attributes: { Arn: `arn:${logicalId}` } }),
    assetDirectory: () => FIXTURES,
  };
}

/** Functions whose role allows these actions on everything. */
function callersWith(...Action: string[]): Callers {
  const Statement = [{ Effect: 'Allow' as const, Action, Resource: ['*'] }];
  const principal = new Principal('arn:of:the-function', [{ Version: '2012-10-17', Statement }]);
  const caller = { accessKeyId: 'any', secretAccessKey: 'any', principal };
  return { ofFunction: () => caller } as unknown as Callers;
}

let lambda: Lambda;
afterEach(() => lambda.stop());

test('16 busy callers of many functions get no more than the allowed instances of all of them, and every answer', async () => {
  const names = Array.from({ length: 8 }, (_, index) => `probe-${index}`);
  // Not reached: nothing fails here.
  const queues = {} as Queues;
  lambda = new Lambda(templateOf(names), {
    ...{ environment: {}, callers: callersWith(), queues, speed: 1, log: silentLog, maxInstances: 32 },
  });
  const totals: number[] = [];
  const callers = Array.from({ length: 16 }, async (_, caller) => {
    for (let round = 0; round < 8; round += 1) {
      const name = names[(caller + round) % names.length] ?? '';
      // A caller of a busy group makes calls that go on beside its own: events, pushes, the stream.
      const results = await Promise.all([name, name, name].map((one) => lambda.invoke(one, '{"wait":5}')));
      expect(results.map(({ ok }) => ok)).toEqual([true, true, true]);
      totals.push(Object.values(lambda.sizes()).reduce((sum, size) => sum + size, 0));
    }
  });
  await Promise.all(callers);
  expect(totals).toHaveLength(128);
  expect(Math.max(...totals)).toBe(32);
});

test.each([
  ['then given up as Lambda does', callersWith('sqs:SendMessage'), 1],
  ['then lost where the role may not send it', callersWith(), 0],
])(
  'an asynchronous invocation that fails is made again after one and two minutes, %s',
  async (_what, callers, parked) => {
    const directory = mkdtempSync(join(tmpdir(), 'tidemark-lambda-'));
    const store = new MessageStore(join(directory, 'queues.jsonl'));
    const arn = 'arn:aws:sqs:us-east-1:000000000000:given-up';
    const functions = templateOf(['probe']);
    const template: Template = {
      ...functions,
      resources: [
        ...functions.resources,
        { logicalId: 'given-up', type: 'AWS::SQS::Queue', properties: { QueueName: 'given-up' } },
        {
          logicalId: 'config',
          type: 'AWS::Lambda::EventInvokeConfig',
          properties: {
            FunctionName: 'probe',
            Qualifier: '$LATEST',
            MaximumRetryAttempts: 2,
            DestinationConfig: { OnFailure: { Destination: arn } },
          },
        },
      ],
      identityOf: (logicalId) => ({
        ref: logicalId,
        attributes: { Arn: logicalId === 'given-up' ? arn : `arn:${logicalId}` },
      }),
    };
    const failures: string[] = [];
    const log: Log = {
      line: () => undefined,
      output: (_name, text) => failures.push(...(text.match(/TypeError: (?:no)/g) ?? [])),
    };
    // Three minutes pass in 0.18 s.
    const clock = { nowMs: Date.now, speed: 1_000 };
    const queues = new Queues(template, store, clock);
    lambda = new Lambda(template, { environment: {}, callers, queues, speed: clock.speed, log });
    const settled = new Promise<void>((resolve) => {
      void lambda.invokeAsync('probe', '{"fail":"no"}', resolve);
    });
    await settled;
    await eventually(() => expect(failures).toHaveLength(3));
    const letters = [
      {
        queue: arn,
        reason: 'no',
        message: {
          requestContext: {
            functionArn: 'arn:probe:$LATEST',
            condition: 'RetriesExhausted',
            approximateInvokeCount: 3,
          },
          requestPayload: { fail: 'no' },
          responsePayload: { errorType: 'TypeError', errorMessage: 'no' },
        },
      },
    ];
    expect(queues.deadLetters).toMatchObject(letters.slice(0, parked));
    store.close();
    rmSync(directory, { recursive: true });
  },
);
