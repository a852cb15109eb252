import { readFile } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { framesSchema } from '../../../document/frames-schema.ts';
import { samplesOf } from '../../../document/samples.ts';

const formats = { 'date-time': /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/ };
const isFrame = new Ajv2020({ strict: true, allowUnionTypes: true, formats }).compile(framesSchema());

test.each([
  { action: 'sync' },
  { action: 'sync', ref: 'r', groups: ['tea'] },
  { action: 'mark', ref: 1, groupId: 'tea', messageId: '18446744073709551615', private: true, ifRevision: 0 },
  { action: 'delivered', ref: 1, groupId: 'tea', messageId: '7' },
  { action: 'unread', ref: 1, groupId: 'tea', messageId: '7' },
  { action: 'ping' },
  { type: 'pong' },
  { type: 'synced', ref: null, asOf: 5, views: [], complete: true },
  { type: 'answer', ref: 'r', status: 404, body: { code: 'not_found' } },
  { type: 'error', code: 'token_expired', detail: 'The token has expired.' },
])('a client or the service may send %p', (frame) => {
  expect([isFrame(frame), isFrame.errors]).toEqual([true, null]);
});

test.each([
  { action: 'shout' },
  { action: 'sync', groups: [] },
  { action: 'sync', ref: '' },
  { action: 'mark', groupId: 'tea', messageId: '7' },
  { action: 'mark', ref: 1, groupId: '..', messageId: '7', more: 1 },
  { action: 'delivered', ref: 1, groupId: 'tea', messageId: '7', private: true },
  { type: 'view', groupId: 'tea' },
  { type: 'error', code: 'forbidden', detail: '' },
])('nobody may send %p', (frame) => {
  expect(isFrame(frame)).toBe(false);
});

test('the samples of the page are frames', async () => {
  const { events, markdown } = await samplesOf('live.md');
  expect(events.map(({ name }) => name)).toEqual(['frame', 'frame']);
  for (const { event } of events) expect([isFrame(event), isFrame.errors]).toEqual([true, null]);
  const other = await readFile(new URL('../../../docs/frames.schema.json', import.meta.url), 'utf8');
  expect(markdown).toContain('frames.schema.json');
  expect(other).not.toContain('#/components/');
});
