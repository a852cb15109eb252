import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';

const PROJECT = fileURLToPath(new URL('../../..', import.meta.url));

let dataDirectory: string;
beforeEach(() => {
  dataDirectory = mkdtempSync(join(tmpdir(), 'tidemark-token-'));
});
afterEach(() => rmSync(dataDirectory, { recursive: true, force: true }));

async function run(script: string, ...args: string[]) {
  const child = spawn(process.execPath, [script, ...args, '--data', dataDirectory], {
    cwd: PROJECT,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ]);
  return { stdout, stderr, code };
}

test.each([
  ['alice', 'alice'],
  ['a back end', '--service'],
])('where no stack runs, no token is made for %s, and this is said', async (_name, argument) => {
  expect(await run('local/token.ts', argument)).toEqual({
    stdout: '',
    stderr: `No stack runs on ${dataDirectory}; start one with npm run dev.\n`,
    code: 1,
  });
  expect(readdirSync(dataDirectory)).toEqual([]);
});

test('where no stack runs on the directory that was not chosen, another one may be meant', async () => {
  const child = spawn(process.execPath, [join(PROJECT, 'local/token.ts'), '--service'], {
    cwd: dataDirectory,
  });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  expect(stdout).toBe('');
  expect(stderr).toBe(
    `No stack runs on ${join(realpathSync(dataDirectory), '.tidemark')}; start one with npm run dev. ` +
      'If your stack has another data directory, pass --data DIR.\n',
  );
});

test('a stack that was killed does not run, though it has left its files behind', async () => {
  const claim = { pid: 1, probeUrl: 'http://127.0.0.1:9/_local/stack' };
  writeFileSync(join(dataDirectory, 'running.json'), JSON.stringify(claim));
  writeFileSync(join(dataDirectory, 'dev.json'), JSON.stringify({ apiUrl: 'http://127.0.0.1:9' }));
  expect(await run('local/token.ts', 'alice')).toMatchObject({
    stderr: `No stack runs on ${dataDirectory}; start one with npm run dev.\n`,
    code: 1,
  });
  expect(await run('local/demo.ts')).toMatchObject({
    stderr: `  ✗ No stack runs on ${dataDirectory}; start one with npm run dev.\n`,
    code: 1,
  });
});
