import { afterEach, beforeAll, expect, test } from '@jest/globals';
import { eventually, freshPrefix } from '../support/engines.ts';
import type { FaultProxy } from '../support/fault-proxy.ts';
import {
  cachedPositionText,
  type DeadLetter,
  expectCovered,
  withFaultStack,
} from '../support/fault-stack.ts';

const faults = withFaultStack();
let aws: FaultProxy;

beforeAll(() => {
  aws = faults.proxies.aws;
});
afterEach(() => aws.clear());

/** A membership without its public register. */
const brokenMembership = (groupId: string, userId: string) => ({
  PK: { S: `USER#${userId}` },
  SK: { S: `GROUP#${groupId}` },
  kind: { S: 'membership' },
  groupId: { S: groupId },
  userId: { S: userId },
  generation: { N: '1700000000000' },
  joinedAfter: { S: '00000000000000000000' },
  self: { S: '0000000000:00000000000000000000' },
  delivered: { S: '00000000000000000000' },
});

/** The dead letters with a text. */
async function deadLettersOf(text: string): Promise<DeadLetter[]> {
  const all = await faults.api.deadLetters();
  return all.filter((letter) => JSON.stringify(letter).includes(text));
}

/** Checks that a new mark reaches the cache, and that the events of the member and the group are published. */
async function expectNothingHeldUp(): Promise<void> {
  const groupId = await faults.api.openGroup(['sender', 'ann'], 5);
  // Only the stream merges it.
  faults.proxies.upstash.once('mergeFor', { kind: 'lose request' });
  expect((await faults.api.mark(groupId, 'ann', 5)).status).toBe(200);
  await eventually(async () => {
    expectCovered(await faults.api.watermarkEvents(groupId, 'ann'), { from: null, to: 5 });
    expect(await faults.api.fullyReadEvents(groupId)).toContain('5');
    expect(await faults.cachedText(groupId, 'ann')).toContain(cachedPositionText(5));
  });
}

test('items of an unknown kind, or without a kind, are skipped', async () => {
  const id = freshPrefix('x');
  await faults.putItem({ PK: { S: `CONN#${id}` }, SK: { S: `CONN#${id}` }, kind: { S: 'connection' } });
  await faults.putItem({ PK: { S: `BARE#${id}` }, SK: { S: `BARE#${id}` } });
  await expectNothingHeldUp();
  expect(await deadLettersOf(id)).toEqual([]);
});

test('a broken membership goes to the dead-letter queue of each function at once', async () => {
  const groupId = await faults.api.openGroup(['sender', 'ben'], 3);
  await faults.putItem(brokenMembership(groupId, 'ben'));
  await expectNothingHeldUp();
  const letters = await eventually(async () => {
    const found = await deadLettersOf(groupId);
    expect(found).toHaveLength(2);
    return found.sort((a, b) => (a.queue < b.queue ? -1 : 1));
  });
  const reason = `an item of the ledger has no valid public: USER#ben GROUP#${groupId}`;
  expect(letters).toMatchObject(
    ['project-ledger', 'publish-events'].map((folder) => ({
      queue: expect.stringMatching(`^arn:aws:sqs:.*-${folder}-dead-letters$`),
      reason,
      message: {
        functionName: faults.functionName(folder),
        reason,
        sequenceNumber: expect.stringMatching(/^[0-9]+$/),
        key: { PK: 'USER#ben', SK: `GROUP#${groupId}` },
        record: {
          dynamodb: {
            OldImage: { public: { S: '00000000000000000000' } },
            NewImage: { userId: { S: 'ben' }, generation: { N: '1700000000000' } },
          },
        },
      },
    })),
  );
});

test('a broken membership does not delay other members, nor other groups', async () => {
  const groupId = await faults.api.openGroup(['sender', 'ann', 'ben'], 3);
  await faults.putItem(brokenMembership(groupId, 'ben'));
  await faults.emptyCache();
  expect((await faults.api.mark(groupId, 'ann', 3)).status).toBe(200);
  await expectNothingHeldUp();
  await eventually(async () =>
    expectCovered(await faults.api.watermarkEvents(groupId, 'ann'), { from: null, to: 3 }),
  );
  // Ben's position is unknown. GroupFullyRead does not wait for him, and receipts do not count him.
  await eventually(async () => expect(await faults.api.fullyReadEvents(groupId)).toContain('3'));
});

test('a dead-letter queue that does not answer, and then refuses, delays nothing and loses nothing', async () => {
  const before = aws.count('SendMessage');
  aws.once('SendMessage', { kind: 'hang' });
  const refuse = aws.always('SendMessage', {
    kind: 'answer',
    status: 500,
    body: { __type: 'InternalFailure' },
  });
  const groupId = await faults.api.openGroup(['sender', 'ann'], 5);
  await faults.putItem(brokenMembership(groupId, 'cem'));
  await eventually(() => expect(aws.count('SendMessage') - before).toBeGreaterThanOrEqual(5));
  expect((await faults.api.mark(groupId, 'ann', 5)).status).toBe(200);
  expect(await deadLettersOf('USER#cem')).toEqual([]);
  refuse();
  await eventually(async () => {
    expect(await deadLettersOf('USER#cem')).toHaveLength(1);
    expectCovered(await faults.api.watermarkEvents(groupId, 'ann'), { from: null, to: 5 });
  });
  await expectNothingHeldUp();
});
