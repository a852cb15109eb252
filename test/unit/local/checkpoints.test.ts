import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Checkpoints } from '../../../local/aws/streams/checkpoints.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tidemark-checkpoints-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

test('each source continues from its own place in a shard, also after a restart', () => {
  const file = join(directory, 'checkpoints.json');
  const first = new Checkpoints(file);
  first.set('Projection', 'shard', '10');
  first.set('Publication', 'shard', '20');
  first.set('Publication', 'another', '30');
  first.save();

  const second = new Checkpoints(file);
  expect(second.get('Projection', 'shard')).toBe('10');
  expect(second.get('Publication', 'shard')).toBe('20');
  expect(second.get('Projection', 'another')).toBeUndefined();
});
