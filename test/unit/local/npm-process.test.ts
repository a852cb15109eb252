import { describe, expect, test } from '@jest/globals';
import { findNpm, type ProcessTable } from '../../../local/command/npm-process.ts';

const SCRIPT = 'local/dev.ts';
const LINE = 'node --import ./local/require-node.mjs local/dev.ts';
const BY_NPM = { npm_lifecycle_event: 'dev', npm_lifecycle_script: LINE };

/** Process 30 is the script's own. */
function tableOf(entries: Record<number, [parent: number, command: string]>, ownParent: number) {
  const table = { entries, ownParent };
  const processes: ProcessTable = {
    ownParent: () => table.ownParent,
    read: async (pid) => {
      const [parent, command] = table.entries[pid] ?? [];
      return parent === undefined || command === undefined ? null : { parent, command };
    },
  };
  return { table, processes };
}

const SHELL_BETWEEN: Record<number, [number, string]> = {
  5: [1, 'bash'],
  10: [5, 'npm run dev --port 0'],
  20: [10, `sh -c ${LINE} --port 0`],
};

describe('a shell between npm and the script', () => {
  test.each([
    ['npm ends and the shell stays', 1, 20],
    ['both end', 1, 1],
  ])('%s: npm has ended', async (_name, parentOfShell, ownParent) => {
    const { table, processes } = tableOf({ ...SHELL_BETWEEN }, 20);
    const npm = await findNpm(SCRIPT, BY_NPM, processes);
    expect(await npm?.isGone()).toBe(false);
    table.entries[20] = [parentOfShell, `sh -c ${LINE} --port 0`];
    table.ownParent = ownParent;
    expect(await npm?.isGone()).toBe(true);
  });

  test('the shell that started npm ends: npm still runs', async () => {
    const { table, processes } = tableOf({ ...SHELL_BETWEEN }, 20);
    const npm = await findNpm(SCRIPT, BY_NPM, processes);
    table.entries[10] = [1, 'npm run dev --port 0'];
    expect(await npm?.isGone()).toBe(false);
  });

  test('the entry cannot be read for a moment: npm still runs', async () => {
    const { table, processes } = tableOf({ ...SHELL_BETWEEN }, 20);
    const npm = await findNpm(SCRIPT, BY_NPM, processes);
    table.entries = {};
    expect(await npm?.isGone()).toBe(false);
  });
});

describe('npm is the parent, because its shell replaced itself', () => {
  test('npm ends: npm has ended', async () => {
    const { table, processes } = tableOf({ 5: [1, 'bash'], 10: [5, 'npm run dev'] }, 10);
    const npm = await findNpm(SCRIPT, BY_NPM, processes);
    expect(await npm?.isGone()).toBe(false);
    table.ownParent = 1;
    expect(await npm?.isGone()).toBe(true);
  });

  test('the shell that started npm ends: npm still runs', async () => {
    const { table, processes } = tableOf({ 5: [1, 'bash'], 10: [5, 'npm run dev'] }, 10);
    const npm = await findNpm(SCRIPT, BY_NPM, processes);
    table.entries = { 10: [1, 'npm run dev'] };
    expect(await npm?.isGone()).toBe(false);
  });
});

test.each([
  ['a shell', {}],
  ['a shell that another script of npm runs', { npm_lifecycle_event: 'test', npm_lifecycle_script: 'jest' }],
])('started by %s, there is no npm to wait for', async (_name, environment) => {
  const { processes } = tableOf({ 20: [1, 'sh'] }, 20);
  expect(await findNpm(SCRIPT, environment, processes)).toBeNull();
});
