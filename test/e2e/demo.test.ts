import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { eventually } from '../support/engines.ts';

const dataDirectory = mkdtempSync(join(tmpdir(), 'tidemark-demo-'));
const run = (...args: string[]) => spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });

let dev: ChildProcess;
let output = '';
beforeAll(async () => {
  dev = run('local/dev.ts', '--port', '0', '--data', dataDirectory);
  dev.stdout?.on('data', (chunk) => {
    output += chunk;
  });
  await eventually(() => expect(output).toContain('Tidemark ready on'));
});
afterAll(() => {
  dev.kill('SIGKILL');
  rmSync(dataDirectory, { recursive: true, force: true });
});

const described = () => JSON.parse(readFileSync(join(dataDirectory, 'dev.json'), 'utf8'));

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('npm run dev', () => {
  test('writes all addresses to dev.json', () => {
    expect(output.trimEnd().split('\n').at(-1)).toBe(`Tidemark ready on ${described().apiUrl}`);
    expect(described()).toEqual({
      apiUrl: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      wsUrl: expect.stringMatching(/^ws:\/\/127\.0\.0\.1:\d+\/live$/),
      pid: dev.pid,
      redis: {
        engine: expect.stringMatching(/^(redis-server|embedded)$/),
        url: expect.stringMatching(/^redis:\/\//),
        pid: described().redis.engine === 'embedded' ? null : expect.any(Number),
      },
      upstash: { url: expect.stringMatching(/^http:\/\/127/), token: expect.stringMatching(/^\w{40}$/) },
      dynamodb: {
        endpoint: expect.stringMatching(/^http:\/\/127/),
        engineEndpoint: expect.stringMatching(/^http:\/\/127/),
        table: expect.stringMatching(/^tidemark-local/),
        pid: expect.any(Number),
      },
      eventbridge: { endpoint: expect.stringMatching(/^http:\/\/127/), bus: 'tidemark-local' },
      credentials: {
        accessKeyId: expect.stringMatching(/^[A-Za-z0-9]{32}$/),
        secretAccessKey: expect.stringMatching(/^[A-Za-z0-9]{40}$/),
      },
    });
  });

  test('accepts the tokens that npm run token prints', async () => {
    const token = run('local/token.ts', 'alice', '--data', dataDirectory);
    const printed = (await text(token.stdout)).trim();
    const response = await fetch(`${described().apiUrl}/v1/groups/nowhere/watermark`, {
      headers: { authorization: `Bearer ${printed}` },
    });
    expect(response.status).toBe(404);
  });

  test('runs the demo without a failure', async () => {
    const demo = run('local/demo.ts', '--data', dataDirectory);
    const [said, errors, [code]] = await Promise.all([
      text(demo.stdout),
      text(demo.stderr),
      once(demo, 'exit'),
    ]);
    expect(errors).toBe('');
    expect(said).toContain('One event from 100 to 101 was published.');
    expect(said).toContain('Read by 1 of 2, delivered to both: D came later and does not count.');
    expect(said).toContain('B’s inbox shows the group with 1 unread message.');
    expect(said).toContain('An event was published: everyone has read up to 2.');
    expect(said).toContain('B has 3 unread messages, 2 of them mention B, and the first is 1.');
    expect(said).toContain('B’s badge counts the 2 mentions, and not 4.');
    expect(said).toContain('A group of four (');
    expect(said).toContain('  B unmutes the group, and wants to be notified of mentions only.');
    expect(said).toContain('  B wants to be notified of everything again, and archives the group');
    expect(said).toContain('The group has come back,');
    expect(said).toContain('and A cannot see it.');
    expect(said).toContain('B marks all threads of the group read with one call.');
    expect(said).toContain('An event was published: C has not read 1.');
    expect(said).toContain('Deletion and erasure (');
    expect(said).toContain('✓ and B’s badge counts nothing.');
    expect(said).toContain('The group begins again with message 1, which is unread for B.');
    expect(said).toContain('B is erased: an event was published, and nothing is stored of B.');
    expect(said.trimEnd().split('\n').at(-1)).toBe('Everything was as expected.');
    expect(code).toBe(0);
  });

  test('refuses a second stack on the same data', async () => {
    const second = run('local/dev.ts', '--port', '0', '--data', dataDirectory);
    const [errors, [code]] = await Promise.all([text(second.stderr), once(second, 'exit')]);
    expect(errors.trim()).toBe(`${dataDirectory} is in use by another local stack (process ${dev.pid}).`);
    expect(code).toBe(1);
  });

  test('refuses a port that is taken, in one sentence', async () => {
    const port = new URL(described().apiUrl).port;
    const second = run('local/dev.ts', '--port', port, '--data', `${dataDirectory}/other`);
    const [errors, [code]] = await Promise.all([text(second.stderr), once(second, 'exit')]);
    expect(errors.trim()).toBe(`Port ${port} is in use; choose another with --port.`);
    expect(code).toBe(1);
  });

  test('stops with every process that it started', async () => {
    const { dynamodb, redis } = described();
    dev.kill('SIGTERM');
    const [code] = await once(dev, 'exit');
    expect(code).toBe(0);
    const pids = [dynamodb.pid, redis.pid].filter((pid) => pid !== null);
    await eventually(() => expect(pids.filter(isAlive)).toEqual([]));
    expect(existsSync(join(dataDirectory, 'dev.json'))).toBe(false);
  });
});
