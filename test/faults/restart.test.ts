import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { StackDescription } from '../../local/data/data-directory.ts';
import { createApiClient, fieldsOf } from '../../local/http/api-client.ts';
import { Issuer, SCOPES } from '../../local/identity/issuer.ts';
import { eventually } from '../support/engines.ts';
import { Api, expectCovered, isRunning } from '../support/fault-stack.ts';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

let dataDirectory: string;
let spawned: SpawnedDev[];

beforeEach(async () => {
  dataDirectory = await mkdtemp(join(tmpdir(), 'tidemark-restart-'));
  spawned = [];
});

afterEach(async () => {
  for (const { child, exited } of spawned) {
    child.kill('SIGTERM');
    await exited;
  }
  await rm(dataDirectory, { recursive: true, force: true });
});

test('after a kill and a new start on the same data, no acknowledged mark is lost, and its events are published', async () => {
  const first = await startDev();
  const groupId = await first.api.openGroup(['sender', 'ann', 'ben'], 10);
  expect((await first.api.mark(groupId, 'ben', 4)).status).toBe(200);
  const joined = await first.api.asService('PUT', `/v1/groups/${groupId}/members/late`);
  expect(joined).toMatchObject({ status: 201, body: { joinedAfter: '10' } });
  expect((await first.api.record(groupId, 11, 'sender')).status).toBe(201);
  // Directly before the kill, so that not all of its effects have happened.
  expect((await first.api.mark(groupId, 'ann', 7)).status).toBe(200);
  await first.end('SIGKILL');

  const second = await startDev();
  expect(await second.api.watermark(groupId, 'ann')).toMatchObject({
    status: 200,
    body: { messageId: '7', head: '11', unread: { count: 4, mentions: 0, firstId: '8', exact: true } },
  });
  expect(await second.api.watermark(groupId, 'ben')).toMatchObject({ body: { messageId: '4' } });
  expect(await second.api.watermark(groupId, 'late')).toMatchObject({
    body: { messageId: '10', unread: { count: 1, mentions: 0, firstId: '11', exact: true } },
  });
  expect(await second.api.asService('GET', `/v1/groups/${groupId}/members`)).toMatchObject({
    body: {
      members: [
        { userId: 'ann', messageId: '7', joinedAfter: null },
        { userId: 'ben', messageId: '4', joinedAfter: null },
        { userId: 'late', messageId: '10', joinedAfter: '10' },
        { userId: 'sender', messageId: '11', joinedAfter: null },
      ],
    },
  });
  expect(await second.api.asService('POST', `/v1/groups/${groupId}/messages`, recorded(11))).toMatchObject({
    status: 200,
    body: { head: '11' },
  });
  for (const [member, to] of [
    ['ann', 7],
    ['ben', 4],
  ] as const) {
    await eventually(async () =>
      expectCovered(await second.api.watermarkEvents(groupId, member), { from: null, to }),
    );
    await eventually(async () =>
      expectCovered(await second.api.notified(groupId, member), { from: null, to }),
    );
  }
});

test('after a kill during traffic, every acknowledged mark is there, with its events', async () => {
  const first = await startDev();
  const members = ['ann', 'ben', 'cleo', 'dan'];
  const groupId = await first.api.openGroup(['sender', ...members], 60);
  const acknowledged = new Map(members.map((member) => [member, 0]));
  const traffic = members.map(async (member) => {
    for (let messageId = 1; messageId <= 60; messageId += 1) {
      const answer = await first.api.mark(groupId, member, messageId);
      if (answer.status === 200) acknowledged.set(member, messageId);
    }
  });
  const ended = Promise.allSettled(traffic);
  await eventually(() => expect(Math.min(...acknowledged.values())).toBeGreaterThan(5));
  await first.end('SIGKILL');
  await ended;

  const second = await startDev();
  for (const [member, least] of acknowledged) {
    const to = Number(fieldsOf(await second.api.watermark(groupId, member)).messageId);
    expect(to).toBeGreaterThanOrEqual(least);
    await eventually(async () =>
      expectCovered(await second.api.watermarkEvents(groupId, member), { from: null, to }),
    );
    await eventually(async () =>
      expectCovered(await second.api.notified(groupId, member), { from: null, to }),
    );
  }
});

