import { describe, expect, test } from '@jest/globals';
import { eventually, freshPrefix } from '../support/engines.ts';
import {
  A_TIME,
  expectAnswer,
  expectNotFound,
  MAX,
  NONE_UNREAD,
  type ReceiptsGroup,
  withReceiptsStack,
} from '../support/receipts-group.ts';
import type { Answer, Json } from '../support/running-stack.ts';

const stack = withReceiptsStack();

/** Alice, Bob and Carol, of whom Alice has sent 1 to 9. */
async function aChat(): Promise<ReceiptsGroup> {
  const group = await stack.groupOf('alice', 'bob', 'carol');
  await group.record('alice', '1', '2', '3', '4', '5', '6', '7', '8', '9');
  return group;
}

const exactly = (count: number) => ({ count, exact: true });

/** What GET watermark answers Bob, and marking unread. */
const viewOf = ({ groupId }: ReceiptsGroup, fields: Record<string, unknown>) => ({
  groupId,
  userId: 'bob',
  readAt: A_TIME,
  head: '9',
  ...fields,
});

/** What others see of Bob. */
async function shownOf(group: ReceiptsGroup): Promise<unknown> {
  const { members } = (await group.members()).body as { members: { userId: string; messageId: Json }[] };
  return members.find(({ userId }) => userId === 'bob')?.messageId;
}

/** Waits until these, and no others, are the details of all such events about Bob. */
async function expectEvents(group: ReceiptsGroup, type: string, ...details: Record<string, unknown>[]) {
  const expected = details.map((detail) => ({
    version: '1',
    groupId: group.groupId,
    userId: 'bob',
    membership: expect.any(Number),
    ...detail,
  }));
  await eventually(async () => expect(await group.details(type, 'bob')).toEqual(expected));
}

