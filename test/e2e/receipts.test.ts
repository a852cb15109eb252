import { describe, expect, test } from '@jest/globals';
import { eventually, freshPrefix } from '../support/engines.ts';
import { A_TIME, expectAnswer, expectNotFound, LARGEST_ID } from '../support/expected-answers.ts';
import { type ReceiptsGroup, sortedByUser, withReceiptsStack } from '../support/receipts-group.ts';
import type { Json } from '../support/running-stack.ts';

const stack = withReceiptsStack();

/** Alice has sent 1 to 3; Bob has read 2, Carol has received 3, and Dave has done nothing. */
async function aChat(): Promise<ReceiptsGroup> {
  const group = await stack.groupOf('alice', 'bob', 'carol', 'dave');
  await group.record('alice', '1', '2', '3');
  await group.reads('bob', '2');
  await group.getsDelivered('carol', '3');
  return group;
}

const OF_CHAT = {
  '1': { sender: 'alice', read: ['bob'], unread: ['carol', 'dave'], delivered: ['bob', 'carol'] },
  '2': { sender: 'alice', read: ['bob'], unread: ['carol', 'dave'], delivered: ['bob', 'carol'] },
  '3': { sender: 'alice', read: [], unread: ['bob', 'carol', 'dave'], delivered: ['carol'] },
};

async function readAtOf(group: ReceiptsGroup, userId: string): Promise<string> {
  return ((await group.readView(userId)).body as { readAt: string }).readAt;
}

describe('the receipts of one message', () => {
  test('list who has read it, and when', async () => {
    const group = await aChat();
    const readAt = await readAtOf(group, 'bob');
    const expected = {
      groupId: group.groupId,
      messageId: '2',
      senderId: 'alice',
      audience: 3,
      readCount: 1,
      deliveredCount: 2,
      members: [{ userId: 'bob', at: readAt }],
      cursor: null,
    };
    await group.inEveryCache(async () => {
      expectAnswer(await group.receipts('alice', '2'), 200, expected);
      expectAnswer(await group.receipts('alice', '2', '?state=read'), 200, expected);
    });
  });

  test('list who has not read it, with null if the member has read nothing', async () => {
    const group = await aChat();
    await group.inEveryCache(async () => {
      const answer = await group.receipts('alice', '2', '?state=unread');
      expectAnswer({ ...answer, body: sortedByUser(answer) }, 200, {
        groupId: group.groupId,
        messageId: '2',
        senderId: 'alice',
        audience: 3,
        readCount: 1,
        deliveredCount: 2,
        members: [
          { userId: 'carol', at: null },
          { userId: 'dave', at: null },
        ],
        cursor: null,
      });
    });
  });

  test('list who has received it, and when: reading is delivery', async () => {
    const group = await aChat();
    const readAt = await readAtOf(group, 'bob');
    await group.inEveryCache(async () => {
      const answer = await group.receipts('alice', '2', '?state=delivered');
      expectAnswer({ ...answer, body: sortedByUser(answer) }, 200, {
        groupId: group.groupId,
        messageId: '2',
        senderId: 'alice',
        audience: 3,
        readCount: 1,
        deliveredCount: 2,
        members: [
          { userId: 'bob', at: readAt },
          { userId: 'carol', at: A_TIME },
        ],
        cursor: null,
      });
    });
  });

  test('are the same for every member', async () => {
    const group = await aChat();
    await group.inEveryCache(async () => {
      for (const member of ['alice', 'bob', 'carol', 'dave']) await group.expectReceipts(member, OF_CHAT);
    });
  });

  test('change with each later mark', async () => {
    const group = await aChat();
    await group.inEveryCache(() => group.expectReceipts('alice', OF_CHAT));
    await group.reads('dave', '1');
    await group.reads('carol', '3');
    await group.reads('bob', '3');
    await group.inEveryCache(() =>
      group.expectReceipts('alice', {
        '1': {
          sender: 'alice',
          read: ['bob', 'carol', 'dave'],
          unread: [],
          delivered: ['bob', 'carol', 'dave'],
        },
        '2': { sender: 'alice', read: ['bob', 'carol'], unread: ['dave'], delivered: ['bob', 'carol'] },
        '3': { sender: 'alice', read: ['bob', 'carol'], unread: ['dave'], delivered: ['bob', 'carol'] },
      }),
    );
  });

  test('are not found if it was never recorded, or was deleted', async () => {
    const group = await aChat();
    await group.remove('2');
    await group.inEveryCache(async () => {
      for (const messageId of ['2', '4', '99', LARGEST_ID]) {
        for (const state of ['read', 'unread', 'delivered']) {
          expectNotFound(await group.receipts('alice', messageId, `?state=${state}`));
        }
      }
    });
  });

  test('are not found by non-members and former members, nor in a group that does not exist', async () => {
    const group = await aChat();
    await group.leave('dave');
    const nowhere = `/v1/groups/${freshPrefix('g')}`;
    await stack.withAndWithoutCache(async () => {
      for (const userId of ['eve', 'dave']) {
        expectNotFound(await group.receipts(userId, '1'));
        expectNotFound(await group.counts(userId, '1'));
      }
      expectNotFound(await stack.asUser('alice', 'GET', `${nowhere}/messages/1/receipts`));
      expectNotFound(await stack.asUser('alice', 'POST', `${nowhere}/receipts`, { messageIds: ['1'] }));
    });
  });
});

