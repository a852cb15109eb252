import { describe, expect, test } from '@jest/globals';
import {
  A_TIME,
  aProblem,
  exactly,
  expectAnswer,
  expectNotFound,
  LARGEST_ID,
  NONE_UNREAD,
  PROBLEM_TYPE,
} from '../support/expected-answers.ts';
import { aNineMessageChat, expectEventsOfBob, shownOfBob } from '../support/nine-message-chat.ts';
import { type ReceiptsGroup, withReceiptsStack } from '../support/receipts-group.ts';
import type { Answer } from '../support/running-stack.ts';

const stack = withReceiptsStack();

const aChat = () => aNineMessageChat(stack);

/** Bob's view, as GET watermark and marking unread answer it. */
const viewOf = ({ groupId }: ReceiptsGroup, fields: Record<string, unknown>) => ({
  groupId,
  userId: 'bob',
  readAt: A_TIME,
  head: '9',
  ...fields,
});

describe('a private read', () => {
  test('has the answer of any mark, and moves only the own view', async () => {
    const group = await aChat();
    expectAnswer(await group.mark('bob', { messageId: '6', private: true }), 200, {
      groupId: group.groupId,
      userId: 'bob',
      messageId: '6',
      readAt: A_TIME,
      revision: 0,
      advanced: true,
      clamped: false,
      unread: exactly(3, '7'),
    });
    await stack.withAndWithoutCache(async () => {
      expectAnswer(
        await group.readView('bob'),
        200,
        viewOf(group, { messageId: '6', revision: 0, unread: exactly(3, '7') }),
      );
      expect(await shownOfBob(group)).toBe(null);
      await group.expectReceipts('alice', {
        '1': { sender: 'alice', read: [], unread: ['bob', 'carol'], delivered: [] },
      });
    });
    const statuses = await stack.asUser('bob', 'POST', `/v1/groups/${group.groupId}/messages/status`, {
      messageIds: ['6', '7'],
    });
    expectAnswer(statuses, 200, {
      groupId: group.groupId,
      watermark: '6',
      statuses: [
        { messageId: '6', read: true },
        { messageId: '7', read: false },
      ],
    });
  });

  test('publishes only OwnWatermarkMoved', async () => {
    const group = await aChat();
    const { readAt } = (await group.mark('bob', { messageId: '6', private: true })).body as {
      readAt: string;
    };
    const own = { messageId: '6', revision: 0, readAt };
    await expectEventsOfBob(group, 'OwnWatermarkMoved', own);
    await group.reads('bob', '7');
    await expectEventsOfBob(group, 'WatermarkAdvanced', {
      from: null,
      to: '7',
      readAt: A_TIME,
      ownRevision: 0,
    });
    expect(await group.eventTypes('bob')).toEqual(['OwnWatermarkMoved', 'WatermarkAdvanced']);
  });

  test('up to an already read message changes nothing', async () => {
    const group = await aChat();
    await group.readsPrivately('bob', '6');
    const before = (await group.readView('bob')).body as { readAt: string };
    for (const messageId of ['6', '2']) {
      expectAnswer(await group.mark('bob', { messageId, private: true }), 200, {
        groupId: group.groupId,
        userId: 'bob',
        messageId: '6',
        readAt: before.readAt,
        revision: 0,
        advanced: false,
        clamped: false,
        unread: exactly(3, '7'),
      });
    }
    expect((await group.readView('bob')).body).toEqual(before);
  });

  test('beyond the head is clamped', async () => {
    const group = await aChat();
    expect((await group.mark('bob', { messageId: LARGEST_ID, private: true })).body).toMatchObject({
      messageId: '9',
      advanced: true,
      clamped: true,
      unread: NONE_UNREAD,
    });
  });

  test('can be made public later, in part or whole', async () => {
    const group = await aChat();
    await group.readsPrivately('bob', '6');
    await expectEventsOfBob(group, 'OwnWatermarkMoved', { messageId: '6', revision: 0, readAt: A_TIME });
    expect((await group.mark('bob', { messageId: '4' })).body).toMatchObject({
      messageId: '6',
      advanced: true,
      unread: exactly(3, '7'),
    });
    const toFour = { from: null, to: '4', readAt: A_TIME, ownRevision: null };
    await expectEventsOfBob(group, 'WatermarkAdvanced', toFour);
    await group.inEveryCache(async () => {
      expect(await shownOfBob(group)).toBe('4');
      await group.expectReceipts('carol', {
        '4': { sender: 'alice', read: ['bob'], unread: ['carol'], delivered: ['bob'] },
        '5': { sender: 'alice', read: [], unread: ['bob', 'carol'], delivered: [] },
      });
    });
    expect((await group.mark('bob', { messageId: '6', private: false })).body).toMatchObject({
      messageId: '6',
      advanced: true,
      unread: exactly(3, '7'),
    });
    await expectEventsOfBob(group, 'WatermarkAdvanced', toFour, {
      from: '4',
      to: '6',
      readAt: A_TIME,
      ownRevision: null,
    });
    expect(await group.eventTypes('bob')).toEqual([
      'OwnWatermarkMoved',
      'WatermarkAdvanced',
      'WatermarkAdvanced',
    ]);
  });

  test('can be made on behalf of a user', async () => {
    const group = await aChat();
    const path = `/v1/users/bob/groups/${group.groupId}/watermark`;
    expectAnswer(await stack.asService('PUT', path, { messageId: '6', private: true, ifRevision: 0 }), 200, {
      groupId: group.groupId,
      userId: 'bob',
      messageId: '6',
      readAt: A_TIME,
      revision: 0,
      advanced: true,
      clamped: false,
      unread: exactly(3, '7'),
    });
    expect(await shownOfBob(group)).toBe(null);
  });
});

