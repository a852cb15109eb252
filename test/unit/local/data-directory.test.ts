import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { Secrets } from '../../../local/aws/secrets.ts';
import { Checkpoints } from '../../../local/aws/streams/checkpoints.ts';
import { DataDirectory, type FileName } from '../../../local/data/data-directory.ts';
import { Journal } from '../../../local/data/journal.ts';
import { Issuer } from '../../../local/identity/issuer.ts';

const PROBE = 'http://127.0.0.1:9/_local/stack';

let directory: DataDirectory;
beforeEach(() => {
  directory = new DataDirectory(mkdtempSync(join(tmpdir(), 'tidemark-data-')));
});
afterEach(() => rmSync(directory.path, { recursive: true, force: true }));

/** The permissions of everything in the directory, and of the directory as '.'. */
function modes(): Record<string, string> {
  const names = ['.', ...readdirSync(directory.path, { recursive: true }).map(String)];
  return Object.fromEntries(
    names.toSorted().map((name) => [name, (statSync(join(directory.path, name)).mode & 0o777).toString(8)]),
  );
}

function writeAll(): void {
  const journal = new Journal<object>(directory.file('events.jsonl'));
  journal.append({ id: 1 });
  journal.close();
  const checkpoints = new Checkpoints(directory.file('checkpoints.json'));
  checkpoints.set('Projection', 'shard', '10');
  checkpoints.save();
  new Secrets(directory.file('secrets.json')).generate('upstash', 40);
}

describe('the data directory', () => {
  test('is private', async () => {
    rmSync(directory.path, { recursive: true });
    await directory.claim(PROBE);
    await Issuer.open(directory.path);
    writeAll();
    expect(modes()).toEqual({
      '.': '700',
      'checkpoints.json': '600',
      'events.jsonl': '600',
      'issuer.json': '600',
      'running.json': '600',
      'secrets.json': '600',
    });
  });

  test('is made private at the next start if an older version left it open', async () => {
    for (const folder of ['dynamodb', 'cdk.out/asset.1']) {
      mkdirSync(join(directory.path, folder), { recursive: true, mode: 0o755 });
    }
    for (const file of ['events.jsonl', 'dynamodb/shared-local-instance.db', 'cdk.out/asset.1/index.mjs']) {
      writeFileSync(join(directory.path, file), '', { mode: 0o644 });
    }
    chmodSync(directory.path, 0o755);
    await directory.claim(PROBE);
    expect(modes()).toEqual({
      '.': '700',
      'cdk.out': '700',
      'cdk.out/asset.1': '700',
      'cdk.out/asset.1/index.mjs': '600',
      dynamodb: '700',
      'dynamodb/shared-local-instance.db': '600',
      'events.jsonl': '600',
      'running.json': '600',
    });
  });

  test('with other files has private files of its own, and does not change the others', async () => {
    writeFileSync(join(directory.path, 'notes.txt'), '', { mode: 0o644 });
    writeFileSync(directory.file('events.jsonl'), '', { mode: 0o644 });
    chmodSync(directory.path, 0o755);
    await directory.claim(PROBE);
    expect(modes()).toEqual({
      '.': '755',
      'events.jsonl': '600',
      'notes.txt': '644',
      'running.json': '600',
    });
  });
});

describe('every file of the data directory', () => {
  test('is replaced atomically, so that a kill during the write leaves the old file', async () => {
    await directory.claim(PROBE);
    await Issuer.open(directory.path);
    writeAll();
    const before = inodes();
    await directory.claim(PROBE);
    writeAll();
    const secrets = new Secrets(directory.file('secrets.json'));
    secrets.generate('another', 40);
    const after = inodes();
    for (const name of ['checkpoints.json', 'events.jsonl', 'running.json', 'secrets.json'] as const) {
      expect([name, after[name] !== before[name]]).toEqual([name, true]);
    }
  });

  test('leaves no temporary file of an interrupted write', async () => {
    writeFileSync(`${directory.file('secrets.json')}.0b06.new`, '{"upst');
    writeFileSync(`${directory.file('checkpoints.json')}.new`, '{');
    writeFileSync(join(directory.path, 'notes.new'), '');
    await directory.claim(PROBE);
    expect(readdirSync(directory.path).toSorted()).toEqual(['notes.new', 'running.json']);
  });

  test('of a killed stack does not describe the next one', async () => {
    writeFileSync(directory.file('dev.json'), JSON.stringify({ apiUrl: 'http://127.0.0.1:9' }));
    await directory.claim(PROBE);
    expect(directory.description()).toBeNull();
  });

  test('is not written again if nothing changes', () => {
    const file = directory.file('secrets.json');
    const token = new Secrets(file).generate('upstash', 40);
    const before = inodes();
    expect(new Secrets(file).generate('upstash', 40)).toBe(token);
    expect(inodes()).toEqual(before);
  });

  // An inode number may be used again at once, so the birth time is compared too.
  function inodes(): Record<string, string> {
    return Object.fromEntries(
      readdirSync(directory.path).map((name) => {
        const { ino, birthtimeNs } = lstatSync(join(directory.path, name), { bigint: true });
        return [name, `${ino} ${birthtimeNs}`];
      }),
    );
  }
});

describe('a file that an older version left half written', () => {
  const openers: [FileName, string, () => unknown][] = [
    [
      'secrets.json',
      'remove it and start once with --fresh, which creates new secrets and a new database',
      () => new Secrets(directory.file('secrets.json')),
    ],
    [
      'issuer.json',
      'remove it: tokens that were issued before will then be refused',
      () => Issuer.open(directory.path),
    ],
    [
      'checkpoints.json',
      'start once with --fresh',
      () => new Checkpoints(directory.file('checkpoints.json')),
    ],
    ['dev.json', 'remove it', () => directory.description()],
    ['running.json', 'remove it', () => directory.claim(PROBE)],
  ];

  test.each(openers)('is reported in one sentence: %s', async (name, remedy, open) => {
    const file = directory.file(name);
    for (const half of ['', '{"upstash":"ab']) {
      writeFileSync(file, half);
      const opening = (async () => open())();
      await expect(opening).rejects.toMatchObject({
        name: 'UsageError',
        message: `${file} is half written; ${remedy}.`,
      });
      expect(readFileSync(file, 'utf8')).toBe(half);
    }
  });

  test('is reported in one sentence: a journal with half a line in its middle', () => {
    const file = directory.file('events.jsonl');
    writeFileSync(file, '{"id":1}\n{"id"\n{"id":3}\n');
    expect(() => new Journal(file)).toThrow(
      expect.objectContaining({
        name: 'UsageError',
        message: `${file} is half written; start once with --fresh.`,
      }),
    );
    expect(existsSync(file)).toBe(true);
  });

  test('is still used if only the last line of a journal is incomplete', () => {
    const file = directory.file('events.jsonl');
    writeFileSync(file, '{"id":1}\n{"id"');
    const journal = new Journal<{ id: number }>(file);
    expect(journal.entries).toEqual([{ id: 1 }]);
    journal.close();
  });
});
