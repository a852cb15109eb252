import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { eventually } from '../support/engines.ts';
import type { Fault, FaultProxy, Match } from '../support/fault-proxy.ts';
import { cachedPositionText, expectCovered, positionText, withFaultStack } from '../support/fault-stack.ts';

const HEAD = 10;

/** The instance dies before its request arrives, or before it receives the answer. */
const BEFORE = 'lose request';
const AFTER = 'lose answer';

const faults = withFaultStack();
let groupId: string;

beforeEach(async () => {
  groupId = await faults.api.openGroup(['sender', 'ann'], HEAD);
  expect((await faults.api.mark(groupId, 'ann', 3)).status).toBe(200);
  // Later tests must not see events of this one.
  await eventually(async () => expect(await faults.api.notified(groupId, 'ann')).toHaveLength(1));
  await eventually(async () => expect(await faults.api.fullyReadEvents(groupId)).toContain('3'));
});

afterEach(() => {
  for (const proxy of Object.values(faults.proxies)) proxy.clear();
});

describe('mark-read dies', () => {
  test.each([
    ['before the cache is read', 'upstash', 'readView', BEFORE],
    ['after the cache was read', 'upstash', 'readView', AFTER],
    ['before the ledger is written', 'dynamodb', 'UpdateItem', BEFORE],
  ] as const)(
    '%s: nothing has changed, and the repeated mark has its full effect',
    async (_when, service, operation, kind) => {
      const killed = killAt('mark-read', faults.proxies[service], operation, kind);
      expect((await faults.api.mark(groupId, 'ann', 8)).status).toBe(500);
      expect(killed()).toBe(1);
      expect(await faults.ledgerPosition(groupId, 'ann')).toBe(positionText(3));
      await expectReadUpTo(3);

      expect(await faults.api.mark(groupId, 'ann', 8)).toMatchObject({
        status: 200,
        body: { messageId: '8', advanced: true },
      });
      await expectConverged(8);
    },
  );

  test.each([
    ['after the ledger was written', 'dynamodb', 'UpdateItem', AFTER],
    ['before the cache is merged', 'upstash', 'mergeFor', BEFORE],
    ['after the cache was merged', 'upstash', 'mergeFor', AFTER],
  ] as const)('%s: the mark is made, also if it is not repeated', async (_when, service, operation, kind) => {
    const killed = killAt('mark-read', faults.proxies[service], operation, kind);
    expect((await faults.api.mark(groupId, 'ann', 8)).status).toBe(500);
    expect(killed()).toBe(1);
    expect(await faults.ledgerPosition(groupId, 'ann')).toBe(positionText(8));
    await expectConverged(8);

    expect(await faults.api.mark(groupId, 'ann', 8)).toMatchObject({
      status: 200,
      body: { messageId: '8', advanced: false },
    });
  });
});

describe('get-watermark dies while it fills an empty cache', () => {
  test.each([
    ['before it announces the load', '"load"', BEFORE],
    ['after it announced the load', '"load"', AFTER],
    ['before it hands over messages', '"sent"', BEFORE],
    ['after it handed over messages', '"sent"', AFTER],
    ['before it declares the load done', '"loaded"', BEFORE],
    ['after it declared the load done', '"loaded"', AFTER],
  ] as const)('%s: the next call returns the same', async (_when, entry, kind) => {
    await faults.emptyCache();
    const isStep: Match = ({ body }) => body.includes(entry) && body.includes(groupId);
    const killed = killAt('get-watermark', faults.proxies.upstash, isStep, kind);
    expect((await faults.api.watermark(groupId, 'ann')).status).toBe(500);
    expect(killed()).toBe(1);

    await expectReadUpTo(3);
    expect((await faults.api.mark(groupId, 'ann', 8)).status).toBe(200);
    await expectConverged(8);
  });
});

describe('record-message dies', () => {
  test.each([
    ['before the message is written', '"MSG#', BEFORE],
    ['after the message was written', '"MSG#', AFTER],
    ['before the head is written', '"HEAD"', BEFORE],
    ['after the head was written', '"HEAD"', AFTER],
    ["before the sender's watermark is written", '"USER#sender"', BEFORE],
    ["after the sender's watermark was written", '"USER#sender"', AFTER],
  ] as const)('%s: recorded again it is whole', async (_when, key, kind) => {
    const isStep: Match = ({ operation, body }) => operation === 'UpdateItem' && body.includes(key);
    const killed = killAt('record-message', faults.proxies.dynamodb, isStep, kind);
    expect((await faults.api.record(groupId, 11, 'sender')).status).toBe(500);
    expect(killed()).toBe(1);

    expect(await faults.api.record(groupId, 11, 'sender')).toMatchObject({ body: { head: '11' } });
    expect(await faults.api.watermark(groupId, 'ann')).toMatchObject({
      body: { messageId: '3', head: '11', unread: { count: 8, mentions: 0, firstId: '4', exact: true } },
    });
    expect(await faults.api.watermark(groupId, 'sender')).toMatchObject({
      body: { messageId: '11', unread: { count: 0, mentions: 0, firstId: null, exact: true } },
    });
    await eventually(async () =>
      expectCovered(await faults.api.notified(groupId, 'sender'), { from: null, to: 11 }),
    );
  });
});

