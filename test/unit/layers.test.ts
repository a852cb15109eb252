import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { expect, test } from '@jest/globals';

/** The layers, innermost first, each with those that it may import besides itself. */
const LAYERS: readonly (readonly [room: string, ...imports: string[]])[] = [
  ['shared/domain'],
  ['shared/contract', 'shared/domain'],
  ['shared/aws'],
  ['shared/cache', 'shared/domain', 'shared/aws'],
  ['shared/ledger', 'shared/domain', 'shared/aws'],
  ['shared/operations', 'shared/domain', 'shared/cache', 'shared/ledger'],
  ['shared/live', 'shared/domain', 'shared/contract', 'shared/cache', 'shared/ledger', 'shared/operations'],
  [
    'shared/stream',
    'shared/domain',
    'shared/contract',
    'shared/aws',
    'shared/cache',
    'shared/ledger',
    'shared/operations',
  ],
  [
    'shared/reminders',
    ...[
      'shared/domain',
      'shared/contract',
      'shared/cache',
      'shared/ledger',
      'shared/operations',
      'shared/stream',
    ],
  ],
  ['shared/erasure', 'shared/domain', 'shared/cache', 'shared/ledger', 'shared/operations', 'shared/live'],
  // The documents that are made of the contract.
  ['document', 'shared/contract', 'shared/domain'],
  // Adapters are built here: of what the service does, and of what it runs on.
  ['functions', 'shared'],
  // What follows deploys and runs the bundles: it imports nothing that goes into them, but for the contract.
  ['infra', 'shared/contract'],
  ['local', 'infra', 'shared/contract'],
  ['operate', 'infra', 'local', 'shared/aws'],
  ['examples'],
  // A package of its own.
  ['client/src'],
];

const rooms = LAYERS.map(([room]) => room);
const isIn = (file: string, room: string) => file.startsWith(`${room}/`);

const files = globSync(
  rooms.map((room) => `${room}/**/*.{ts,mjs}`),
  { cwd: new URL('../..', import.meta.url).pathname },
);

function importsOf(file: string): string[] {
  const text = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
  return [...text.matchAll(/(?:\bfrom|\bimport\(|^import)\s*'(\.[^']+)'/gm)].map(([, path = '']) =>
    normalize(join(dirname(file), path)),
  );
}

test('there are files in every layer', () => {
  expect(rooms.filter((room) => !files.some((file) => isIn(file, room)))).toEqual([]);
});

test('each layer imports only what it may, and what it may stands before it', () => {
  for (const [index, [, ...imports]] of LAYERS.entries()) {
    const before = rooms.slice(0, index);
    expect(imports.filter((one) => !before.some((room) => room === one || isIn(room, one)))).toEqual([]);
  }
  const wrong = files.flatMap((file) => {
    const layer = LAYERS.find(([room]) => isIn(file, room)) ?? [''];
    return importsOf(file)
      .filter((imported) => !layer.some((room) => isIn(imported, room)))
      .map((imported) => `${file} imports ${imported}`);
  });
  expect(wrong).toEqual([]);
});

function packagesOf(room: string): string[] {
  const names = files
    .filter((file) => isIn(file, room))
    .map((file) => readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8'))
    .flatMap((text) => [...text.matchAll(/\bfrom '([^.][^']*)'/g)].map(([, name = '']) => name));
  return [...new Set(names)];
}

test('the domain needs no package, the contract Valibot alone, and the client React alone', () => {
  expect(packagesOf('shared/domain')).toEqual([]);
  expect(packagesOf('shared/contract')).toEqual(['valibot']);
  expect(packagesOf('client/src')).toEqual(['react']);
});

test('no file imports itself in a circle', () => {
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' > '));
    if (done.has(file) || path.includes(file)) return;
    for (const imported of importsOf(file)) visit(imported, [...path, file]);
    done.add(file);
  };
  for (const file of files) visit(file, []);
  expect(circles).toEqual([]);
});