describe('marking unread', () => {
  test.each([
    ['1', null, exactly(9, '1')],
    ['2', '1', exactly(8, '2')],
    ['5', '4', exactly(5, '5')],
    ['8', '7', exactly(2, '8')],
  ])('from %s moves the own view just below it', async (messageId, expected, unread) => {
    const group = await aChat();
    await group.reads('bob', '8');
    const view = viewOf(group, { messageId: expected, revision: 1, unread });
    expectAnswer(await group.markUnread('bob', messageId), 200, view);
    await stack.withAndWithoutCache(async () => expectAnswer(await group.readView('bob'), 200, view));
  });

  test('can move the own view far back, several times', async () => {
    const group = await stack.groupOf('alice', 'bob');
    const messageIds = Array.from({ length: 120 }, (_, index) => String(index + 1));
    await Promise.all(messageIds.map((messageId) => group.record('alice', messageId)));
    await group.reads('bob', '120');
    for (const [messageId, expected, revision, unread] of [
      ['101', '100', 1, exactly(20, '101')],
      ['100', '99', 2, exactly(21, '100')],
      ['3', '2', 3, exactly(118, '3')],
      ['1', null, 4, exactly(120, '1')],
    ] as const) {
      const view = {
        ...viewOf(group, { messageId: expected, revision, unread }),
        head: '120',
      };
      expectAnswer(await group.markUnread('bob', messageId), 200, view);
      await stack.withAndWithoutCache(async () => expectAnswer(await group.readView('bob'), 200, view));
    }
  });

  test('does not change receipts', async () => {
    const group = await aChat();
    await group.reads('bob', '8');
    const ofEight = { sender: 'alice', read: ['bob'], unread: ['carol'], delivered: ['bob'] };
    await group.inEveryCache(() => group.expectReceipts('alice', { '3': ofEight, '8': ofEight }));
    await group.markUnread('bob', '3');
    await group.inEveryCache(async () => {
      await group.expectReceipts('alice', { '3': ofEight, '8': ofEight });
      expect(await shownOfBob(group)).toBe('8');
    });
    const statuses = await stack.asUser('bob', 'POST', `/v1/groups/${group.groupId}/messages/status`, {
      messageIds: ['2', '3'],
    });
    expect(statuses.body).toMatchObject({
      watermark: '2',
      statuses: [
        { messageId: '2', read: true },
        { messageId: '3', read: false },
      ],
    });
  });

  test('never moves below the point of joining', async () => {
    const group = await stack.groupOf('alice');
    await group.record('alice', '1', '2', '3');
    await group.join('bob');
    await group.record('alice', '4', '5');
    await group.reads('bob', '5');
    const view = { ...viewOf(group, { messageId: '3', revision: 1, unread: exactly(2, '4') }), head: '5' };
    expectAnswer(await group.markUnread('bob', '1'), 200, view);
    expectAnswer(await group.markUnread('bob', '1'), 200, view);
    await stack.withAndWithoutCache(async () => expectAnswer(await group.readView('bob'), 200, view));
  });

  test('that would not move the own view back changes nothing, nor the revision', async () => {
    const group = await aChat();
    const untouched = viewOf(group, {
      messageId: null,
      readAt: null,
      revision: 0,
      unread: exactly(9, '1'),
    });
    for (const messageId of ['1', '5', LARGEST_ID])
      expectAnswer(await group.markUnread('bob', messageId), 200, untouched);
    await group.reads('bob', '4');
    const { readAt } = (await group.readView('bob')).body as { readAt: string };
    for (const messageId of ['5', '9', LARGEST_ID]) {
      expectAnswer(
        await group.markUnread('bob', messageId),
        200,
        viewOf(group, { messageId: '4', readAt, revision: 0, unread: exactly(5, '5') }),
      );
    }
    for (const messageId of ['3', '3', '4']) {
      expectAnswer(
        await group.markUnread('bob', messageId),
        200,
        viewOf(group, { messageId: '2', revision: 1, unread: exactly(7, '3') }),
      );
    }
    await group.reads('bob', '3');
    // Only moves have events: reading 4, marking unread to 2, reading 3 again.
    await expectEventsOfBob(
      group,
      'OwnWatermarkMoved',
      { messageId: '2', revision: 1, readAt: A_TIME },
      { messageId: '3', revision: 1, readAt: A_TIME },
    );
    await expectEventsOfBob(group, 'WatermarkAdvanced', {
      from: null,
      to: '4',
      readAt: A_TIME,
      ownRevision: 0,
    });
  });

  test('is followed by marks forward in the same revision', async () => {
    const group = await aChat();
    await group.reads('bob', '8');
    await expectEventsOfBob(group, 'WatermarkAdvanced', {
      from: null,
      to: '8',
      readAt: A_TIME,
      ownRevision: 0,
    });
    await group.markUnread('bob', '3');
    const back = { messageId: '2', revision: 1, readAt: A_TIME };
    await expectEventsOfBob(group, 'OwnWatermarkMoved', back);
    expectAnswer(await group.mark('bob', { messageId: '5' }), 200, {
      groupId: group.groupId,
      userId: 'bob',
      messageId: '5',
      readAt: A_TIME,
      revision: 1,
      advanced: true,
      clamped: false,
      unread: exactly(4, '6'),
    });
    const five = { messageId: '5', revision: 1, readAt: A_TIME };
    await expectEventsOfBob(group, 'OwnWatermarkMoved', back, five);
    expect(await shownOfBob(group)).toBe('8');
    expect((await group.mark('bob', { messageId: '9' })).body).toMatchObject({
      messageId: '9',
      revision: 1,
      advanced: true,
      unread: NONE_UNREAD,
    });
    await expectEventsOfBob(
      group,
      'WatermarkAdvanced',
      { from: null, to: '8', readAt: A_TIME, ownRevision: 0 },
      { from: '8', to: '9', readAt: A_TIME, ownRevision: 1 },
    );
    expect(await group.eventTypes('bob')).toEqual([
      'WatermarkAdvanced',
      'OwnWatermarkMoved',
      'OwnWatermarkMoved',
      'WatermarkAdvanced',
    ]);
  });

  test('publishes OwnWatermarkMoved, also when everything is unread again', async () => {
    const group = await aChat();
    await group.reads('bob', '2');
    await expectEventsOfBob(group, 'WatermarkAdvanced', {
      from: null,
      to: '2',
      readAt: A_TIME,
      ownRevision: 0,
    });
    const { readAt } = (await group.markUnread('bob', '1')).body as { readAt: string };
    await expectEventsOfBob(group, 'OwnWatermarkMoved', { messageId: null, revision: 1, readAt });
  });

  test('ends when the member sends a message', async () => {
    const group = await aChat();
    await group.reads('bob', '9');
    await group.markUnread('bob', '4');
    await group.record('bob', '10');
    await stack.withAndWithoutCache(async () =>
      expect((await group.readView('bob')).body).toMatchObject({
        messageId: '10',
        revision: 1,
        unread: NONE_UNREAD,
      }),
    );
  });

  test('also undoes a private read', async () => {
    const group = await aChat();
    await group.readsPrivately('bob', '9');
    expectAnswer(
      await group.markUnread('bob', '7'),
      200,
      viewOf(group, { messageId: '6', revision: 1, unread: exactly(3, '7') }),
    );
    expect(await shownOfBob(group)).toBe(null);
  });

  test('from an id without a message moves just below that id', async () => {
    const group = await stack.groupOf('alice', 'bob');
    await group.record('alice', '10', '20');
    await group.reads('bob', '20');
    expectAnswer(await group.markUnread('bob', '15'), 200, {
      ...viewOf(group, { messageId: '14', revision: 1, unread: exactly(1, '20') }),
      head: '20',
    });
  });

  test.each([
    ['9007199254740993', '9007199254740992'],
    ['18446744073709551615', '18446744073709551614'],
  ])('from %s moves the own view to %s', async (messageId, below) => {
    const group = await stack.groupOf('alice', 'bob');
    await group.record('alice', below, messageId);
    await group.reads('bob', messageId);
    expectAnswer(await group.markUnread('bob', messageId), 200, {
      ...viewOf(group, { messageId: below, revision: 1, unread: exactly(1, messageId) }),
      head: messageId,
    });
  });

  test('works in a group without messages, where the unread count is 0', async () => {
    const group = await stack.groupOf('bob');
    await group.reads('bob', '5');
    const view = {
      ...viewOf(group, {
        messageId: '2',
        revision: 1,
        unread: { count: 0, mentions: 0, firstId: null, exact: true },
      }),
      head: null,
    };
    expectAnswer(await group.markUnread('bob', '3'), 200, view);
    await stack.withAndWithoutCache(async () => expectAnswer(await group.readView('bob'), 200, view));
  });

  test('has no effect on a later membership, except for a higher revision', async () => {
    const group = await aChat();
    await group.reads('bob', '9');
    await group.markUnread('bob', '4');
    await group.leave('bob');
    expectNotFound(await group.markUnread('bob', '4'));
    await group.join('bob');
    await stack.withAndWithoutCache(async () => {
      const answer = await group.readView('bob');
      const { revision } = answer.body as { revision: number };
      expect(revision).toBeGreaterThan(1);
      expectAnswer(
        answer,
        200,
        viewOf(group, { messageId: '9', readAt: null, revision, unread: NONE_UNREAD }),
      );
    });
  });

  test('is not found for non-members', async () => {
    const group = await aChat();
    expectNotFound(await group.markUnread('eve', '1'));
  });
});

