import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { functionNames } from '../../infra/bundle.ts';
import { endpoints } from '../../shared/contract/endpoints.ts';
import { bundledFunctions } from '../support/bundled-functions.ts';

interface Metafile {
  readonly inputs: Readonly<
    Record<string, { readonly imports: readonly { readonly path: string; readonly kind: string }[] }>
  >;
}

/** The inputs of each function's bundle. */
const bundles = new Map<string, Metafile>();
const texts = new Map<string, string>();

beforeAll(async () => {
  const folder = await bundledFunctions();
  for (const name of functionNames) {
    bundles.set(name, JSON.parse(await readFile(join(folder, `${name}.meta.json`), 'utf8')));
    texts.set(name, await readFile(join(folder, name, 'index.mjs'), 'utf8'));
  }
});

const senders = [
  'apply-facts',
  'project-ledger',
  'publish-events',
  'erase',
  'deliver-webhook',
  'push-frames',
];
/** These have a queue of their own, to which they send all the time. */
const OWN_QUEUE = ['notify', 'find-reminders', 'send-reminders'];

describe('the client of SQS', () => {
  test('is only in the bundles of functions that read the stream or a queue', () => {
    const names = functionNames.filter((name) =>
      Object.keys(bundles.get(name)?.inputs ?? {}).some((input) => input.includes('@aws-sdk/client-sqs/')),
    );
    expect(names).toEqual(functionNames.filter((name) => [...senders, ...OWN_QUEUE].includes(name)));
  });

  test.each(senders)('is not loaded when %s starts', (name) => {
    const { inputs } = bundles.get(name) ?? { inputs: {} };
    const importers = Object.entries(inputs).flatMap(([importer, { imports }]) =>
      imports.filter(({ path }) => path === 'functions/runtime/sqs.ts').map(({ kind }) => [importer, kind]),
    );
    for (const [importer, kind] of importers) {
      expect([
        'functions/runtime/dead-letters.ts',
        'functions/runtime/erasure-queue.ts',
        'functions/runtime/event-queue.ts',
      ]).toContain(importer);
      expect(kind).toBe('dynamic-import');
    }
    expect(importers).not.toEqual([]);
    const sdkImporters = Object.entries(inputs).filter(
      ([importer, { imports }]) =>
        !importer.includes('@aws-sdk/client-sqs/') &&
        imports.some(({ path }) => path.includes('@aws-sdk/client-sqs/')),
    );
    expect(sdkImporters.map(([importer]) => importer).sort()).toEqual([
      'functions/runtime/sqs-client.ts',
      'functions/runtime/sqs.ts',
    ]);
    const clientImporters = Object.entries(inputs).filter(([, { imports }]) =>
      imports.some(({ path }) => path === 'functions/runtime/sqs-client.ts'),
    );
    expect(clientImporters.map(([importer]) => importer)).toEqual(['functions/runtime/sqs.ts']);
  });
});

describe('a script for Redis', () => {
  test('is in a bundle without its comments', async () => {
    const folder = new URL('../../shared/cache/lua/', import.meta.url);
    const script = await readFile(new URL('merge-group.lua', folder), 'utf8');
    const [comment] = script.split('\n');
    expect(comment).toMatch(/^-- Merges /);
    const bundle = texts.get('mark-read') ?? '';
    expect(bundle).toContain('local members, messages, receipts, head');
    expect([...bundle.matchAll(/^ *-- .*/gm)].map(([line]) => line)).toEqual([]);
  });
});

describe('the contract', () => {
  test('leaves its descriptions out of every bundle', () => {
    const describing = ['endpoints', 'answers', 'event-details', 'server-frames', 'values'].map(
      (name) => `shared/contract/${name}.ts`,
    );
    const found = functionNames.flatMap((name) => {
      const inputs = Object.keys(bundles.get(name)?.inputs ?? {}).filter((input) =>
        describing.includes(input),
      );
      const summaries = endpoints
        .map(({ summary }) => summary)
        .filter((summary) => texts.get(name)?.includes(summary));
      return [...inputs, ...summaries].map((what) => `${name}: ${what}`);
    });
    expect(found).toEqual([]);
  });

  test('puts into a bundle only the places of the function’s own endpoints', () => {
    for (const name of functionNames) {
      const places = endpoints.filter(({ at }) => texts.get(name)?.includes(`"${at}"`));
      const own = endpoints.filter(({ servedBy, name: endpoint }) =>
        // A frame does what one of these routes does.
        name === 'answer-frame'
          ? ['markRead', 'markUnread', 'markDelivered'].includes(endpoint)
          : servedBy === name,
      );
      expect([name, places.map(({ at }) => at)]).toEqual([name, own.map(({ at }) => at)]);
    }
  });
});
