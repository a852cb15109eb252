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
    [
      '--port',
      '--data',
      '--fresh',
      '--webhook URL',
      '--issuer URL',
      '--audience A',
      '--subscriber DIR',
      '--speed N',
      '--context KEY=VALUE',
      'DYNAMODB_ENDPOINT',
      'REDIS_URL',
      'JAVA_HOME',
      'dev.json',
      '_local',
    ],
  ],
  ['token', 'local/token.ts', ['--data', '--service', 'npm run --silent token -- alice']],
  ['redrive', 'operate/redrive.ts', ['--stage', '--region', '--data', 'deliver-webhook-dead-letters']],
  ['doctor', 'operate/doctor.ts', ['--context KEY=VALUE', 'AWS_REGION', 'cdk.json', 'ok', 'warn', 'fail']],
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
      stderr: `Unknown option '--bogus'; npm run ${name} -- --help lists the options.\n`,
      status: 1,
    });
  });
});

test.each([
  [['--port'], "Option '--port' takes a value; npm run dev -- --help lists the options.\n"],
  [['--port', '--fresh'], "Option '--port' takes a value; npm run dev -- --help lists the options.\n"],
  [['--fresh=1'], "Option '--fresh' does not take an argument; npm run dev -- --help lists the options.\n"],
  [['extra'], "Unexpected argument 'extra'; npm run dev -- --help lists the options.\n"],
  [
    ['--webhook', 'http://chat.example.com/hook'],
    '--webhook must be an https URL without user or password, of a host that the internet reaches; on this machine it can be http.\n',
  ],
  [
    ['--issuer', 'issuer.example.com', '--audience', 'a'],
    '--issuer must be an https URL, exactly as it stands in the "iss" of your tokens, of a host that the internet reaches; on this machine it can be http.\n',
  ],
  [
    ['--issuer', 'http://127.0.0.1:9', '--audience', 'a b'],
    '--audience must be the "aud" of your tokens; several are separated by commas without blanks.\n',
  ],
  [['--issuer', 'http://127.0.0.1:9'], '--issuer and --audience go together.\n'],
  [['--audience', 'a'], '--issuer and --audience go together.\n'],
  [
    ['--subscriber', 'examples/chat'],
    '--subscriber takes the folder of a CDK app, and examples/chat has no cdk.json.\n',
  ],
  [['--speed', '0'], '--speed takes a whole number from 1 to 999999.\n'],
  [['--speed', '1.5'], '--speed takes a whole number from 1 to 999999.\n'],
  [
    ['-c', 'serviceauth=iam'],
    '--context is not valid:\n- serviceauth is not known; did you mean serviceAuth?\n',
  ],
  [
    ['--context', 'membership=closed'],
    '--context is not valid:\n- membership is "closed". It must be "strict" or "open". Pass for example: -c membership=\'strict\'\n',
  ],
  [['--context', 'serviceAuth'], '--context takes KEY=VALUE, such as membership=open, not serviceAuth.\n'],
  [['--context', 'webhookUrl=http://127.0.0.1:4000'], '--context cannot set webhookUrl: use --webhook.\n'],
  [['--port', 'x'], '--port takes a number from 0 to 65535.\n'],
  [['--data', ''], "Option '--data' takes a value; npm run dev -- --help lists the options.\n"],
])('npm run dev refuses %p in one sentence', (args, stderr) => {
  expect(run('local/dev.ts', ...args)).toEqual({ stdout: '', stderr, status: 1 });
});

test.each([
  [['--data', '.tidemark'], '--data needs --stage local.\n'],
  [
    ['--stage', 'local', '--data', 'nowhere'],
    `No stack runs on ${PROJECT}nowhere; start one with npm run dev.\n`,
  ],
])('npm run redrive refuses %p in one sentence', (args, stderr) => {
  expect(run('operate/redrive.ts', ...args)).toEqual({ stdout: '', stderr, status: 1 });
});

test('npm run doctor exits with 1 where anything fails, and says no more of what is not given', () => {
  const { stdout, stderr, status } = run('operate/doctor.ts', '-c', 'Stage=prod');
  expect(stdout).toMatch(/^fail {2}context: Stage is not known; did you mean stage\?\n/);
  expect(stdout.split('\n').filter((line) => !line.startsWith('fail  context: '))).toEqual(['']);
  expect({ stderr, status }).toEqual({ stderr: '', status: 1 });
});

test('npm run bench names its sections where there is none of that name', () => {
  expect(run('bench/main.ts', 'bogus')).toEqual({
    stdout: '',
    stderr:
      'There is no section bogus; choose start, stack, cache-call, receipts, inbox, memory, bundles, cost, cpu, storm, live, or none for all.\n',
    status: 1,
  });
});