describe('a mark with an old ifRevision', () => {
  /** Bob has read 5 and then marked 3 unread, in revision 1. */
  async function aConflict(): Promise<ReceiptsGroup> {
    const group = await aChat();
    await group.reads('bob', '5');
    await expectEventsOfBob(group, 'WatermarkAdvanced', {
      from: null,
      to: '5',
      readAt: A_TIME,
      ownRevision: 0,
    });
    await group.markUnread('bob', '3');
    await expectEventsOfBob(group, 'OwnWatermarkMoved', { messageId: '2', revision: 1, readAt: A_TIME });
    return group;
  }

  function expectConflict(answer: Answer, group: ReceiptsGroup, fields: Record<string, unknown>) {
    expect(answer.body).toEqual({
      ...aProblem(409, 'revision_conflict'),
      groupId: group.groupId,
      userId: 'bob',
      messageId: '2',
      readAt: A_TIME,
      revision: 1,
      unread: exactly(7, '3'),
      clamped: false,
      ...fields,
    });
    expect(answer.status).toBe(409);
    expect(answer.contentType).toMatch(PROBLEM_TYPE);
  }

  const expectStillUnread = async (group: ReceiptsGroup) =>
    expectAnswer(
      await group.readView('bob'),
      200,
      viewOf(group, { messageId: '2', revision: 1, unread: exactly(7, '3') }),
    );

  test('moves the public watermark, but not the own view', async () => {
    const group = await aConflict();
    const before = (await group.readView('bob')).body;
    expectConflict(await group.mark('bob', { messageId: '7', ifRevision: 0 }), group, { advanced: true });
    await stack.withAndWithoutCache(async () => {
      expect((await group.readView('bob')).body).toEqual(before);
      expect(await shownOfBob(group)).toBe('7');
      await group.expectReceipts('alice', {
        '7': { sender: 'alice', read: ['bob'], unread: ['carol'], delivered: ['bob'] },
        '8': { sender: 'alice', read: [], unread: ['bob', 'carol'], delivered: [] },
      });
    });
    await expectEventsOfBob(
      group,
      'WatermarkAdvanced',
      { from: null, to: '5', readAt: A_TIME, ownRevision: 0 },
      { from: '5', to: '7', readAt: A_TIME, ownRevision: null },
    );
    expect(await group.eventTypes('bob')).toEqual([
      'WatermarkAdvanced',
      'OwnWatermarkMoved',
      'WatermarkAdvanced',
    ]);
  });

  test('beyond the head moves the public watermark to the head', async () => {
    const group = await aConflict();
    expectConflict(await group.mark('bob', { messageId: LARGEST_ID, ifRevision: 0 }), group, {
      advanced: true,
      clamped: true,
    });
    await stack.withAndWithoutCache(async () => {
      await expectStillUnread(group);
      expect(await shownOfBob(group)).toBe('9');
    });
  });

  test('at or below the public watermark moves nothing', async () => {
    const group = await aConflict();
    expectConflict(await group.mark('bob', { messageId: '4', ifRevision: 0 }), group, { advanced: false });
    await stack.withAndWithoutCache(async () => {
      await expectStillUnread(group);
      expect(await shownOfBob(group)).toBe('5');
    });
  });

  test('moves nothing if it is private', async () => {
    const group = await aConflict();
    expectConflict(await group.mark('bob', { messageId: '7', private: true, ifRevision: 0 }), group, {
      advanced: false,
    });
    await stack.withAndWithoutCache(async () => {
      await expectStillUnread(group);
      expect(await shownOfBob(group)).toBe('5');
    });
    await group.reads('bob', '9');
    await expectEventsOfBob(
      group,
      'WatermarkAdvanced',
      { from: null, to: '5', readAt: A_TIME, ownRevision: 0 },
      { from: '5', to: '9', readAt: A_TIME, ownRevision: 1 },
    );
    expect(await group.eventTypes('bob')).toEqual([
      'WatermarkAdvanced',
      'OwnWatermarkMoved',
      'WatermarkAdvanced',
    ]);
  });

  test('is also refused with an empty cache', async () => {
    const group = await aConflict();
    await stack.emptyCache();
    expectConflict(await group.mark('bob', { messageId: '4', ifRevision: 0 }), group, { advanced: false });
    await stack.emptyCache();
    expectConflict(await group.mark('bob', { messageId: '7', ifRevision: 0 }), group, { advanced: true });
  });

  test('is also a conflict for a revision that never existed', async () => {
    const group = await aConflict();
    expectConflict(await group.mark('bob', { messageId: '4', ifRevision: 2 }), group, { advanced: false });
    await expectStillUnread(group);
  });

  test('is also a conflict on behalf of a user', async () => {
    const group = await aConflict();
    const path = `/v1/users/bob/groups/${group.groupId}/watermark`;
    expectConflict(await stack.asService('PUT', path, { messageId: '4', ifRevision: 0 }), group, {
      advanced: false,
    });
  });

  test('is no conflict with the current revision', async () => {
    const group = await aConflict();
    const answer = {
      groupId: group.groupId,
      userId: 'bob',
      readAt: A_TIME,
      revision: 1,
      clamped: false,
    };
    expectAnswer(await group.mark('bob', { messageId: '1', ifRevision: 1 }), 200, {
      ...answer,
      messageId: '2',
      advanced: false,
      unread: exactly(7, '3'),
    });
    expectAnswer(await group.mark('bob', { messageId: '4', ifRevision: 1 }), 200, {
      ...answer,
      messageId: '4',
      advanced: true,
      unread: exactly(5, '5'),
    });
    expectAnswer(await group.mark('bob', { messageId: '6', private: true, ifRevision: 1 }), 200, {
      ...answer,
      messageId: '6',
      advanced: true,
      unread: exactly(3, '7'),
    });
    expect(await shownOfBob(group)).toBe('5');
  });

  test('is no conflict with 0 for a member that never marked anything unread', async () => {
    const group = await aChat();
    expect(await group.mark('bob', { messageId: '4', ifRevision: 0 })).toMatchObject({
      status: 200,
      body: { messageId: '4', revision: 0, advanced: true },
    });
    const answer = await group.mark('bob', { messageId: '6', ifRevision: 1 });
    expectConflict(answer, group, { messageId: '4', revision: 0, unread: exactly(5, '5'), advanced: true });
  });
});

