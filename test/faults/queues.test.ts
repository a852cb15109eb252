import { afterEach, expect, test } from '@jest/globals';
import { eventually } from '../support/engines.ts';
import { INTERNAL_ERROR } from '../support/fault-proxy.ts';
import { positionText, withFaultStack } from '../support/fault-stack.ts';

const faults = withFaultStack();
afterEach(() => {
  for (const proxy of Object.values(faults.proxies)) proxy.clear();
});

const putFact = (detailType: string, detail: object) => faults.putEvent('chat', detailType, detail);

const receives = () =>
  faults
    .queue('apply-facts')
    .messages()
    .map(({ receiveCount }) => receiveCount);

test('if the ledger refuses for more than three minutes, no fact is parked', async () => {
  const groupId = await faults.api.openGroup(['sender', 'ann'], 3);
  faults.proxies.dynamodb.always('UpdateItem', INTERNAL_ERROR);
  putFact('MessageSent', { groupId, messageId: '4', senderId: 'ann' });
  // The pauses after five receives are more than five minutes on AWS. The sixth try succeeds.
  await eventually(() => expect(Math.max(...receives())).toBeGreaterThanOrEqual(6));
  faults.proxies.dynamodb.clear();
  await eventually(async () => expect(await faults.ledgerPosition(groupId, 'ann')).toBe(positionText(4)));
  await eventually(() => expect(receives()).toEqual([]));
  expect(await faults.api.deadLetters()).toEqual([]);
});

test('a fact that fails does not delay facts of other groups', async () => {
  const [groupId, other] = await Promise.all([
    faults.api.openGroup(['sender', 'ann'], 3),
    faults.api.openGroup(['sender', 'ann'], 3),
  ]);
  const isOfGroup = ({ body }: { body: string }) => body.includes(`GROUP#${groupId}`);
  faults.proxies.dynamodb.always(isOfGroup, INTERNAL_ERROR);
  putFact('MessageSent', { groupId, messageId: '4', senderId: 'ann' });
  putFact('MessageSent', { groupId: other, messageId: '4', senderId: 'ann' });
  await eventually(async () => {
    const { body } = await faults.api.watermark(other, 'ann');
    expect(body).toMatchObject({ head: '4', messageId: '4' });
  });
  await eventually(() => expect(Math.max(...receives())).toBeGreaterThanOrEqual(2));
  expect(receives()).toHaveLength(1);
  faults.proxies.dynamodb.clear();
  await eventually(() => expect(receives()).toEqual([]));
});

test('if a pause cannot be set, nothing is lost: the queue’s visibility timeout is the pause', async () => {
  const groupId = await faults.api.openGroup(['sender', 'ann'], 3);
  faults.proxies.dynamodb.always('UpdateItem', INTERNAL_ERROR);
  const unset = faults.proxies.aws.count('ChangeMessageVisibilityBatch');
  faults.proxies.aws.always('ChangeMessageVisibilityBatch', { kind: 'lose request' });
  putFact('MessageSent', { groupId, messageId: '4', senderId: 'ann' });
  await eventually(() =>
    expect(faults.proxies.aws.count('ChangeMessageVisibilityBatch')).toBeGreaterThan(unset),
  );
  faults.proxies.dynamodb.clear();
  await eventually(async () => expect(await faults.ledgerPosition(groupId, 'ann')).toBe(positionText(4)));
  await eventually(() => expect(receives()).toEqual([]));
});

test('if the dead-letter queue refuses an invalid fact, nothing is lost', async () => {
  const groupId = await faults.api.openGroup(['sender', 'ann'], 3);
  const refuse = faults.proxies.aws.always('SendMessage', {
    kind: 'answer',
    status: 500,
    body: { __type: 'InternalFailure' },
  });
  putFact('MessageSent', { groupId, messageId: 'not an id', senderId: 'ann' });
  await eventually(() => expect(Math.max(...receives())).toBeGreaterThanOrEqual(2));
  expect(await faults.api.deadLetters()).toEqual([]);
  refuse();
  await eventually(async () => {
    expect(await faults.api.deadLetters()).toMatchObject([
      { queue: expect.stringMatching(/:tidemark-local-apply-facts-dead-letters$/) },
    ]);
  });
  await eventually(() => expect(receives()).toEqual([]));
});
