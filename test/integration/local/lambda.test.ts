import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from '@jest/globals';
import type { Template } from '../../../local/cloudformation/template.ts';
import type { DeadLetters } from '../../../local/events/dead-letters.ts';
import type { Callers } from '../../../local/iam/callers.ts';
import { Lambda } from '../../../local/lambda/lambda.ts';
import { silentLog } from '../../../local/log.ts';

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

let lambda: Lambda;
afterEach(() => lambda.stop());

test('16 busy callers of many functions get no more than 32 instances of all of them, and every answer', async () => {
  const names = Array.from({ length: 8 }, (_, index) => `probe-${index}`);
  // Not reached: nothing fails here.
  const deadLetters = {} as DeadLetters;
  const caller = { accessKeyId: 'any', secretAccessKey: 'any' };
  const known = { ofFunction: () => caller } as unknown as Callers;
  lambda = new Lambda(templateOf(names), {
    ...{ environment: {}, callers: known, deadLetters, log: silentLog },
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
}, 180_000);
