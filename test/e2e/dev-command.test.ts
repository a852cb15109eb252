import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { bundleFunctions } from '../../infra/bundle.ts';
import { DataDirectory } from '../../local/data/data-directory.ts';
import { eventually } from '../support/engines.ts';
import { isRunning } from '../support/fault-stack.ts';

const directory = mkdtempSync(join(tmpdir(), 'tidemark-dev-'));
const started: ChildProcess[] = [];
afterAll(() => {
  for (const child of started) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

/** A user that owns nothing. Only root can run a command as another user. */
const OTHER_USER = { uid: 65_534, gid: 65_534 };
const isRoot = process.getuid?.() === 0;
const canBeStranger =
  isRoot && spawnSync(process.execPath, ['--eval', '0'], { ...OTHER_USER, env: {} }).status === 0;

function run(args: readonly string[], options: object = {}) {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  started.push(child);
  return child;
}

async function ending(child: ReturnType<typeof run>) {
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ]);
  return { stdout, stderr, code };
}

describe('a data directory that the user may not use', () => {
  const closed = join(directory, 'closed');
  beforeAll(() => {
    mkdirSync(closed);
    writeFileSync(join(closed, 'running.json'), '{}');
    chmodSync(closed, isRoot ? 0o700 : 0);
    chmodSync(directory, 0o755);
  });
  afterAll(() => chmodSync(closed, 0o700));

  const asStranger = !isRoot || canBeStranger ? test : test.skip;

  asStranger.each([
    ['dev', ['local/dev.ts', '--port', '0']],
    ['token', ['local/token.ts', 'alice']],
  ])('is reported in one sentence: npm run %s', async (_name, args) => {
    const options = isRoot ? OTHER_USER : {};
    expect(await ending(run([...args, '--data', closed], options))).toEqual({
      stdout: expect.anything(),
      stderr:
        `${closed}/running.json belongs to another user or is closed to you (EACCES): ` +
        'choose a data directory of your own with --data.\n',
      code: 1,
    });
  });

  test('that is a file is also reported in one sentence', async () => {
    const file = join(directory, 'a-file');
    writeFileSync(file, '');
    expect(await ending(run(['local/dev.ts', '--port', '0', '--data', file]))).toMatchObject({
      stderr: `${file}/running.json is not a directory (ENOTDIR): choose a data directory of your own with --data.\n`,
      code: 1,
    });
  });
});

describe('a user without rights', () => {
  const withoutRights = canBeStranger ? test : test.skip;

  withoutRights('starts the stack in a path with blanks, without a home to write to', async () => {
    // The bundles exist, as after a first start by the project's owner.
    await bundleFunctions();
    const home = join(directory, 'a home that cannot be written');
    mkdirSync(home, { mode: 0o555 });
    const data = join(directory, 'own data');
    mkdirSync(data);
    chownSync(data, OTHER_USER.uid, OTHER_USER.gid);
    const dev = run(['local/dev.ts', '--port', '0', '--data', join(data, 'of a chat')], {
      ...OTHER_USER,
      env: { ...process.env, HOME: home },
    });
    const [stdout, stderr] = [text(dev.stdout), text(dev.stderr)];
    const described = new DataDirectory(join(data, 'of a chat'));
    try {
      await eventually(() => expect(existsSync(described.file('dev.json'))).toBe(true));
      const health = await fetch(`${described.description()?.apiUrl}/v1/health`);
      expect(health.status).toBe(200);
    } finally {
      dev.kill('SIGTERM');
    }
    expect((await stdout).split('\n').slice(0, 2)).toEqual([
      '1 of 2: starting the engines, and synthesizing the template and its bundles',
      '2 of 2: deploying the template: table, functions, events, API',
    ]);
    expect(await stdout).toMatch(/^Tidemark ready on http:/m);
    expect(await stderr).toBe('');
  });
});

describe('the local stack ends with npm', () => {
  test.each(['SIGTERM', 'SIGKILL'] as const)('also when only npm gets a %s', async (signal) => {
    const data = new DataDirectory(join(directory, `of npm ${signal}`));
    const args = ['--port', '0', '--data', data.path];
    const npm = spawn('npm', ['run', 'dev', '--'].concat(args), { stdio: 'ignore' });
    started.push(npm);
    const { pid, dynamodb, redis } = await eventually(() => {
      const description = data.description();
      if (!description) throw new Error('the stack is not ready');
      return description;
    });
    const pids = [pid, dynamodb.pid, redis.pid].filter((one) => one !== null);
    expect(pids.filter(isRunning)).toEqual(pids);
    try {
      npm.kill(signal);
      await eventually(() => expect(pids.filter(isRunning)).toEqual([]));
      expect(existsSync(data.file('dev.json'))).toBe(false);
      expect(existsSync(data.file('running.json'))).toBe(false);
    } finally {
      if (isRunning(pid)) process.kill(pid, 'SIGKILL');
    }
  });
});