describe('marking delivered', () => {
  test('moves only forward, and answers the current position', async () => {
    const group = await aChat();
    const answer = { groupId: group.groupId, userId: 'bob' };
    for (const [messageId, expected, advanced, clamped] of [
      ['4', '4', true, false],
      ['4', '4', false, false],
      ['2', '4', false, false],
      ['9', '9', true, false],
      [LARGEST_ID, '9', false, true],
    ] as const) {
      expectAnswer(await group.markDelivered('bob', messageId), 200, {
        ...answer,
        messageId: expected,
        advanced,
        clamped,
      });
    }
  });

  test('does not count as read', async () => {
    const group = await aChat();
    await group.getsDelivered('bob', '4');
    await group.inEveryCache(async () => {
      expectAnswer(
        await group.readView('bob'),
        200,
        viewOf(group, { messageId: null, readAt: null, revision: 0, unread: exactly(9, '1') }),
      );
      expect(await shownOfBob(group)).toBe(null);
      await group.expectReceipts('alice', {
        '4': { sender: 'alice', read: [], unread: ['bob', 'carol'], delivered: ['bob'] },
        '5': { sender: 'alice', read: [], unread: ['bob', 'carol'], delivered: [] },
      });
    });
  });

  test('is implied by reading', async () => {
    const group = await aChat();
    await group.reads('bob', '6');
    expectAnswer(await group.markDelivered('bob', '6'), 200, {
      groupId: group.groupId,
      userId: 'bob',
      messageId: '6',
      advanced: false,
      clamped: false,
    });
  });

  test('is not implied by a private read', async () => {
    const group = await aChat();
    await group.readsPrivately('bob', '6');
    await group.inEveryCache(() =>
      group.expectReceipts('alice', {
        '1': { sender: 'alice', read: [], unread: ['bob', 'carol'], delivered: [] },
      }),
    );
    expectAnswer(await group.markDelivered('bob', '2'), 200, {
      groupId: group.groupId,
      userId: 'bob',
      messageId: '2',
      advanced: true,
      clamped: false,
    });
  });

  test('publishes an event once, and none for messages that were read', async () => {
    const group = await aChat();
    await group.getsDelivered('bob', '4');
    const toFour = { from: null, to: '4', at: A_TIME };
    await expectEventsOfBob(group, 'DeliveryAdvanced', toFour);
    await group.getsDelivered('bob', '3');
    await group.reads('bob', '2');
    await expectEventsOfBob(group, 'WatermarkAdvanced', {
      from: null,
      to: '2',
      readAt: A_TIME,
      ownRevision: 0,
    });
    await group.reads('bob', '6');
    await expectEventsOfBob(
      group,
      'WatermarkAdvanced',
      { from: null, to: '2', readAt: A_TIME, ownRevision: 0 },
      { from: '2', to: '6', readAt: A_TIME, ownRevision: 0 },
    );
    await group.getsDelivered('bob', '5');
    await group.getsDelivered('bob', '8');
    await expectEventsOfBob(group, 'DeliveryAdvanced', toFour, { from: '6', to: '8', at: A_TIME });
    expect(await group.eventTypes('bob')).toEqual([
      'DeliveryAdvanced',
      'WatermarkAdvanced',
      'WatermarkAdvanced',
      'DeliveryAdvanced',
    ]);
  });

  test('starts at the head at the moment of joining', async () => {
    const group = await aChat();
    await group.join('dave');
    await group.record('alice', '10');
    expectAnswer(await group.markDelivered('dave', '3'), 200, {
      groupId: group.groupId,
      userId: 'dave',
      messageId: '9',
      advanced: false,
      clamped: false,
    });
  });

  test('in a group without messages is not clamped, but the largest id marks nothing', async () => {
    const group = await stack.groupOf('bob');
    const { groupId } = group;
    expectAnswer(await group.markDelivered('bob', LARGEST_ID), 200, {
      ...{ groupId, userId: 'bob', messageId: null, advanced: false, clamped: true },
    });
    const messageId = '18446744073709551614';
    expectAnswer(await group.markDelivered('bob', messageId), 200, {
      ...{ groupId, userId: 'bob', messageId, advanced: true, clamped: false },
    });
  });

  test.each([
    ['9007199254740992', '9007199254740993'],
    ['18446744073709551614', '18446744073709551615'],
  ])('distinguishes %s and %s', async (lower, upper) => {
    const group = await stack.groupOf('alice', 'bob');
    await group.record('alice', lower, upper);
    expect((await group.markDelivered('bob', lower)).body).toMatchObject({
      messageId: lower,
      clamped: false,
    });
    expect((await group.markDelivered('bob', upper)).body).toMatchObject({
      messageId: upper,
      advanced: true,
    });
  });

  test('is not found for non-members and former members', async () => {
    const group = await aChat();
    await group.leave('bob');
    for (const userId of ['bob', 'eve']) expectNotFound(await group.markDelivered(userId, '1'));
  });
});
