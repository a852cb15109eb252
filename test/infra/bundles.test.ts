import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { functionNames } from '../../infra/bundle.ts';
import { bundledFunctions } from '../support/bundled-functions.ts';

interface Metafile {
  readonly inputs: Readonly<
    Record<string, { readonly imports: readonly { readonly path: string; readonly kind: string }[] }>
  >;
}

/** What went into the bundle of each function. */
const bundles = new Map<string, Metafile>();

beforeAll(async () => {
  const folder = await bundledFunctions();
  for (const name of functionNames) {
    bundles.set(name, JSON.parse(await readFile(join(folder, `${name}.meta.json`), 'utf8')));
  }
});

const senders = ['apply-facts', 'project-ledger', 'publish-events', 'deliver-webhook'];

describe('the client of SQS', () => {
  test('is in the bundles of those alone that read the stream or a queue', () => {
    const names = functionNames.filter((name) =>
      Object.keys(bundles.get(name)?.inputs ?? {}).some((input) => input.includes('@aws-sdk/client-sqs/')),
    );
    expect(names).toEqual(senders);
  });

  test.each(senders)('is not loaded when %s starts', (name) => {
    const { inputs } = bundles.get(name) ?? { inputs: {} };
    const importers = Object.entries(inputs).flatMap(([importer, { imports }]) =>
      imports.filter(({ path }) => path === 'functions/runtime/sqs.ts').map(({ kind }) => [importer, kind]),
    );
    for (const [importer, kind] of importers) {
      expect(['functions/runtime/dead-letters.ts', 'functions/runtime/event-queue.ts']).toContain(importer);
      expect(kind).toBe('dynamic-import');
    }
    expect(importers).not.toEqual([]);
    const sdkImporters = Object.entries(inputs).filter(
      ([importer, { imports }]) =>
        !importer.includes('@aws-sdk/client-sqs/') &&
        imports.some(({ path }) => path.includes('@aws-sdk/client-sqs/')),
    );
    expect(sdkImporters.map(([importer]) => importer)).toEqual(['functions/runtime/sqs.ts']);
  });
});