describe('the receipts of several messages', () => {
  test('come in the order of the request, repeated ids included, as strings', async () => {
    const group = await aChat();
    await group.remove('2');
    const path = `/v1/groups/${group.groupId}/receipts`;
    const first = {
      messageId: '1',
      known: true,
      audience: 3,
      readCount: 1,
      deliveredCount: 2,
      readByAll: false,
    };
    const third = {
      messageId: '3',
      known: true,
      audience: 3,
      readCount: 0,
      deliveredCount: 1,
      readByAll: false,
    };
    await group.inEveryCache(async () => {
      const answer = await stack.asUser('dave', 'POST', path, '{"messageIds":[3,"1",2,"99","3"]}');
      expectAnswer(answer, 200, {
        groupId: group.groupId,
        receipts: [third, first, { messageId: '2', known: false }, { messageId: '99', known: false }, third],
      });
    });
  });

  test('can be of a hundred messages', async () => {
    const group = await stack.groupOf('alice', 'bob', 'carol');
    const ascending = Array.from({ length: 100 }, (_, index) => index + 1);
    await Promise.all(ascending.map((id) => group.record('alice', String(id))));
    await group.reads('bob', '70');
    await group.reads('carol', '30');
    await group.getsDelivered('carol', '90');
    const messageIds = ascending.toReversed().map(String);
    const receipts = messageIds.map((messageId) => {
      const known = { messageId, known: true, audience: 2 };
      const id = Number(messageId);
      if (id > 90) return { ...known, readCount: 0, deliveredCount: 0, readByAll: false };
      if (id > 70) return { ...known, readCount: 0, deliveredCount: 1, readByAll: false };
      if (id > 30) return { ...known, readCount: 1, deliveredCount: 2, readByAll: false };
      return { ...known, readCount: 2, deliveredCount: 2, readByAll: true };
    });
    await group.inEveryCache(async () =>
      expectAnswer(await group.counts('alice', ...messageIds), 200, { groupId: group.groupId, receipts }),
    );
  });

  test('are unknown if nothing is recorded', async () => {
    const group = await stack.groupOf('alice', 'bob');
    await group.reads('bob', '5');
    await group.inEveryCache(() =>
      group.expectReceipts('alice', { '1': null, '5': null, [LARGEST_ID]: null }),
    );
  });
});

describe('a message is read by all', () => {
  test('once the last member of its audience has read it', async () => {
    const group = await stack.groupOf('alice', 'bob', 'carol');
    await group.record('alice', '1');
    const readByAll = async () => {
      const { receipts } = (await group.counts('alice', '1')).body as { receipts: Json[] };
      return (receipts[0] as { readByAll: boolean }).readByAll;
    };
    await group.inEveryCache(async () => expect(await readByAll()).toBe(false));
    await group.reads('bob', '1');
    await group.inEveryCache(async () => expect(await readByAll()).toBe(false));
    await group.reads('carol', '1');
    await group.inEveryCache(async () => expect(await readByAll()).toBe(true));
  });

  test('never without an audience', async () => {
    const group = await stack.groupOf('alice');
    await group.record('alice', '1');
    await group.inEveryCache(async () => {
      expectAnswer(await group.counts('alice', '1'), 200, {
        groupId: group.groupId,
        receipts: [
          { messageId: '1', known: true, audience: 0, readCount: 0, deliveredCount: 0, readByAll: false },
        ],
      });
      for (const state of ['read', 'unread', 'delivered']) {
        expectAnswer(await group.receipts('alice', '1', `?state=${state}`), 200, {
          groupId: group.groupId,
          messageId: '1',
          senderId: 'alice',
          audience: 0,
          readCount: 0,
          deliveredCount: 0,
          members: [],
          cursor: null,
        });
      }
    });
  });

  test('in a group of two once the other member has read it', async () => {
    const group = await stack.groupOf('alice', 'bob');
    await group.record('alice', '1');
    await group.record('bob', '2');
    await group.inEveryCache(() =>
      group.expectReceipts('alice', {
        '1': { sender: 'alice', read: ['bob'], unread: [], delivered: ['bob'] },
        '2': { sender: 'bob', read: [], unread: ['alice'], delivered: [] },
      }),
    );
    await group.reads('alice', '2');
    await group.inEveryCache(() =>
      group.expectReceipts('bob', {
        '1': { sender: 'alice', read: ['bob'], unread: [], delivered: ['bob'] },
        '2': { sender: 'bob', read: ['alice'], unread: [], delivered: ['alice'] },
      }),
    );
  });
});

