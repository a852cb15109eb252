import { describe, expect, test } from '@jest/globals';
import { freshPrefix } from '../support/engines.ts';
import {
  A_TIME,
  exactly,
  expectAnswer,
  LARGEST_ID,
  NONE_UNREAD,
  NOTHING_CHOSEN,
} from '../support/expected-answers.ts';
import { aNineMessageChat, expectEventsOfBob, shownOfBob } from '../support/nine-message-chat.ts';
import { type ReceiptsGroup, withReceiptsStack } from '../support/receipts-group.ts';
import type { Json } from '../support/running-stack.ts';

const stack = withReceiptsStack();

const aChat = () => aNineMessageChat(stack);

const markAll = (userId: string, marks: Json[]) => stack.asUser(userId, 'POST', '/v1/watermarks', { marks });

describe('a batch of marks', () => {
  test('has an outcome for each mark, in the order of the request', async () => {
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
      { groupId: quiet.groupId, messageId: LARGEST_ID },
      { groupId: left.groupId, messageId: '1' },
      { groupId: one.groupId, messageId: LARGEST_ID },
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
    expect((await one.readView('bob')).body).toMatchObject({ messageId: '9', unread: NONE_UNREAD });
    expect((await other.readView('bob')).body).toMatchObject({ messageId: '5', unread: exactly(4, '6') });
    await expectEventsOfBob(one, 'WatermarkAdvanced', {
      from: null,
      to: '9',
      readAt: A_TIME,
      ownRevision: 0,
    });
    // In a group without messages the largest id marks nothing.
    expect(await quiet.eventTypes('bob')).toEqual([]);
  });

  test('applies several marks of one group one after the other', async () => {
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
    expect((await group.readView('bob')).body).toMatchObject({ messageId: '5', unread: exactly(4, '6') });
  });

  test('can have private marks', async () => {
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
        expect((await group.readView('bob')).body).toMatchObject({ messageId: '5', unread: exactly(4, '6') });
      }
      expect(await shownOfBob(open)).toBe('5');
      expect(await shownOfBob(hidden)).toBe(null);
      expect(await shownOfBob(both)).toBe('2');
    });
    const own = { messageId: '5', revision: 0, readAt: A_TIME };
    await expectEventsOfBob(hidden, 'OwnWatermarkMoved', own);
    await expectEventsOfBob(open, 'WatermarkAdvanced', {
      from: null,
      to: '5',
      readAt: A_TIME,
      ownRevision: 0,
    });
    await expectEventsOfBob(both, 'WatermarkAdvanced', {
      from: null,
      to: '2',
      readAt: A_TIME,
      ownRevision: null,
    });
    await expectEventsOfBob(both, 'OwnWatermarkMoved', own);
    expect(await hidden.eventTypes('bob')).toEqual(['OwnWatermarkMoved']);
    expect(await open.eventTypes('bob')).toEqual(['WatermarkAdvanced']);
  });

  test('can have a hundred groups', async () => {
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
        unread: { count: 0, mentions: 0, firstId: null, exact: true },
        ...NOTHING_CHOSEN,
      })),
    );
  });

  test('can have JSON integers as ids', async () => {
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

  async function expectInbox(userId: string, views: Record<string, unknown>[], query = '') {
    const groups = views.map((view) => ({ ...NOTHING_CHOSEN, ...view }));
    await stack.withAndWithoutCache(async () =>
      expectAnswer(await inbox(userId, query), 200, { groups, cursor: null }),
    );
  }

  /** Groups of this user and Alice, whose ids have a common prefix. `messages` has the number of Alice's messages in each. */
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

  test('has the own view of each group', async () => {
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
      { groupId: marked.groupId, messageId: '3', head: '4', revision: 0, unread: exactly(1, '4') },
      { groupId: unmarked.groupId, messageId: null, head: '3', revision: 0, unread: exactly(3, '1') },
      { groupId: back.groupId, messageId: '1', head: '4', revision: 1, unread: exactly(3, '2') },
      { groupId: hidden.groupId, messageId: '4', head: '4', revision: 0, unread: NONE_UNREAD },
      {
        groupId: empty.groupId,
        messageId: null,
        head: null,
        revision: 0,
        unread: { count: 0, mentions: 0, firstId: null, exact: true },
      },
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

  test('can list only the groups with unread messages', async () => {
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
      { groupId: first.groupId, messageId: null, head: '2', revision: 0, unread: exactly(2, '1') },
      { groupId: fourth.groupId, messageId: '1', head: '2', revision: 0, unread: exactly(1, '2') },
      { groupId: sixth.groupId, messageId: null, head: '2', revision: 1, unread: exactly(2, '1') },
    ];
    await expectInbox(userId, unread, '?unreadOnly=true');
    const all = (await inbox(userId, '?unreadOnly=false')).body as { groups: Json[] };
    expect(all.groups).toHaveLength(6);
    const unreadIds = [first.groupId, fourth.groupId, sixth.groupId];
    for (const limit of [1, 2, 3]) {
      expect(await pagesOf(userId, `unreadOnly=true&limit=${limit}`, limit)).toEqual(unreadIds);
    }
  });

  test('no longer has a group after leaving it', async () => {
    const userId = freshPrefix('u');
    const [stays, left] = (await groupsOf(userId, { '-1': 1, '-2': 1 })) as [ReceiptsGroup, ReceiptsGroup];
    await left.reads(userId, '1');
    await left.leave(userId);
    const ofFirst = {
      groupId: stays.groupId,
      messageId: null,
      head: '1',
      revision: 0,
      unread: exactly(1, '1'),
    };
    await expectInbox(userId, [ofFirst]);
    await expectInbox(userId, [ofFirst], '?unreadOnly=true');
    await left.record('alice', '2');
    await left.join(userId);
    await expectInbox(userId, [
      ofFirst,
      {
        ...{ groupId: left.groupId, messageId: '2', head: '2', unread: NONE_UNREAD },
        // Both begin again above all that they were before.
        ...{ revision: expect.any(Number), preferencesRevision: expect.any(Number) },
      },
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
      { groupId: mine.groupId, messageId: null, head: '4', revision: 1, unread: exactly(3, '1') },
      { groupId: thinned.groupId, messageId: null, head: '4', revision: 0, unread: exactly(2, '1') },
      { groupId: gone.groupId, messageId: null, head: '2', revision: 0, unread: NONE_UNREAD },
    ]);
    await expectInbox(
      userId,
      [
        { groupId: mine.groupId, messageId: null, head: '4', revision: 1, unread: exactly(3, '1') },
        { groupId: thinned.groupId, messageId: null, head: '4', revision: 0, unread: exactly(2, '1') },
      ],
      '?unreadOnly=true',
    );
  });

  test('counts only messages after the point of joining', async () => {
    const userId = freshPrefix('u');
    const group = await aChat();
    await group.join(userId);
    const { groupId } = group;
    await expectInbox(userId, [{ groupId, messageId: '9', head: '9', revision: 0, unread: NONE_UNREAD }]);
    await group.record('alice', '10');
    await expectInbox(userId, [
      { groupId, messageId: '9', head: '10', revision: 0, unread: exactly(1, '10') },
    ]);
  });

  test('has ids of 64 bits', async () => {
    const userId = freshPrefix('u');
    const group = await stack.groupOf('alice', userId);
    await group.record('alice', '9007199254740992', '9007199254740993', '18446744073709551614', LARGEST_ID);
    await group.reads(userId, '9007199254740993');
    const { groupId } = group;
    await expectInbox(userId, [
      {
        groupId,
        messageId: '9007199254740993',
        head: LARGEST_ID,
        revision: 0,
        unread: exactly(2, '18446744073709551614'),
      },
    ]);
  });
});