test('a killed run leaves no process behind', async () => {
  const { description, end } = await startDev();
  const { redis, dynamodb, apiUrl } = description;
  const engines = [dynamodb.pid, redis.pid].filter((pid) => pid !== null);
  expect(engines.map(isRunning)).not.toContain(false);
  await end('SIGKILL');
  await eventually(() => expect(engines.map(isRunning)).not.toContain(true));
  await expect(fetch(dynamodb.endpoint)).rejects.toThrow();

  // The same port is free again.
  const second = await startDev(new URL(apiUrl).port);
  expect(second.description.apiUrl).toBe(apiUrl);
});

test('a second stack on the same data is refused in one sentence, and the first goes on', async () => {
  const first = await startDev();
  const second = spawnDev('0');
  const { code, stderr } = await second.exited;
  expect(code).toBe(1);
  expect(stderr.trim()).toMatch(/^[^\n]*in use[^\n]*\.$/);
  expect(describedIn(dataDirectory)).toEqual(first.description);
  expect((await fetch(`${first.description.apiUrl}/v1/health`)).status).toBe(200);
});

test.each(['SIGTERM', 'SIGINT'] as const)('%s stops it and every process that it started', async (signal) => {
  const { description, end } = await startDev();
  const { redis, dynamodb, apiUrl, upstash } = description;
  expect(await end(signal)).toMatchObject({ code: 0, stderr: '' });
  const engines = [dynamodb.pid, redis.pid].filter((pid) => pid !== null);
  expect(engines.map(isRunning)).not.toContain(true);
  expect(existsSync(join(dataDirectory, 'dev.json'))).toBe(false);
  for (const url of [apiUrl, upstash.url, dynamodb.endpoint]) await expect(fetch(url)).rejects.toThrow();
});

test('a call while it stops gets 503 or no answer, never 500', async () => {
  const { api, end } = await startDev();
  const statuses: number[] = [];
  let isOver = false;
  const calls = Array.from({ length: 8 }, async (_, caller) => {
    for (let id = 1; !isOver; id += 1) {
      const answered = await api.record(`group-${caller}`, id, 'bob').catch(() => null);
      if (!answered) return;
      statuses.push(answered.status);
    }
  });
  await eventually(() => expect(statuses.length).toBeGreaterThan(40));
  await end('SIGTERM');
  isOver = true;
  await Promise.all(calls);
  expect([...new Set(statuses)].filter((status) => status !== 201 && status !== 503)).toEqual([]);
});

interface Exit {
  readonly code: number | null;
  readonly stderr: string;
}

interface DevProcess {
  readonly description: StackDescription;
  readonly api: Api;
  /** Sends a signal, and waits for the end of the process. */
  end(signal: NodeJS.Signals): Promise<Exit>;
}

async function startDev(port = '0'): Promise<DevProcess> {
  const { child, exited, printed } = spawnDev(port);
  const end = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    return exited;
  };
  const gone = new Set<Exit>();
  void exited.then((exit) => gone.add(exit));
  await eventually(() => {
    for (const { code, stderr } of gone) throw new Error(`it ended with ${code}: ${stderr}`);
    if (!printed().includes('Tidemark ready on ')) throw new Error(`it is not ready: ${printed()}`);
  });
  const description = describedIn(dataDirectory);
  const issuer = await Issuer.open(dataDirectory);
  const api = new Api(
    createApiClient(description.apiUrl, (subject, kind) => issuer.issue(subject, SCOPES[kind])),
  );
  return { description, api, end };
}

interface SpawnedDev {
  readonly child: ChildProcess;
  readonly exited: Promise<Exit>;
  readonly printed: () => string;
}

function spawnDev(port: string): SpawnedDev {
  const { REDIS_URL: _redis, DYNAMODB_ENDPOINT: _dynamodb, ...environment } = process.env;
  const child = spawn(process.execPath, ['local/dev.ts', '--port', port, '--data', dataDirectory], {
    cwd: PROJECT,
    env: { ...environment, NODE_OPTIONS: '' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const exited = once(child, 'close').then(([code]): Exit => ({ code: code as number | null, stderr }));
  const dev = { child, exited, printed: () => stdout };
  spawned.push(dev);
  return dev;
}

function describedIn(directory: string): StackDescription {
  return JSON.parse(readFileSync(join(directory, 'dev.json'), 'utf8')) as StackDescription;
}

function recorded(messageId: number) {
  return { messageId: String(messageId), senderId: 'sender' };
}
