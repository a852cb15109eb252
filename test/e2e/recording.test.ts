import { describe, expect, test } from '@jest/globals';
import { eventually, freshPrefix } from '../support/engines.ts';
import { exactly, expectAnswer, NONE_UNREAD } from '../support/expected-answers.ts';
import { withReceiptsStack } from '../support/receipts-group.ts';
import type { Json } from '../support/running-stack.ts';

const stack = withReceiptsStack();

type Fields = { readonly [name: string]: Json };

const record = (groupId: string, fields: Fields) =>
  stack.asService('POST', `/v1/groups/${groupId}/messages`, fields);
const recordAll = (messages: readonly Fields[]) =>
  stack.asService('POST', '/v1/messages', { messages: [...messages] });

describe('what a recording says', () => {
  test('counts in every answer: silent messages, mentions, and the first unread message', async () => {
    const group = await stack.groupOf('alice', 'bob');
    const { groupId } = group;
    await record(groupId, { messageId: '1', senderId: 'alice', silent: true, mentions: 'all' });
    await record(groupId, { messageId: '2', senderId: 'alice', mentions: ['carol'] });
    await record(groupId, { messageId: '3', senderId: 'alice', mentions: ['carol', 'bob', 'bob'] });
    await record(groupId, { messageId: '4', senderId: 'alice', mentions: 'all' });
    expectAnswer(await record(groupId, { messageId: '5', senderId: 'alice', silent: true }), 201, {
      ...{ groupId, messageId: '5', head: '5' },
    });
    const unread = { count: 3, mentions: 2, firstId: '2', exact: true };
    await stack.withAndWithoutCache(async () => {
      expect((await group.readView('bob')).body).toMatchObject({ head: '5', unread });
      const { body } = await stack.asService('GET', '/v1/users/bob/inbox?unreadOnly=true');
      const { groups } = body as { groups: Fields[] };
      expect(groups.find((one) => one.groupId === groupId)).toMatchObject({ head: '5', unread });
    });
    await group.reads('bob', '3');
    expect((await group.readView('bob')).body).toMatchObject({
      unread: { count: 1, mentions: 1, firstId: '4', exact: true },
    });
    expect((await group.markUnread('bob', '3')).body).toMatchObject({
      unread: { count: 2, mentions: 2, firstId: '3', exact: true },
    });
    await group.remove('4');
    await stack.withAndWithoutCache(async () =>
      expect((await group.readView('bob')).body).toMatchObject({
        unread: { count: 1, mentions: 1, firstId: '3', exact: true },
      }),
    );
  });

  test('leaves the sender where it is, if it says so, also in a repetition that does not', async () => {
    const group = await stack.groupOf('alice', 'bob');
    const { groupId } = group;
    await group.record('alice', '1');
    expect((await record(groupId, { messageId: '2', senderId: 'bob', advanceSender: false })).status).toBe(
      201,
    );
    expect((await record(groupId, { messageId: '2', senderId: 'bob' })).status).toBe(200);
    await stack.withAndWithoutCache(async () =>
      expect((await group.readView('bob')).body).toMatchObject({ messageId: null, unread: exactly(1, '1') }),
    );
    await group.record('bob', '3');
    expect((await group.readView('bob')).body).toMatchObject({ messageId: '3', unread: NONE_UNREAD });
  });

  test('is the same in a fact', async () => {
    const group = await stack.groupOf('alice', 'bob');
    const { groupId } = group;
    const sent = (detail: Fields) => ({ detailType: 'MessageSent', detail: { groupId, ...detail } });
    await stack.running.putFacts([
      sent({ messageId: '1', senderId: 'alice', silent: true }),
      sent({ messageId: '2', senderId: 'alice', mentions: ['bob'], other: 'of the chat' }),
      sent({ messageId: '3', senderId: 'bob', advanceSender: false }),
    ]);
    await eventually(async () =>
      expect((await group.readView('bob')).body).toMatchObject({
        ...{ messageId: null, head: '3' },
        unread: { count: 1, mentions: 1, firstId: '2', exact: true },
      }),
    );
  });
});

describe('messages of several groups in one call', () => {
  test('have outcomes in their order, and count as if recorded one after the other', async () => {
    const [one, other] = [await stack.groupOf('alice', 'bob'), await stack.groupOf('alice', 'bob')];
    await other.record('alice', '7');
    const in1 = { groupId: one.groupId };
    const in2 = { groupId: other.groupId };
    const answer = await recordAll([
      { ...in1, messageId: 2, senderId: 'alice', mentions: ['bob'] },
      { ...in2, messageId: '7', senderId: 'bob' },
      { ...in1, messageId: '1', senderId: 'alice', sentAt: '2026-01-31T12:00:00Z' },
      { ...in2, messageId: '7', senderId: 'alice' },
      { ...in1, messageId: '2', senderId: 'alice', silent: true },
      { ...in2, messageId: '8', senderId: 'bob', advanceSender: false },
    ]);
    expectAnswer(answer, 200, {
      results: [
        { ...in1, messageId: '2', outcome: 'recorded' },
        { ...in2, messageId: '7', outcome: 'conflict' },
        { ...in1, messageId: '1', outcome: 'recorded' },
        { ...in2, messageId: '7', outcome: 'known' },
        { ...in1, messageId: '2', outcome: 'known' },
        { ...in2, messageId: '8', outcome: 'recorded' },
      ],
    });
    await stack.withAndWithoutCache(async () => {
      expect((await one.readView('bob')).body).toMatchObject({
        head: '2',
        unread: { count: 2, mentions: 1, firstId: '1', exact: true },
      });
      expect((await one.readView('alice')).body).toMatchObject({ messageId: '2', unread: NONE_UNREAD });
      expect((await other.readView('bob')).body).toMatchObject({ messageId: null, unread: exactly(1, '7') });
    });
  });

  test('with one malformed entry are refused as a whole', async () => {
    const group = await stack.groupOf('alice', 'bob');
    const { groupId } = group;
    const answer = await recordAll([
      { groupId, messageId: '1', senderId: 'alice' },
      { groupId: freshPrefix(), messageId: '0', senderId: 'alice' },
    ]);
    expect(answer.status).toBe(400);
    expect((await group.readView('bob')).body).toMatchObject({ head: null });
  });
});
