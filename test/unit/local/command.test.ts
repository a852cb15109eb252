import { expect, test } from '@jest/globals';
import { sentenceOf } from '../../../local/command/command.ts';
import { UsageError } from '../../../local/command/usage-error.ts';

const refused = (code: string, path?: string) =>
  Object.assign(new Error(`${code}: refused, open '${path}'`), { code, path });

test.each([
  [
    'EACCES',
    '/srv/data/dev.json belongs to another user or is closed to you (EACCES): choose a data directory of your own with --data.',
  ],
  [
    'EPERM',
    '/srv/data/dev.json belongs to another user or is closed to you (EPERM): choose a data directory of your own with --data.',
  ],
  [
    'EROFS',
    '/srv/data/dev.json is on a file system that is read-only (EROFS): choose a data directory of your own with --data.',
  ],
  [
    'ENOTDIR',
    '/srv/data/dev.json is not a directory (ENOTDIR): choose a data directory of your own with --data.',
  ],
])('a path that the system refuses with %s is reported in one sentence', (code, sentence) => {
  expect(sentenceOf(refused(code, '/srv/data/dev.json'))).toBe(sentence);
});

test('a mistake of the user is reported with its own message', () => {
  expect(sentenceOf(new UsageError('Name a user.'))).toBe('Name a user.');
});

test.each([
  ['a fault of ours', new TypeError('x is not a function')],
  ['a refusal without a path', refused('EACCES')],
  ['another error of the system', refused('EMFILE', '/srv/data/dev.json')],
  ['what is no error', 'text'],
])('%s has no sentence: it is printed with its stack', (_name, error) => {
  expect(sentenceOf(error)).toBeNull();
});
