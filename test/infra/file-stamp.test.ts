import { mkdtemp, rm, unlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { isStampTrue, stampOf } from '../../infra/file-stamp.ts';

const BEGUN_MS = Date.parse('2026-01-31T12:00:00Z');
const EARLIER = new Date(BEGUN_MS - 1_000);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidemark-stamp-'));
});
afterAll(() => rm(folder, { recursive: true }));

const pathOf = (name: string) => join(folder, name);
const write = (name: string, text: string) => writeFile(pathOf(name), text);
const isTrue = (...needed: string[]) => isStampTrue(pathOf('stamp'), needed.map(pathOf));

beforeEach(async () => {
  await write('read', '1');
  await utimes(pathOf('read'), EARLIER, EARLIER);
  await write('written', '2');
  const files = { read: [pathOf('read')], written: [pathOf('written')] };
  await write('stamp', (await stampOf(files, BEGUN_MS)) ?? '');
});

test('a stamp is true while its files have the same content', async () => {
  expect(await isTrue('read')).toBe(true);
  await write('read', '1');
  expect(await isTrue('read', 'written')).toBe(true);
});

test.each([
  ['a file has changed', () => write('read', '3')],
  ['an output has changed', () => write('written', '3')],
  ['what was in one file is in another now', () => write('read', '12').then(() => write('written', ''))],
  ['a file is gone', () => unlink(pathOf('read'))],
  ['the stamp is gone', () => unlink(pathOf('stamp'))],
  ['the stamp cannot be read', () => write('stamp', '{"files":')],
])('a stamp is not true if %s', async (_name, change) => {
  await change();
  expect(await isTrue('read')).toBe(false);
});

test('a stamp is not true of files that it does not have', async () => {
  expect(await isTrue('read', 'new')).toBe(false);
});

test('there is no stamp if a file was changed after the step had begun', async () => {
  await write('read', '1');
  expect(await stampOf({ read: [pathOf('read')], written: [pathOf('written')] }, BEGUN_MS)).toBeNull();
});