describe('a function of the stream dies', () => {
  const mergesTheMark: Match = ({ operation, body }) =>
    operation === 'merge' && body.includes(groupId) && body.includes(cachedPositionText(8));
  const publishes =
    (type: string): Match =>
    ({ operation, body }) =>
      operation === 'PutEvents' && body.includes(type) && body.includes(groupId);

  test.each([
    ['project-ledger', 'before the cache is merged', 'upstash', mergesTheMark, BEFORE],
    ['project-ledger', 'after the cache was merged', 'upstash', mergesTheMark, AFTER],
    [
      'project-ledger',
      'before it publishes how far everyone has read',
      'aws',
      publishes('GroupFullyRead'),
      BEFORE,
    ],
    [
      'project-ledger',
      'after it published how far everyone has read',
      'aws',
      publishes('GroupFullyRead'),
      AFTER,
    ],
    ['publish-events', 'before the event is put on the bus', 'aws', publishes('WatermarkAdvanced'), BEFORE],
    ['publish-events', 'after the event was put on the bus', 'aws', publishes('WatermarkAdvanced'), AFTER],
  ] as const)(
    '%s %s: the cache is repaired, and the events are published',
    async (folder, _when, service, match, kind) => {
      const killed = killAt(folder, faults.proxies[service], match, kind);
      // Only the projector merges it.
      faults.proxies.upstash.once('mergeFor', { kind: BEFORE });
      expect(await faults.api.mark(groupId, 'ann', 8)).toMatchObject({
        status: 200,
        body: { messageId: '8', unread: { count: 2, mentions: 0, firstId: '9', exact: true } },
      });
      await eventually(() => expect(killed()).toBe(1));
      await expectConverged(8);
      // All other members have read.
      await eventually(async () => expect(await faults.api.fullyReadEvents(groupId)).toContain('8'));
    },
  );
});

describe('deliver-webhook dies', () => {
  test.each([
    ['before it posts to the webhook', BEFORE, 1],
    ['after it posted to the webhook', AFTER, 2],
  ] as const)('%s: the event is posted again, under the same id', async (_when, kind, posts) => {
    const isEventOfGroup: Match = ({ body }) => body.includes(groupId) && body.includes('WatermarkAdvanced');
    const killed = killAt('deliver-webhook', faults.proxies.webhook, isEventOfGroup, kind);
    expect((await faults.api.mark(groupId, 'ann', 8)).status).toBe(200);
    await eventually(() => expect(killed()).toBe(1));
    const received = await eventually(async () => {
      const notified = await faults.api.notified(groupId, 'ann');
      const ofMark = notified.filter(({ detail }) => detail.to === '8');
      expect(ofMark).toHaveLength(posts);
      return ofMark;
    });
    expect(new Set(received.map(({ id }) => id)).size).toBe(1);
    expect(received[0]?.detail).toMatchObject({ from: '3', to: '8' });
    await expectConverged(8);
  });

  test.each([
    ['before it reads its secret', BEFORE],
    ['after it read its secret', AFTER],
  ] as const)('%s: the event is posted by the next one', async (_when, kind) => {
    await faults.stack.lambda.kill(faults.functionName('deliver-webhook'));
    const isWebhookSecret: Match = ({ operation, body }) =>
      operation === 'GetSecretValue' && body.includes('WebhookSecret');
    const killed = killAt('deliver-webhook', faults.proxies.aws, isWebhookSecret, kind);
    expect((await faults.api.mark(groupId, 'ann', 8)).status).toBe(200);
    await eventually(() => expect(killed()).toBe(1));
    await expectConverged(8);
  });
});

test('every instance dies several times during traffic: all stores converge', async () => {
  const members = ['ann', 'ben', 'cleo'];
  const group = await faults.api.openGroup(['sender', ...members], 40);
  const reached = new Map(members.map((member) => [member, 0]));
  const marking = Promise.all(
    members.map(async (member) => {
      for (let messageId = 1; messageId <= 40; messageId += 1) {
        await eventually(async () =>
          expect((await faults.api.mark(group, member, messageId)).status).toBe(200),
        );
        reached.set(member, messageId);
      }
    }),
  );
  for (const milestone of [6, 12, 18, 24, 30]) {
    await eventually(() => expect(Math.max(...reached.values())).toBeGreaterThanOrEqual(milestone));
    await faults.stack.lambda.kill();
  }
  await marking;
  for (const member of members) {
    expect(await faults.ledgerPosition(group, member)).toBe(positionText(40));
    await eventually(async () =>
      expect(await faults.cachedText(group, member)).toContain(cachedPositionText(40)),
    );
    expect(await faults.api.watermark(group, member)).toMatchObject({ body: { messageId: '40' } });
    await eventually(async () =>
      expectCovered(await faults.api.watermarkEvents(group, member), { from: null, to: 40 }),
    );
  }
});

/** Kills the function's instances at the next such request. Returns a function for the number of kills. */
function killAt(
  folder: string,
  proxy: FaultProxy,
  match: Match,
  kind: Extract<Fault, { then?: unknown }>['kind'],
): () => number {
  let kills = 0;
  const name = faults.functionName(folder);
  const then = async () => {
    await faults.stack.lambda.kill(name);
    kills += 1;
  };
  proxy.once(match, { kind, then });
  return () => kills;
}

async function expectReadUpTo(messageId: number): Promise<void> {
  expect(await faults.api.watermark(groupId, 'ann')).toMatchObject({
    status: 200,
    body: { messageId: String(messageId), head: '10', unread: { count: HEAD - messageId, exact: true } },
  });
}

/** Ledger, cache, bus and webhook have the mark, and a read returns it. */
async function expectConverged(messageId: number): Promise<void> {
  expect(await faults.ledgerPosition(groupId, 'ann')).toBe(positionText(messageId));
  await eventually(async () =>
    expect(await faults.cachedText(groupId, 'ann')).toContain(cachedPositionText(messageId)),
  );
  await expectReadUpTo(messageId);
  const all = { from: null, to: messageId };
  await eventually(async () => expectCovered(await faults.api.watermarkEvents(groupId, 'ann'), all));
  await eventually(async () => expectCovered(await faults.api.notified(groupId, 'ann'), all));
}