describe('a private read', () => {
  test('answers as any, moves the own view, and nothing that others see', async () => {
    const group = await aChat();
    expectAnswer(await group.mark('bob', { messageId: '6', private: true }), 200, {
      groupId: group.groupId,
      userId: 'bob',
      messageId: '6',
      readAt: A_TIME,
      revision: 0,
      advanced: true,
      clamped: false,
      unread: exactly(3),
    });
    await stack.withAndWithoutCache(async () => {
      expectAnswer(
        await group.look('bob'),
        200,
        viewOf(group, { messageId: '6', revision: 0, unread: exactly(3) }),
      );
      expect(await shownOf(group)).toBe(null);
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

  test('is told to the own devices alone', async () => {
    const group = await aChat();
    const { readAt } = (await group.mark('bob', { messageId: '6', private: true })).body as {
      readAt: string;
    };
    const own = { messageId: '6', revision: 0, readAt };
    await expectEvents(group, 'OwnWatermarkMoved', own);
    await group.reads('bob', '7');
    await expectEvents(group, 'WatermarkAdvanced', { from: null, to: '7', readAt: A_TIME, ownRevision: 0 });
    expect(await group.eventTypes('bob')).toEqual(['OwnWatermarkMoved', 'WatermarkAdvanced']);
  });

  test('that is nothing new changes nothing', async () => {
    const group = await aChat();
    await group.readsPrivately('bob', '6');
    const before = (await group.look('bob')).body as { readAt: string };
    for (const messageId of ['6', '2']) {
      expectAnswer(await group.mark('bob', { messageId, private: true }), 200, {
        groupId: group.groupId,
        userId: 'bob',
        messageId: '6',
        readAt: before.readAt,
        revision: 0,
        advanced: false,
        clamped: false,
        unread: exactly(3),
      });
    }
    expect((await group.look('bob')).body).toEqual(before);
  });

  test('beyond the head is clamped', async () => {
    const group = await aChat();
    expect((await group.mark('bob', { messageId: MAX, private: true })).body).toMatchObject({
      messageId: '9',
      advanced: true,
      clamped: true,
      unread: NONE_UNREAD,
    });
  });

  test('may be made public later, in part or whole', async () => {
    const group = await aChat();
    await group.readsPrivately('bob', '6');
    await expectEvents(group, 'OwnWatermarkMoved', { messageId: '6', revision: 0, readAt: A_TIME });
    expect((await group.mark('bob', { messageId: '4' })).body).toMatchObject({
      messageId: '6',
      advanced: true,
      unread: exactly(3),
    });
    const toFour = { from: null, to: '4', readAt: A_TIME, ownRevision: null };
    await expectEvents(group, 'WatermarkAdvanced', toFour);
    await group.inEveryCache(async () => {
      expect(await shownOf(group)).toBe('4');
      await group.expectReceipts('carol', {
        '4': { sender: 'alice', read: ['bob'], unread: ['carol'], delivered: ['bob'] },
        '5': { sender: 'alice', read: [], unread: ['bob', 'carol'], delivered: [] },
      });
    });
    expect((await group.mark('bob', { messageId: '6', private: false })).body).toMatchObject({
      messageId: '6',
      advanced: true,
      unread: exactly(3),
    });
    await expectEvents(group, 'WatermarkAdvanced', toFour, {
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

  test('may be made on behalf of a user', async () => {
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
      unread: exactly(3),
    });
    expect(await shownOf(group)).toBe(null);
  });
});

describe('marking unread', () => {
  test.each([
    ['1', null, 9],
    ['2', '1', 8],
    ['5', '4', 5],
    ['8', '7', 2],
  ])('from %s goes to just below it', async (messageId, expected, count) => {
    const group = await aChat();
    await group.reads('bob', '8');
    const view = viewOf(group, { messageId: expected, revision: 1, unread: exactly(count) });
    expectAnswer(await group.markUnread('bob', messageId), 200, view);
    await stack.withAndWithoutCache(async () => expectAnswer(await group.look('bob'), 200, view));
  });

  test('takes back a long way, and again', async () => {
    const group = await stack.groupOf('alice', 'bob');
    const messageIds = Array.from({ length: 120 }, (_, index) => String(index + 1));
    await Promise.all(messageIds.map((messageId) => group.record('alice', messageId)));
    await group.reads('bob', '120');
    for (const [messageId, expected, revision, count] of [
      ['101', '100', 1, 20],
      ['100', '99', 2, 21],
      ['3', '2', 3, 118],
      ['1', null, 4, 120],
    ] as const) {
      const view = {
        ...viewOf(group, { messageId: expected, revision, unread: exactly(count) }),
        head: '120',
      };
      expectAnswer(await group.markUnread('bob', messageId), 200, view);
      await stack.withAndWithoutCache(async () => expectAnswer(await group.look('bob'), 200, view));
    }
  });

  test('is for the member alone: receipts stay', async () => {
    const group = await aChat();
    await group.reads('bob', '8');
    const ofEight = { sender: 'alice', read: ['bob'], unread: ['carol'], delivered: ['bob'] };
    await group.inEveryCache(() => group.expectReceipts('alice', { '3': ofEight, '8': ofEight }));
    await group.markUnread('bob', '3');
    await group.inEveryCache(async () => {
      await group.expectReceipts('alice', { '3': ofEight, '8': ofEight });
      expect(await shownOf(group)).toBe('8');
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

  test('goes back to the point of joining and no further', async () => {
    const group = await stack.groupOf('alice');
    await group.record('alice', '1', '2', '3');
    await group.join('bob');
    await group.record('alice', '4', '5');
    await group.reads('bob', '5');
    const view = { ...viewOf(group, { messageId: '3', revision: 1, unread: exactly(2) }), head: '5' };
    expectAnswer(await group.markUnread('bob', '1'), 200, view);
    expectAnswer(await group.markUnread('bob', '1'), 200, view);
    await stack.withAndWithoutCache(async () => expectAnswer(await group.look('bob'), 200, view));
  });

  test('that is no way back changes nothing, not the revision either', async () => {
    const group = await aChat();
    const untouched = viewOf(group, {
      messageId: null,
      readAt: null,
      revision: 0,
      unread: exactly(9),
    });
    for (const messageId of ['1', '5', MAX])
      expectAnswer(await group.markUnread('bob', messageId), 200, untouched);
    await group.reads('bob', '4');
    const { readAt } = (await group.look('bob')).body as { readAt: string };
    for (const messageId of ['5', '9', MAX]) {
      expectAnswer(
        await group.markUnread('bob', messageId),
        200,
        viewOf(group, { messageId: '4', readAt, revision: 0, unread: exactly(5) }),
      );
    }
    for (const messageId of ['3', '3', '4']) {
      expectAnswer(
        await group.markUnread('bob', messageId),
        200,
        viewOf(group, { messageId: '2', revision: 1, unread: exactly(7) }),
      );
    }
    await group.reads('bob', '3');
    // Only the moves are told: reading 4, going back to 2, reading 3 anew.
    await expectEvents(
      group,
      'OwnWatermarkMoved',
      { messageId: '2', revision: 1, readAt: A_TIME },
      { messageId: '3', revision: 1, readAt: A_TIME },
    );
    await expectEvents(group, 'WatermarkAdvanced', { from: null, to: '4', readAt: A_TIME, ownRevision: 0 });
  });

  test('ends with the next mark forward, without a new revision', async () => {
    const group = await aChat();
    await group.reads('bob', '8');
    await expectEvents(group, 'WatermarkAdvanced', { from: null, to: '8', readAt: A_TIME, ownRevision: 0 });
    await group.markUnread('bob', '3');
    const back = { messageId: '2', revision: 1, readAt: A_TIME };
    await expectEvents(group, 'OwnWatermarkMoved', back);
    expectAnswer(await group.mark('bob', { messageId: '5' }), 200, {
      groupId: group.groupId,
      userId: 'bob',
      messageId: '5',
      readAt: A_TIME,
      revision: 1,
      advanced: true,
      clamped: false,
      unread: exactly(4),
    });
    const five = { messageId: '5', revision: 1, readAt: A_TIME };
    await expectEvents(group, 'OwnWatermarkMoved', back, five);
    expect(await shownOf(group)).toBe('8');
    expect((await group.mark('bob', { messageId: '9' })).body).toMatchObject({
      messageId: '9',
      revision: 1,
      advanced: true,
      unread: NONE_UNREAD,
    });
    await expectEvents(
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

  test('is told to the own devices, also when everything is unread again', async () => {
    const group = await aChat();
    await group.reads('bob', '2');
    await expectEvents(group, 'WatermarkAdvanced', { from: null, to: '2', readAt: A_TIME, ownRevision: 0 });
    const { readAt } = (await group.markUnread('bob', '1')).body as { readAt: string };
    await expectEvents(group, 'OwnWatermarkMoved', { messageId: null, revision: 1, readAt });
  });

  test('ends with a message of one’s own', async () => {
    const group = await aChat();
    await group.reads('bob', '9');
    await group.markUnread('bob', '4');
    await group.record('bob', '10');
    await stack.withAndWithoutCache(async () =>
      expect((await group.look('bob')).body).toMatchObject({
        messageId: '10',
        revision: 1,
        unread: NONE_UNREAD,
      }),
    );
  });

  test('takes back a private read', async () => {
    const group = await aChat();
    await group.readsPrivately('bob', '9');
    expectAnswer(
      await group.markUnread('bob', '7'),
      200,
      viewOf(group, { messageId: '6', revision: 1, unread: exactly(3) }),
    );
    expect(await shownOf(group)).toBe(null);
  });

  test('goes below messages that are not there', async () => {
    const group = await stack.groupOf('alice', 'bob');
    await group.record('alice', '10', '20');
    await group.reads('bob', '20');
    expectAnswer(await group.markUnread('bob', '15'), 200, {
      ...viewOf(group, { messageId: '14', revision: 1, unread: exactly(1) }),
      head: '20',
    });
  });

  test.each([
    ['9007199254740993', '9007199254740992'],
    ['18446744073709551615', '18446744073709551614'],
  ])('from %s goes to %s', async (messageId, below) => {
    const group = await stack.groupOf('alice', 'bob');
    await group.record('alice', below, messageId);
    await group.reads('bob', messageId);
    expectAnswer(await group.markUnread('bob', messageId), 200, {
      ...viewOf(group, { messageId: below, revision: 1, unread: exactly(1) }),
      head: messageId,
    });
  });

  test('works in a group without messages, where nothing is known to be unread', async () => {
    const group = await stack.groupOf('bob');
    await group.reads('bob', '5');
    const view = {
      ...viewOf(group, { messageId: '2', revision: 1, unread: { count: 0, exact: true } }),
      head: null,
    };
    expectAnswer(await group.markUnread('bob', '3'), 200, view);
    await stack.withAndWithoutCache(async () => expectAnswer(await group.look('bob'), 200, view));
  });

  test('is forgotten by leaving', async () => {
    const group = await aChat();
    await group.reads('bob', '9');
    await group.markUnread('bob', '4');
    await group.leave('bob');
    expectNotFound(await group.markUnread('bob', '4'));
    await group.join('bob');
    await stack.withAndWithoutCache(async () => {
      const answer = await group.look('bob');
      const { revision } = answer.body as { revision: number };
      expect(revision).toBeGreaterThan(1);
      expectAnswer(
        answer,
        200,
        viewOf(group, { messageId: '9', readAt: null, revision, unread: NONE_UNREAD }),
      );
    });
  });

  test('is not for strangers', async () => {
    const group = await aChat();
    expectNotFound(await group.markUnread('eve', '1'));
  });
});

describe('a mark of one who knows an old revision', () => {
  /** Bob has read 5 and then marked 3 unread, in revision 1. */
  async function aConflict(): Promise<ReceiptsGroup> {
    const group = await aChat();
    await group.reads('bob', '5');
    await expectEvents(group, 'WatermarkAdvanced', { from: null, to: '5', readAt: A_TIME, ownRevision: 0 });
    await group.markUnread('bob', '3');
    await expectEvents(group, 'OwnWatermarkMoved', { messageId: '2', revision: 1, readAt: A_TIME });
    return group;
  }

  function expectConflict(answer: Answer, group: ReceiptsGroup, fields: Record<string, unknown>) {
    expect(answer.body).toEqual({
      type: expect.stringMatching(/./),
      title: expect.stringMatching(/./),
      status: 409,
      code: 'revision_conflict',
      detail: expect.stringMatching(/\w+ \w+/),
      requestId: expect.stringMatching(/./),
      groupId: group.groupId,
      userId: 'bob',
      messageId: '2',
      readAt: A_TIME,
      revision: 1,
      unread: exactly(7),
      clamped: false,
      ...fields,
    });
    expect(answer.status).toBe(409);
    expect(answer.contentType).toMatch(/^application\/problem\+json(;|$)/);
  }

  const stillBack = async (group: ReceiptsGroup) =>
    expectAnswer(
      await group.look('bob'),
      200,
      viewOf(group, { messageId: '2', revision: 1, unread: exactly(7) }),
    );

  test('moves what others see, and not the own view', async () => {
    const group = await aConflict();
    const before = (await group.look('bob')).body;
    expectConflict(await group.mark('bob', { messageId: '7', ifRevision: 0 }), group, { advanced: true });
    await stack.withAndWithoutCache(async () => {
      expect((await group.look('bob')).body).toEqual(before);
      expect(await shownOf(group)).toBe('7');
      await group.expectReceipts('alice', {
        '7': { sender: 'alice', read: ['bob'], unread: ['carol'], delivered: ['bob'] },
        '8': { sender: 'alice', read: [], unread: ['bob', 'carol'], delivered: [] },
      });
    });
    await expectEvents(
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

  test('beyond the head moves to the head what others see', async () => {
    const group = await aConflict();
    expectConflict(await group.mark('bob', { messageId: MAX, ifRevision: 0 }), group, {
      advanced: true,
      clamped: true,
    });
    await stack.withAndWithoutCache(async () => {
      await stillBack(group);
      expect(await shownOf(group)).toBe('9');
    });
  });

  test('that others have seen already moves nothing', async () => {
    const group = await aConflict();
    expectConflict(await group.mark('bob', { messageId: '4', ifRevision: 0 }), group, { advanced: false });
    await stack.withAndWithoutCache(async () => {
      await stillBack(group);
      expect(await shownOf(group)).toBe('5');
    });
  });

  test('moves nothing at all where it is private', async () => {
    const group = await aConflict();
    expectConflict(await group.mark('bob', { messageId: '7', private: true, ifRevision: 0 }), group, {
      advanced: false,
    });
    await stack.withAndWithoutCache(async () => {
      await stillBack(group);
      expect(await shownOf(group)).toBe('5');
    });
    await group.reads('bob', '9');
    await expectEvents(
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

  test('is refused on an emptied cache too', async () => {
    const group = await aConflict();
    await stack.emptyCache();
    expectConflict(await group.mark('bob', { messageId: '4', ifRevision: 0 }), group, { advanced: false });
    await stack.emptyCache();
    expectConflict(await group.mark('bob', { messageId: '7', ifRevision: 0 }), group, { advanced: true });
  });

  test('is a conflict for a revision that never was, too', async () => {
    const group = await aConflict();
    expectConflict(await group.mark('bob', { messageId: '4', ifRevision: 2 }), group, { advanced: false });
    await stillBack(group);
  });

  test('is a conflict on behalf of a user, too', async () => {
    const group = await aConflict();
    const path = `/v1/users/bob/groups/${group.groupId}/watermark`;
    expectConflict(await stack.asService('PUT', path, { messageId: '4', ifRevision: 0 }), group, {
      advanced: false,
    });
  });

  test('is none where the revision is the current one', async () => {
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
      unread: exactly(7),
    });
    expectAnswer(await group.mark('bob', { messageId: '4', ifRevision: 1 }), 200, {
      ...answer,
      messageId: '4',
      advanced: true,
      unread: exactly(5),
    });
    expectAnswer(await group.mark('bob', { messageId: '6', private: true, ifRevision: 1 }), 200, {
      ...answer,
      messageId: '6',
      advanced: true,
      unread: exactly(3),
    });
    expect(await shownOf(group)).toBe('5');
  });

  test('is none for one who never marked anything unread', async () => {
    const group = await aChat();
    expect(await group.mark('bob', { messageId: '4', ifRevision: 0 })).toMatchObject({
      status: 200,
      body: { messageId: '4', revision: 0, advanced: true },
    });
    const answer = await group.mark('bob', { messageId: '6', ifRevision: 1 });
    expectConflict(answer, group, { messageId: '4', revision: 0, unread: exactly(5), advanced: true });
  });
});

describe('marking delivered', () => {
  test('moves forward only, and answers where it stands', async () => {
    const group = await aChat();
    const answer = { groupId: group.groupId, userId: 'bob' };
    for (const [messageId, expected, advanced, clamped] of [
      ['4', '4', true, false],
      ['4', '4', false, false],
      ['2', '4', false, false],
      ['9', '9', true, false],
      [MAX, '9', false, true],
    ] as const) {
      expectAnswer(await group.markDelivered('bob', messageId), 200, {
        ...answer,
        messageId: expected,
        advanced,
        clamped,
      });
    }
  });

  test('is no reading', async () => {
    const group = await aChat();
    await group.getsDelivered('bob', '4');
    await group.inEveryCache(async () => {
      expectAnswer(
        await group.look('bob'),
        200,
        viewOf(group, { messageId: null, readAt: null, revision: 0, unread: exactly(9) }),
      );
      expect(await shownOf(group)).toBe(null);
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

  test('is told once, and not where it was read', async () => {
    const group = await aChat();
    await group.getsDelivered('bob', '4');
    const toFour = { from: null, to: '4', at: A_TIME };
    await expectEvents(group, 'DeliveryAdvanced', toFour);
    await group.getsDelivered('bob', '3');
    await group.reads('bob', '2');
    await expectEvents(group, 'WatermarkAdvanced', { from: null, to: '2', readAt: A_TIME, ownRevision: 0 });
    await group.reads('bob', '6');
    await expectEvents(
      group,
      'WatermarkAdvanced',
      { from: null, to: '2', readAt: A_TIME, ownRevision: 0 },
      { from: '2', to: '6', readAt: A_TIME, ownRevision: 0 },
    );
    await group.getsDelivered('bob', '5');
    await group.getsDelivered('bob', '8');
    await expectEvents(group, 'DeliveryAdvanced', toFour, { from: '6', to: '8', at: A_TIME });
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

  test('in a group without messages is taken as it is, but for the largest id, which marks nothing', async () => {
    const group = await stack.groupOf('bob');
    const { groupId } = group;
    expectAnswer(await group.markDelivered('bob', MAX), 200, {
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
  ])('tells %s from %s', async (lower, upper) => {
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

  test('is not for strangers and former members', async () => {
    const group = await aChat();
    await group.leave('bob');
    for (const userId of ['bob', 'eve']) expectNotFound(await group.markDelivered(userId, '1'));
  });
});

const markAll = (userId: string, marks: Json[]) => stack.asUser(userId, 'POST', '/v1/watermarks', { marks });

describe('a batch of marks', () => {
  test('has an outcome for each, in the order asked', async () => {
    const [one, other, left, quiet] = await Promise.all([
      aChat(),
      aChat(),
      aChat(),
      stack.groupOf('bob'),
    ] as const);
    await other.reads('bob', '5');
    await left.leave('bob');
    const nowhere = freshPrefix('g');
    const marks = [
      { groupId: other.groupId, messageId: '5' },
      { groupId: nowhere, messageId: '1' },
      { groupId: quiet.groupId, messageId: MAX },
      { groupId: left.groupId, messageId: '1' },
      { groupId: one.groupId, messageId: MAX },
    ];
    const results = (outcome: string) => ({
      results: [
        { groupId: other.groupId, outcome: 'unchanged', messageId: '5', revision: 0, clamped: false },
        { groupId: nowhere, outcome: 'not_found' },
        { groupId: quiet.groupId, outcome: 'unchanged', messageId: null, revision: 0, clamped: true },
        { groupId: left.groupId, outcome: 'not_found' },
        { groupId: one.groupId, outcome, messageId: '9', revision: 0, clamped: true },
      ],
    });
    expectAnswer(await markAll('bob', marks), 200, results('advanced'));
    expectAnswer(await markAll('bob', marks), 200, results('unchanged'));
    expect((await one.look('bob')).body).toMatchObject({ messageId: '9', unread: NONE_UNREAD });
    expect((await other.look('bob')).body).toMatchObject({ messageId: '5', unread: exactly(4) });
    await expectEvents(one, 'WatermarkAdvanced', { from: null, to: '9', readAt: A_TIME, ownRevision: 0 });
    // Where no message is recorded there is nothing to mark.
    expect(await quiet.eventTypes('bob')).toEqual([]);
  });

  test('applies several of one group one after the other', async () => {
    const [group, other] = await Promise.all([aChat(), aChat()]);
    const result = ({ groupId }: ReceiptsGroup, outcome: string, messageId: string) => ({
      ...{ groupId, outcome, messageId, revision: 0, clamped: false },
    });
    const marks = [
      { groupId: group.groupId, messageId: '2' },
      { groupId: other.groupId, messageId: '1' },
      { groupId: group.groupId, messageId: '5' },
      { groupId: group.groupId, messageId: '3' },
    ];
    expectAnswer(await markAll('bob', marks), 200, {
      results: [
        result(group, 'advanced', '2'),
        result(other, 'advanced', '1'),
        result(group, 'advanced', '5'),
        result(group, 'unchanged', '5'),
      ],
    });
    expectAnswer(await markAll('bob', marks), 200, {
      results: [
        result(group, 'unchanged', '5'),
        result(other, 'unchanged', '1'),
        result(group, 'unchanged', '5'),
        result(group, 'unchanged', '5'),
      ],
    });
    expect((await group.look('bob')).body).toMatchObject({ messageId: '5', unread: exactly(4) });
  });

  test('may read in private', async () => {
    const [open, hidden, both] = await Promise.all([aChat(), aChat(), aChat()]);
    const answer = await markAll('bob', [
      { groupId: hidden.groupId, messageId: '5', private: true },
      { groupId: open.groupId, messageId: '5', private: false },
      { groupId: both.groupId, messageId: '2' },
      { groupId: both.groupId, messageId: '5', private: true },
    ]);
    expectAnswer(answer, 200, {
      results: [
        { groupId: hidden.groupId, outcome: 'advanced', messageId: '5', revision: 0, clamped: false },
        { groupId: open.groupId, outcome: 'advanced', messageId: '5', revision: 0, clamped: false },
        { groupId: both.groupId, outcome: 'advanced', messageId: '2', revision: 0, clamped: false },
        { groupId: both.groupId, outcome: 'advanced', messageId: '5', revision: 0, clamped: false },
      ],
    });
    await stack.withAndWithoutCache(async () => {
      for (const group of [open, hidden, both]) {
        expect((await group.look('bob')).body).toMatchObject({ messageId: '5', unread: exactly(4) });
      }
      expect(await shownOf(open)).toBe('5');
      expect(await shownOf(hidden)).toBe(null);
      expect(await shownOf(both)).toBe('2');
    });
    const own = { messageId: '5', revision: 0, readAt: A_TIME };
    await expectEvents(hidden, 'OwnWatermarkMoved', own);
    await expectEvents(open, 'WatermarkAdvanced', { from: null, to: '5', readAt: A_TIME, ownRevision: 0 });
    await expectEvents(both, 'WatermarkAdvanced', { from: null, to: '2', readAt: A_TIME, ownRevision: null });
    await expectEvents(both, 'OwnWatermarkMoved', own);
    expect(await hidden.eventTypes('bob')).toEqual(['OwnWatermarkMoved']);
    expect(await open.eventTypes('bob')).toEqual(['WatermarkAdvanced']);
  });

  test('may be of a hundred groups', async () => {
    const userId = freshPrefix('u');
    const prefix = freshPrefix('g');
    const groupIds = Array.from({ length: 100 }, (_, index) => `${prefix}-${String(index).padStart(2, '0')}`);
    await Promise.all(groupIds.map((groupId) => stack.groupNamed(groupId, userId)));
    const answer = await markAll(
      userId,
      groupIds.map((groupId, index) => ({ groupId, messageId: String(1_000 + index) })),
    );
    expectAnswer(answer, 200, {
      results: groupIds.map((groupId, index) => ({
        groupId,
        outcome: 'advanced',
        messageId: String(1_000 + index),
        revision: 0,
        clamped: false,
      })),
    });
    const inbox = await stack.asUser(userId, 'GET', '/v1/inbox?limit=100');
    expect((inbox.body as { groups: Json[] }).groups).toEqual(
      groupIds.map((groupId, index) => ({
        groupId,
        messageId: String(1_000 + index),
        head: null,
        revision: 0,
        unread: { count: 0, exact: true },
      })),
    );
  });

  test('may have JSON integers for ids', async () => {
    const group = await stack.groupOf('bob');
    const body = `{"marks":[{"groupId":"${group.groupId}","messageId":9007199254740991}]}`;
    expectAnswer(await stack.asUser('bob', 'POST', '/v1/watermarks', body), 200, {
      results: [
        {
          ...{ groupId: group.groupId, outcome: 'advanced', messageId: '9007199254740991' },
          ...{ revision: 0, clamped: false },
        },
      ],
    });
  });
});

describe('the inbox', () => {
  const inbox = (userId: string, query = '') => stack.asUser(userId, 'GET', `/v1/inbox${query}`);

  async function expectInbox(userId: string, groups: Record<string, unknown>[], query = '') {
    await stack.withAndWithoutCache(async () =>
      expectAnswer(await inbox(userId, query), 200, { groups, cursor: null }),
    );
  }

  /** Groups of this user and Alice under ids that begin alike; Alice has sent so many messages in each. */
  async function groupsOf(userId: string, messages: Readonly<Record<string, number>>) {
    const prefix = freshPrefix('g');
    return Promise.all(
      Object.entries(messages).map(async ([name, count]) => {
        const group = await stack.groupNamed(`${prefix}${name}`, 'alice', userId);
        for (let id = 1; id <= count; id += 1) await group.record('alice', String(id));
        return group;
      }),
    );
  }

  test('of a user without groups is empty', async () => {
    await expectInbox(freshPrefix('u'), []);
  });

  test('tells of each group what the member sees of it', async () => {
    const userId = freshPrefix('u');
    const [marked, unmarked, back, hidden, empty] = (await groupsOf(userId, {
      '-1': 4,
      '-2': 3,
      '-3': 4,
      '-4': 4,
      '-5': 0,
    })) as [ReceiptsGroup, ReceiptsGroup, ReceiptsGroup, ReceiptsGroup, ReceiptsGroup];
    await marked.reads(userId, '3');
    await back.reads(userId, '4');
    await back.markUnread(userId, '2');
    await hidden.readsPrivately(userId, '4');
    await expectInbox(userId, [
      { groupId: marked.groupId, messageId: '3', head: '4', revision: 0, unread: exactly(1) },
      { groupId: unmarked.groupId, messageId: null, head: '3', revision: 0, unread: exactly(3) },
      { groupId: back.groupId, messageId: '1', head: '4', revision: 1, unread: exactly(3) },
      { groupId: hidden.groupId, messageId: '4', head: '4', revision: 0, unread: NONE_UNREAD },
      { groupId: empty.groupId, messageId: null, head: null, revision: 0, unread: { count: 0, exact: true } },
    ]);
  });

  test('is ordered by group id', async () => {
    const userId = freshPrefix('u');
    const names = ['!', '+', '-', '.', '0', '10', '2', ':', '=', '@', 'A', 'Z', '_', 'a', 'aa', '~'];
    await groupsOf(userId, Object.fromEntries(names.toReversed().map((name) => [`x${name}`, 0])));
    const { groups } = (await inbox(userId)).body as { groups: { groupId: string }[] };
    const prefix = groups[0]?.groupId.slice(0, -2) ?? '';
    expect(groups.map(({ groupId }) => groupId)).toEqual(names.map((name) => `${prefix}x${name}`));
  });

  test('comes page by page, each group once and in order', async () => {
    const userId = freshPrefix('u');
    const groups = await groupsOf(userId, { '-1': 1, '-2': 0, '-3': 2, '-4': 0, '-5': 1, '-6': 1, '-7': 3 });
    await stack.withAndWithoutCache(async () => {
      for (const limit of [1, 2, 3, 7, 100]) {
        const found = await pagesOf(userId, `limit=${limit}`, limit);
        expect(found).toEqual(groups.map(({ groupId }) => groupId));
      }
    });
  });

  /** The groups of all pages. */
  async function pagesOf(userId: string, query: string, limit: number): Promise<string[]> {
    const found: string[] = [];
    let cursor: string | null = null;
    let pages = 0;
    do {
      const next = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const answer = await inbox(userId, `?${query}${next}`);
      const page = answer.body as { groups: { groupId: string }[]; cursor: string | null };
      expectAnswer(answer, 200, { groups: page.groups, cursor: page.cursor });
      expect(page.groups.length).toBeLessThanOrEqual(limit);
      found.push(...page.groups.map(({ groupId }) => groupId));
      cursor = page.cursor;
      pages += 1;
    } while (cursor !== null && pages < 20);
    expect(cursor).toBe(null);
    return found;
  }

  test('may be of the groups with something unread alone', async () => {
    const userId = freshPrefix('u');
    const [first, second, , fourth, fifth, sixth] = (await groupsOf(userId, {
      '-1': 2,
      '-2': 2,
      '-3': 0,
      '-4': 2,
      '-5': 2,
      '-6': 2,
    })) as [ReceiptsGroup, ReceiptsGroup, ReceiptsGroup, ReceiptsGroup, ReceiptsGroup, ReceiptsGroup];
    await second.reads(userId, '2');
    await fourth.reads(userId, '1');
    await fifth.readsPrivately(userId, '2');
    await sixth.reads(userId, '2');
    await sixth.markUnread(userId, '1');
    const unread = [
      { groupId: first.groupId, messageId: null, head: '2', revision: 0, unread: exactly(2) },
      { groupId: fourth.groupId, messageId: '1', head: '2', revision: 0, unread: exactly(1) },
      { groupId: sixth.groupId, messageId: null, head: '2', revision: 1, unread: exactly(2) },
    ];
    await expectInbox(userId, unread, '?unreadOnly=true');
    const all = (await inbox(userId, '?unreadOnly=false')).body as { groups: Json[] };
    expect(all.groups).toHaveLength(6);
    const unreadIds = [first.groupId, fourth.groupId, sixth.groupId];
    for (const limit of [1, 2, 3]) {
      expect(await pagesOf(userId, `unreadOnly=true&limit=${limit}`, limit)).toEqual(unreadIds);
    }
  });

  test('loses a group with leaving it', async () => {
    const userId = freshPrefix('u');
    const [stays, left] = (await groupsOf(userId, { '-1': 1, '-2': 1 })) as [ReceiptsGroup, ReceiptsGroup];
    await left.reads(userId, '1');
    await left.leave(userId);
    const ofFirst = {
      groupId: stays.groupId,
      messageId: null,
      head: '1',
      revision: 0,
      unread: exactly(1),
    };
    await expectInbox(userId, [ofFirst]);
    await expectInbox(userId, [ofFirst], '?unreadOnly=true');
    await left.record('alice', '2');
    await left.join(userId);
    await expectInbox(userId, [
      ofFirst,
      { groupId: left.groupId, messageId: '2', head: '2', revision: expect.any(Number), unread: NONE_UNREAD },
    ]);
  });

  test('counts neither one’s own messages nor deleted ones', async () => {
    const userId = freshPrefix('u');
    const [mine, thinned, gone] = (await groupsOf(userId, { '-1': 1, '-2': 4, '-3': 2 })) as [
      ReceiptsGroup,
      ReceiptsGroup,
      ReceiptsGroup,
    ];
    await mine.record(userId, '3');
    await mine.record('alice', '4', '2');
    await mine.markUnread(userId, '1');
    await thinned.remove('2');
    await thinned.remove('4');
    await gone.remove('1');
    await gone.remove('2');
    await expectInbox(userId, [
      { groupId: mine.groupId, messageId: null, head: '4', revision: 1, unread: exactly(3) },
      { groupId: thinned.groupId, messageId: null, head: '4', revision: 0, unread: exactly(2) },
      { groupId: gone.groupId, messageId: null, head: '2', revision: 0, unread: NONE_UNREAD },
    ]);
    await expectInbox(
      userId,
      [
        { groupId: mine.groupId, messageId: null, head: '4', revision: 1, unread: exactly(3) },
        { groupId: thinned.groupId, messageId: null, head: '4', revision: 0, unread: exactly(2) },
      ],
      '?unreadOnly=true',
    );
  });

  test('shows a late joiner what came since', async () => {
    const userId = freshPrefix('u');
    const group = await aChat();
    await group.join(userId);
    const { groupId } = group;
    await expectInbox(userId, [{ groupId, messageId: '9', head: '9', revision: 0, unread: NONE_UNREAD }]);
    await group.record('alice', '10');
    await expectInbox(userId, [{ groupId, messageId: '9', head: '10', revision: 0, unread: exactly(1) }]);
  });

  test('knows ids of 64 bits', async () => {
    const userId = freshPrefix('u');
    const group = await stack.groupOf('alice', userId);
    await group.record('alice', '9007199254740992', '9007199254740993', '18446744073709551614', MAX);
    await group.reads(userId, '9007199254740993');
    const { groupId } = group;
    await expectInbox(userId, [
      { groupId, messageId: '9007199254740993', head: MAX, revision: 0, unread: exactly(2) },
    ]);
  });
});

describe.each([
  { when: 'are never asked for', prepare: async () => {} },
  {
    when: 'were asked for',
    prepare: async (group: ReceiptsGroup) => {
      await group.counts('alice', '1');
    },
  },
  {
    when: 'were lost with the cache',
    prepare: async (group: ReceiptsGroup) => {
      await group.counts('alice', '1');
      await stack.emptyCache();
    },
  },
])('a group of which receipts $when', ({ prepare }) => {
  /** The positions told, each once: an event may come again. */
  async function toldOf(group: ReceiptsGroup): Promise<Json[]> {
    const details = await group.details('GroupFullyRead');
    for (const detail of details) {
      expect(detail).toEqual({ version: '1', groupId: group.groupId, upTo: detail.upTo });
    }
    return [...new Set(details.map(({ upTo }) => upTo ?? null))].toSorted();
  }

  const expectTold = (group: ReceiptsGroup, ...positions: string[]) =>
    eventually(async () => expect(await toldOf(group)).toEqual(positions));

  test('is fully read up to where its last laggard is', async () => {
    const group = await aChat();
    await group.reads('bob', '9');
    await prepare(group);
    await group.reads('carol', '2');
    await expectTold(group, '2');
    await group.reads('carol', '9');
    await expectTold(group, '2', '9');
    await group.record('alice', '91', '92');
    await group.reads('carol', '92');
    await group.reads('bob', '91');
    await expectTold(group, '2', '9', '91');
  });

  test('is fully read when its laggard leaves', async () => {
    const group = await aChat();
    await group.reads('bob', '7');
    await prepare(group);
    await group.leave('carol');
    await expectTold(group, '7');
  });

  test('is read no further when another leaves', async () => {
    const group = await aChat();
    await group.reads('bob', '7');
    await group.reads('carol', '2');
    await expectTold(group, '2');
    await prepare(group);
    await group.leave('bob');
    await group.reads('carol', '3');
    await expectTold(group, '2', '3');
  });

  test('of two is fully read when the other one has read it', async () => {
    const group = await stack.groupOf('alice', 'bob');
    await group.record('alice', '1', '2');
    await prepare(group);
    await group.reads('bob', '2');
    await expectTold(group, '2');
    await group.record('bob', '3');
    await group.reads('alice', '3');
    await expectTold(group, '2', '3');
  });

  test('is not fully read by private reads and deliveries', async () => {
    const group = await stack.groupOf('alice', 'bob');
    await group.record('alice', '1', '2', '3');
    await prepare(group);
    await group.readsPrivately('bob', '3');
    await expectEvents(group, 'OwnWatermarkMoved', { messageId: '3', revision: 0, readAt: A_TIME });
    await group.getsDelivered('bob', '3');
    await expectEvents(group, 'DeliveryAdvanced', { from: null, to: '3', at: A_TIME });
    await group.reads('bob', '1');
    await expectTold(group, '1');
    await group.reads('bob', '2');
    await expectTold(group, '1', '2');
  });

  test('is held up by nobody who joined late', async () => {
    const group = await aChat();
    await group.reads('bob', '9');
    await group.join('dave');
    await prepare(group);
    await group.reads('carol', '8');
    await expectTold(group, '8');
    await group.reads('carol', '9');
    await expectTold(group, '8', '9');
  });

  test('of many is fully read once the very last one has read it', async () => {
    const group = await stack.groupOf('alice', 'zoe');
    await group.record('alice', '1', '2');
    const others = Array.from({ length: 120 }, (_, index) => `member-${index}`);
    for (const userIds of [others.slice(0, 60), others.slice(60)]) {
      await stack.asService('POST', `/v1/groups/${group.groupId}/members`, { userIds });
    }
    await prepare(group);
    await group.reads('zoe', '1');
    await expectTold(group, '1');
    await group.reads('zoe', '2');
    await expectTold(group, '1', '2');
  });

  test('is told with ids of 64 bits', async () => {
    const group = await stack.groupOf('alice', 'bob');
    await group.record('alice', '9007199254740992', '9007199254740993', MAX);
    await prepare(group);
    await group.reads('bob', '9007199254740993');
    await expectTold(group, '9007199254740993');
    await group.reads('bob', MAX);
    await expectTold(group, MAX, '9007199254740993');
  });
});
