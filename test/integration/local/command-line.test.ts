import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';

const PROJECT = fileURLToPath(new URL('../../..', import.meta.url));

function run(script: string, ...args: readonly string[]) {
  const { stdout, stderr, status } = spawnSync(process.execPath, [script, ...args], {
    cwd: PROJECT,
    encoding: 'utf8',
    timeout: 20_000,
  });
  return { stdout, stderr, status };
}

const COMMANDS: [string, string, string[]][] = [
  [
    'dev',
    'local/dev.ts',
    ['--port', '--data', '--fresh', 'DYNAMODB_ENDPOINT', 'REDIS_URL', 'JAVA_HOME', 'dev.json', '_local'],
  ],
  ['token', 'local/token.ts', ['--data', '--service', 'npm run --silent token -- alice']],
  ['demo', 'local/demo.ts', ['--data', 'npm run dev']],
  ['bench', 'bench/main.ts', ['start', 'stack', 'cache-call', 'receipts', 'bundles']],
];

describe.each(COMMANDS)('npm run %s', (name, script, words) => {
  test.each(['--help', '-h'])('explains itself: %s', (option) => {
    const { stdout, stderr, status } = run(script, option);
    for (const word of words) expect(stdout).toContain(word);
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  });

  test('refuses an option that it does not know, in one sentence', () => {
    expect(run(script, '--bogus=1')).toEqual({
      stdout: '',
      stderr: `Unknown option '--bogus'; npm run ${name} -- --help tells what it takes.\n`,
      status: 1,
    });
  });
});

test.each([
  [['--port'], "Option '--port' takes a value; npm run dev -- --help tells what it takes.\n"],
  [['--port', '--fresh'], "Option '--port' takes a value; npm run dev -- --help tells what it takes.\n"],
  [['--fresh=1'], "Option '--fresh' does not take an argument; npm run dev -- --help tells what it takes.\n"],
  [['extra'], "Unexpected argument 'extra'; npm run dev -- --help tells what it takes.\n"],
  [['--port', 'x'], '--port takes a number from 0 to 65535.\n'],
  [['--data', ''], "Option '--data' takes a value; npm run dev -- --help tells what it takes.\n"],
])('npm run dev refuses %p in one sentence', (args, stderr) => {
  expect(run('local/dev.ts', ...args)).toEqual({ stdout: '', stderr, status: 1 });
});

test('npm run bench names its sections where there is none of that name', () => {
  expect(run('bench/main.ts', 'bogus')).toEqual({
    stdout: '',
    stderr:
      'There is no section bogus; choose start, stack, cache-call, receipts, bundles, or none for all.\n',
    status: 1,
  });
});
