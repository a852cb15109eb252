import { mkdtemp, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { isStampTrue, stampOf } from '../../infra/file-stamp.ts';

let folder: string;
let one: string;
let other: string;
let stamp: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-stamp-'));
  [one, other, stamp] = ['one.ts', 'other.ts', 'stamp.json'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await writeFile(one, '1');
  await writeFile(other, '2');
  await writeFile(stamp, await stampOf([one, other]));
});
afterEach(() => rm(folder, { recursive: true }));

test('a stamp is true while its files have the same content', async () => {
  expect(await isStampTrue(stamp, [one])).toBe(true);
  await writeFile(other, '2');
  expect(await isStampTrue(stamp, [one, other])).toBe(true);
});

test.each([
  ['a file has changed', () => writeFile(other, '3')],
  ['what was in one file is in another now', () => writeFile(one, '12').then(() => writeFile(other, ''))],
  ['a file is gone', () => unlink(one)],
  ['the stamp is gone', () => unlink(stamp)],
  ['the stamp cannot be read', () => writeFile(stamp, '{"files":')],
])('a stamp is not true if %s', async (_name, change) => {
  await change();
  expect(await isStampTrue(stamp, [one])).toBe(false);
});

test('a stamp is not true of files that it does not have', async () => {
  expect(await isStampTrue(stamp, [one, join(folder, 'new.ts')])).toBe(false);
});