describe('ids of 64 bits', () => {
  test.each([
    ['9007199254740992', '9007199254740993', '9007199254740994'],
    ['18446744073709551613', '18446744073709551614', '18446744073709551615'],
    ['9', '10', '100'],
  ])('%s, %s and %s have different receipts', async (low, middle, high) => {
    const group = await stack.groupOf('alice', 'bob', 'carol');
    await group.record('alice', low, middle, high);
    await group.reads('bob', middle);
    await group.reads('carol', low);
    await group.getsDelivered('carol', high);
    await group.inEveryCache(async () => {
      await group.expectReceipts('bob', {
        [low]: { sender: 'alice', read: ['bob', 'carol'], unread: [], delivered: ['bob', 'carol'] },
        [middle]: { sender: 'alice', read: ['bob'], unread: ['carol'], delivered: ['bob', 'carol'] },
        [high]: { sender: 'alice', read: [], unread: ['bob', 'carol'], delivered: ['carol'] },
      });
    });
    await group.remove(middle);
    await group.inEveryCache(() =>
      group.expectReceipts('bob', {
        [low]: { sender: 'alice', read: ['bob', 'carol'], unread: [], delivered: ['bob', 'carol'] },
        [middle]: null,
        [high]: { sender: 'alice', read: [], unread: ['bob', 'carol'], delivered: ['carol'] },
      }),
    );
  });
});

test('messages recorded out of order are read by members whose watermark is above them', async () => {
  const group = await stack.groupOf('alice', 'bob', 'carol');
  await group.record('alice', '50');
  await group.reads('bob', '50');
  await group.inEveryCache(() =>
    group.expectReceipts('alice', {
      '50': { sender: 'alice', read: ['bob'], unread: ['carol'], delivered: ['bob'] },
    }),
  );
  await group.record('carol', '20');
  await group.record('alice', '30', '10');
  await group.inEveryCache(() =>
    group.expectReceipts('carol', {
      '10': { sender: 'alice', read: ['bob', 'carol'], unread: [], delivered: ['bob', 'carol'] },
      '20': { sender: 'carol', read: ['alice', 'bob'], unread: [], delivered: ['alice', 'bob'] },
      '30': { sender: 'alice', read: ['bob'], unread: ['carol'], delivered: ['bob'] },
      '50': { sender: 'alice', read: ['bob'], unread: ['carol'], delivered: ['bob'] },
    }),
  );
});

