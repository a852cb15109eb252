import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import type { StackDescription } from '../../local/data/data-directory.ts';
import type { Stack } from '../../local/stack.ts';
import { engines, eventually } from '../support/engines.ts';
import { Api, expectCovered, isRunning } from '../support/fault-stack.ts';
import { withStack } from '../support/running-stack.ts';

const lines: string[] = [];
const running = withStack({ log: { line: (text) => lines.push(text), output: () => undefined } });
let stack: Stack;
let api: Api;
beforeAll(() => {
  ({ stack } = running);
  api = new Api(running);
});

const described = () =>
  JSON.parse(readFileSync(join(running.dataDirectory, 'dev.json'), 'utf8')) as StackDescription;

/** Kills an engine several times, and waits each time until dev.json has the new process. */
async function killAndAwait(engine: 'redis' | 'dynamodb'): Promise<void> {
  const before = described();
  const killed = Number(before[engine].pid);
  process.kill(killed, 'SIGKILL');
  await eventually(() => {
    expect(described()[engine].pid).not.toBe(killed);
    expect(isRunning(Number(described()[engine].pid))).toBe(true);
  });
  const { pid } = described()[engine];
  // Everything else in dev.json is unchanged.
  expect(described()).toEqual({ ...before, [engine]: { ...before[engine], pid } });
  expect(stack.description).toEqual(described());
}

async function expectAllWorks(groupId: string, messageId: number): Promise<void> {
  await eventually(async () =>
    expect(await api.mark(groupId, 'ann', messageId)).toMatchObject({
      status: 200,
      body: { messageId: String(messageId), unread: { count: 20 - messageId, exact: true } },
    }),
  );
  await eventually(async () =>
    expectCovered(await api.notified(groupId, 'ann'), { from: null, to: messageId }),
  );
  await eventually(async () => {
    const health = await fetch(`${stack.description.apiUrl}/v1/health`);
    expect(health.status).toBe(200);
  });
}

const onRealRedis = engines.redisEngine === 'redis-server' ? test : test.skip;

onRealRedis('a killed Redis is started again, empty, and every call works', async () => {
  const groupId = await api.openGroup(['sender', 'ann'], 20);
  await expectAllWorks(groupId, 5);
  for (const messageId of [8, 11]) {
    lines.splice(0);
    await killAndAwait('redis');
    await expectAllWorks(groupId, messageId);
    const { pid } = described().redis;
    expect(lines.filter((line) => line.startsWith('redis-server '))).toEqual([
      `redis-server ended with SIGKILL and was started again (process ${pid})`,
    ]);
  }
});

test('a killed DynamoDB Local is started again with its data, and every call works', async () => {
  const groupId = await api.openGroup(['sender', 'ann'], 20);
  await expectAllWorks(groupId, 5);
  lines.splice(0);
  await killAndAwait('dynamodb');
  expect(await api.watermark(groupId, 'ann')).toMatchObject({ status: 200, body: { messageId: '5' } });
  await expectAllWorks(groupId, 8);
  const { pid } = described().dynamodb;
  expect(lines.filter((line) => line.startsWith('DynamoDB Local '))).toEqual([
    `DynamoDB Local ended with SIGKILL and was started again (process ${pid})`,
  ]);
});

test('a stack that stops while an engine is down leaves no process behind', async () => {
  const { redis, dynamodb } = described();
  process.kill(Number(dynamodb.pid), 'SIGKILL');
  await eventually(() => expect(isRunning(Number(dynamodb.pid))).toBe(false));
  await stack.stop();
  const { endpoint } = dynamodb;
  await expect(fetch(endpoint)).rejects.toThrow();
  if (redis.pid !== null) expect(isRunning(redis.pid)).toBe(false);
});