describe('the members of a receipt', () => {
  const numbered = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, index) => `u${String(from + index).padStart(2, '0')}`);

  /** u01 to u25 are Alice's audience: 8 have read 40, 4 have read 10, 6 have received everything, 7 have done nothing. */
  async function aLargeChat(): Promise<ReceiptsGroup> {
    const group = await stack.groupOf('alice', ...numbered(1, 25));
    await group.record('alice', '10', '20', '30', '40');
    await Promise.all([
      ...numbered(1, 8).map((userId) => group.reads(userId, '40')),
      ...numbered(9, 12).map((userId) => group.reads(userId, '10')),
      ...numbered(13, 18).map((userId) => group.getsDelivered(userId, '40')),
    ]);
    return group;
  }

  const LISTS = {
    read: numbered(1, 8),
    unread: numbered(9, 25),
    delivered: [...numbered(1, 8), ...numbered(13, 18)],
  };

  /** All pages of a list, each as the whole answer. `between` is called after each page. */
  async function pagesOf(
    group: ReceiptsGroup,
    messageId: string,
    state: string,
    limit: number,
    between: () => Promise<void> = async () => {},
  ) {
    const pages: { members: { userId: string; at: string | null }[]; cursor: string | null }[] = [];
    let cursor: string | null = null;
    do {
      const next = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const answer = await group.receipts('alice', messageId, `?state=${state}&limit=${limit}${next}`);
      const page = answer.body as unknown as (typeof pages)[number];
      expectAnswer(answer, 200, {
        groupId: group.groupId,
        messageId,
        senderId: 'alice',
        audience: 25,
        readCount: 8,
        deliveredCount: 14,
        members: page.members,
        cursor: page.cursor,
      });
      pages.push(page);
      cursor = page.cursor;
      await between();
    } while (cursor !== null && pages.length <= 30);
    expect(cursor).toBe(null);
    expect(pages.every(({ members }) => members.length <= limit)).toBe(true);
    return pages.flatMap(({ members }) => members.map(({ userId }) => userId));
  }

  test('are listed page by page, each once', async () => {
    const group = await aLargeChat();
    await group.inEveryCache(async () => {
      for (const [state, userIds] of Object.entries(LISTS)) {
        for (const limit of [1, 3, 8, 17, 100]) {
          expect((await pagesOf(group, '30', state, limit)).toSorted()).toEqual(userIds);
        }
      }
    });
  });

  test('are listed once each, also if the cache is emptied between two pages', async () => {
    const group = await aLargeChat();
    for (const [state, userIds] of Object.entries(LISTS)) {
      const found = await pagesOf(group, '20', state, 4, stack.emptyCache);
      expect(found.toSorted()).toEqual(userIds);
    }
  });

  test('are a hundred on a page without a limit', async () => {
    const group = await stack.groupOf('alice', ...numbered(1, 99));
    await stack.asService('POST', `/v1/groups/${group.groupId}/members`, { userIds: ['more-1', 'more-2'] });
    await group.record('alice', '1');
    await group.inEveryCache(async () => {
      const first = await group.receipts('alice', '1', '?state=unread');
      expect(first.body).toMatchObject({ audience: 101, readCount: 0, deliveredCount: 0 });
      const { members, cursor } = first.body as { members: { userId: string }[]; cursor: string };
      expect(members).toHaveLength(100);
      const rest = await group.receipts('alice', '1', `?state=unread&cursor=${encodeURIComponent(cursor)}`);
      const last = rest.body as { members: { userId: string }[]; cursor: null };
      expect(last.cursor).toBe(null);
      const found = [...members, ...last.members].map(({ userId }) => userId);
      expect(found.toSorted()).toEqual(['more-1', 'more-2', ...numbered(1, 99)]);
    });
  });

  test('are all in one page of up to five hundred', async () => {
    const group = await stack.groupOf('alice', ...numbered(1, 99));
    await stack.asService('POST', `/v1/groups/${group.groupId}/members`, { userIds: ['more-1', 'more-2'] });
    await group.record('alice', '1');
    await group.inEveryCache(async () => {
      const answer = await group.receipts('alice', '1', '?state=unread&limit=500');
      const { members, cursor } = answer.body as { members: { userId: string }[]; cursor: null };
      expect(cursor).toBe(null);
      expect(members.map(({ userId }) => userId).toSorted()).toEqual([
        'more-1',
        'more-2',
        ...numbered(1, 99),
      ]);
    });
  });
});

test('in a group of five hundred, one call lists the readers and one call the others', async () => {
  const members = Array.from({ length: 498 }, (_, index) => `member-${index}`);
  const group = await stack.groupOf('alice', 'bob');
  for (let start = 0; start < members.length; start += 100) {
    await stack.asService('POST', `/v1/groups/${group.groupId}/members`, {
      userIds: members.slice(start, start + 100),
    });
  }
  await group.record('alice', '1');
  await group.reads('bob', '1');
  const pageOf = async (state: string) => {
    const answer = await group.receipts('alice', '1', `?state=${state}&limit=500`);
    return answer.body as { members: { userId: string }[]; cursor: null };
  };
  const unread = await pageOf('unread');
  expect(unread.cursor).toBe(null);
  expect(unread.members.map(({ userId }) => userId).toSorted()).toEqual(members.toSorted());
  const read = await pageOf('read');
  expect(read.cursor).toBe(null);
  expect(read.members).toMatchObject([{ userId: 'bob' }]);
});

describe('a sender', () => {
  test('that is not a member does not lower the audience', async () => {
    const group = await stack.groupOf('alice', 'bob');
    await group.record('a-bot', '1');
    await group.reads('bob', '1');
    await group.inEveryCache(() =>
      group.expectReceipts('alice', {
        '1': { sender: 'a-bot', read: ['bob'], unread: ['alice'], delivered: ['bob'] },
      }),
    );
  });

  test('of a message recorded twice is the first sender', async () => {
    const group = await stack.groupOf('alice', 'bob');
    await group.record('alice', '1');
    await group.record('alice', '1');
    await group.inEveryCache(() =>
      group.expectReceipts('bob', { '1': { sender: 'alice', read: [], unread: ['bob'], delivered: [] } }),
    );
  });
});

test('a receipt keeps the time of the first reading', async () => {
  const group = await aChat();
  const readAt = await readAtOf(group, 'bob');
  await eventually(() => expect(new Date().toISOString() > readAt).toBe(true));
  await group.reads('bob', '2');
  await group.reads('bob', '1');
  await group.inEveryCache(async () =>
    expect((await group.receipts('alice', '2')).body).toMatchObject({
      members: [{ userId: 'bob', at: readAt }],
    }),
  );
});
