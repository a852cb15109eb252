import { describe, expect, test } from '@jest/globals';
import { exactly, LARGEST_ID, NONE_UNREAD } from '../support/expected-answers.ts';
import { type ReceiptsGroup, withReceiptsStack } from '../support/receipts-group.ts';

const stack = withReceiptsStack();

describe.each([
  // Loads the receipts into the cache, so that later changes are merged into them.
  { when: 'from the first message on', isAskedBefore: true },
  { when: 'only afterwards', isAskedBefore: false },
])('if receipts are read $when', ({ isAskedBefore }) => {
  async function groupOf(...userIds: [string, ...string[]]): Promise<ReceiptsGroup> {
    const group = await stack.groupOf(...userIds);
    if (isAskedBefore) await group.expectReceipts(userIds[0], { '1': null });
    return group;
  }

  describe('a late joiner', () => {
    test('is neither a reader nor a non-reader of earlier messages', async () => {
      const group = await groupOf('alice', 'bob');
      await group.record('alice', '1', '2');
      await group.reads('bob', '1');
      await group.join('carol');
      await group.record('alice', '3');
      const before = {
        '1': { sender: 'alice', read: ['bob'], unread: [], delivered: ['bob'] },
        '2': { sender: 'alice', read: [], unread: ['bob'], delivered: [] },
      };
      await group.inEveryCache(() =>
        group.expectReceipts('carol', {
          ...before,
          '3': { sender: 'alice', read: [], unread: ['bob', 'carol'], delivered: [] },
        }),
      );
      await group.reads('carol', LARGEST_ID);
      await group.inEveryCache(() =>
        group.expectReceipts('alice', {
          ...before,
          '3': { sender: 'alice', read: ['carol'], unread: ['bob'], delivered: ['carol'] },
        }),
      );
    });

    test('is neither for a message that is recorded later with a lower id', async () => {
      const group = await groupOf('alice', 'bob');
      await group.record('alice', '30');
      await group.join('carol');
      await group.record('alice', '20', '40');
      await group.reads('carol', '40');
      await group.inEveryCache(() =>
        group.expectReceipts('alice', {
          '20': { sender: 'alice', read: [], unread: ['bob'], delivered: [] },
          '30': { sender: 'alice', read: [], unread: ['bob'], delivered: [] },
          '40': { sender: 'alice', read: ['carol'], unread: ['bob'], delivered: ['carol'] },
        }),
      );
    });

    test('is not in the audience: a message is read by all once the others have read it', async () => {
      const group = await groupOf('alice', 'bob');
      await group.record('alice', '1');
      await group.reads('bob', '1');
      await group.join('carol');
      await group.getsDelivered('carol', '1');
      await group.inEveryCache(() =>
        group.expectReceipts('carol', {
          '1': { sender: 'alice', read: ['bob'], unread: [], delivered: ['bob'] },
        }),
      );
    });

    test('gives no audience to older messages after all earlier members have left', async () => {
      const group = await groupOf('alice', 'bob');
      await group.record('alice', '1');
      await group.join('carol');
      await group.leave('bob');
      await group.inEveryCache(() =>
        group.expectReceipts('carol', { '1': { sender: 'alice', read: [], unread: [], delivered: [] } }),
      );
    });
  });

  describe('a rejoined member', () => {
    test('does not keep the old watermark', async () => {
      const group = await groupOf('alice', 'bob', 'carol');
      await group.record('alice', '1', '2', '3');
      await group.reads('bob', '3');
      await group.reads('carol', '1');
      await group.leave('bob');
      await group.join('bob');
      await group.record('alice', '4');
      await group.inEveryCache(() =>
        group.expectReceipts('bob', {
          '1': { sender: 'alice', read: ['carol'], unread: [], delivered: ['carol'] },
          '3': { sender: 'alice', read: [], unread: ['carol'], delivered: [] },
          '4': { sender: 'alice', read: [], unread: ['bob', 'carol'], delivered: [] },
        }),
      );
      await group.reads('bob', '4');
      await group.inEveryCache(() =>
        group.expectReceipts('bob', {
          '1': { sender: 'alice', read: ['carol'], unread: [], delivered: ['carol'] },
          '3': { sender: 'alice', read: [], unread: ['carol'], delivered: [] },
          '4': { sender: 'alice', read: ['bob'], unread: ['carol'], delivered: ['bob'] },
        }),
      );
    });

    test('is not in the audience of messages that were sent in between', async () => {
      const group = await groupOf('alice', 'bob', 'carol');
      await group.record('alice', '1');
      await group.leave('bob');
      await group.record('alice', '2');
      await group.join('bob');
      await group.record('alice', '3');
      await group.reads('bob', '3');
      await group.inEveryCache(() =>
        group.expectReceipts('alice', {
          '1': { sender: 'alice', read: [], unread: ['carol'], delivered: [] },
          '2': { sender: 'alice', read: [], unread: ['carol'], delivered: [] },
          '3': { sender: 'alice', read: ['bob'], unread: ['carol'], delivered: ['bob'] },
        }),
      );
    });

    test('starts at null if nothing was sent, whatever was marked before', async () => {
      const group = await groupOf('alice', 'bob');
      await group.reads('bob', '500');
      await group.leave('bob');
      await group.join('bob');
      await group.record('alice', '1', '2');
      await group.inEveryCache(() =>
        group.expectReceipts('bob', {
          '1': { sender: 'alice', read: [], unread: ['bob'], delivered: [] },
          '2': { sender: 'alice', read: [], unread: ['bob'], delivered: [] },
        }),
      );
    });

    test('counts once, however often it rejoins', async () => {
      const group = await groupOf('alice', 'bob');
      for (const messageId of ['1', '2', '3']) {
        await group.record('alice', messageId);
        await group.reads('bob', messageId);
        await group.leave('bob');
        await group.join('bob');
        await group.join('bob');
      }
      await group.record('alice', '4');
      await group.inEveryCache(() =>
        group.expectReceipts('alice', {
          '1': { sender: 'alice', read: [], unread: [], delivered: [] },
          '3': { sender: 'alice', read: [], unread: [], delivered: [] },
          '4': { sender: 'alice', read: [], unread: ['bob'], delivered: [] },
        }),
      );
    });
  });

  describe('the sender', () => {
    test('is neither in the audience nor a reader of its own messages', async () => {
      const group = await groupOf('alice', 'bob', 'carol');
      await group.record('alice', '1');
      await group.record('bob', '2');
      await group.record('carol', '3');
      await group.inEveryCache(() =>
        group.expectReceipts('alice', {
          '1': { sender: 'alice', read: ['bob', 'carol'], unread: [], delivered: ['bob', 'carol'] },
          '2': { sender: 'bob', read: ['carol'], unread: ['alice'], delivered: ['carol'] },
          '3': { sender: 'carol', read: [], unread: ['alice', 'bob'], delivered: [] },
        }),
      );
    });

    test('that left is not subtracted again', async () => {
      const group = await groupOf('alice', 'bob', 'carol');
      await group.record('alice', '1');
      await group.reads('bob', '1');
      await group.leave('alice');
      await group.inEveryCache(() =>
        group.expectReceipts('bob', {
          '1': { sender: 'alice', read: ['bob'], unread: ['carol'], delivered: ['bob'] },
        }),
      );
    });

    test('that left and rejoined is not subtracted again', async () => {
      const group = await groupOf('alice', 'bob', 'carol');
      await group.record('alice', '1');
      await group.leave('alice');
      await group.join('alice');
      await group.reads('alice', LARGEST_ID);
      await group.reads('bob', '1');
      await group.inEveryCache(() =>
        group.expectReceipts('alice', {
          '1': { sender: 'alice', read: ['bob'], unread: ['carol'], delivered: ['bob'] },
        }),
      );
    });

    test('that joined after its message is not subtracted again', async () => {
      const group = await groupOf('alice', 'bob');
      await group.record('a-bot', '10');
      await group.join('a-bot');
      await group.record('a-bot', '5', '20');
      await group.reads('bob', '10');
      await group.inEveryCache(() =>
        group.expectReceipts('alice', {
          '5': { sender: 'a-bot', read: ['bob'], unread: ['alice'], delivered: ['bob'] },
          '10': { sender: 'a-bot', read: ['bob'], unread: ['alice'], delivered: ['bob'] },
          '20': { sender: 'a-bot', read: [], unread: ['alice', 'bob'], delivered: [] },
        }),
      );
    });

    test('that joined before the first message is subtracted once', async () => {
      const group = await groupOf('alice');
      await group.join('bob');
      await group.record('bob', '7');
      await group.record('bob', '3');
      await group.inEveryCache(() =>
        group.expectReceipts('alice', {
          '3': { sender: 'bob', read: [], unread: ['alice'], delivered: [] },
          '7': { sender: 'bob', read: [], unread: ['alice'], delivered: [] },
        }),
      );
    });
  });

  describe('a member who left', () => {
    test('is in no audience anymore, whether it had read or not', async () => {
      const group = await groupOf('alice', 'bob', 'carol', 'dave');
      await group.record('alice', '1', '2');
      await group.reads('bob', '2');
      await group.reads('carol', '1');
      await group.getsDelivered('dave', '2');
      await group.leave('bob');
      await group.inEveryCache(() =>
        group.expectReceipts('alice', {
          '1': { sender: 'alice', read: ['carol'], unread: ['dave'], delivered: ['carol', 'dave'] },
          '2': { sender: 'alice', read: [], unread: ['carol', 'dave'], delivered: ['dave'] },
        }),
      );
      await group.leave('dave');
      await group.leave('dave');
      await group.inEveryCache(() =>
        group.expectReceipts('alice', {
          '1': { sender: 'alice', read: ['carol'], unread: [], delivered: ['carol'] },
          '2': { sender: 'alice', read: [], unread: ['carol'], delivered: [] },
        }),
      );
      await group.leave('carol');
      await group.inEveryCache(() =>
        group.expectReceipts('alice', {
          '1': { sender: 'alice', read: [], unread: [], delivered: [] },
          '2': { sender: 'alice', read: [], unread: [], delivered: [] },
        }),
      );
    });

    test('is not in the audience of a later message', async () => {
      const group = await groupOf('alice', 'bob', 'carol');
      await group.record('alice', '1');
      await group.leave('bob');
      await group.record('alice', '2');
      await group.inEveryCache(() =>
        group.expectReceipts('alice', {
          '2': { sender: 'alice', read: [], unread: ['carol'], delivered: [] },
        }),
      );
    });

    test('without having been one changes nothing', async () => {
      const group = await groupOf('alice', 'bob');
      await group.record('alice', '1');
      await group.leave('eve');
      await group.inEveryCache(() =>
        group.expectReceipts('alice', {
          '1': { sender: 'alice', read: [], unread: ['bob'], delivered: [] },
        }),
      );
    });
  });

  describe('a deleted message', () => {
    async function aChat() {
      const group = await groupOf('alice', 'bob', 'carol');
      await group.record('alice', '1', '2', '3', '4');
      await group.record('carol', '5');
      await group.reads('bob', '2');
      return group;
    }

    const unreadOf = async (group: ReceiptsGroup, userId: string) =>
      ((await group.readView(userId)).body as { unread: unknown }).unread;

    const OF_THE_OTHERS = {
      '1': { sender: 'alice', read: ['bob', 'carol'], unread: [], delivered: ['bob', 'carol'] },
      '4': { sender: 'alice', read: ['carol'], unread: ['bob'], delivered: ['carol'] },
      '5': { sender: 'carol', read: [], unread: ['alice', 'bob'], delivered: [] },
    };

    test('has no receipts, and does not change those of others', async () => {
      const group = await aChat();
      const unchanged = async () => {
        await group.expectReceipts('bob', { ...OF_THE_OTHERS, '2': null, '3': null });
        expect(await unreadOf(group, 'bob')).toEqual({ count: 2, mentions: 0, firstId: '4', exact: true });
      };
      await group.remove('2');
      await group.remove('3');
      await group.inEveryCache(unchanged);
      await group.remove('2');
      await group.remove('3');
      await group.inEveryCache(unchanged);
    });

    test('never raises an unread count', async () => {
      const group = await aChat();
      const counts = () => Promise.all(['alice', 'bob', 'carol'].map((userId) => unreadOf(group, userId)));
      await group.inEveryCache(async () => {
        expect(await counts()).toEqual([exactly(1, '5'), exactly(3, '3'), NONE_UNREAD]);
        await group.expectReceipts('bob', { '99': null });
      });
      // A read one; an unread one; one that only its sender has not read; an unknown one; the head; all of them again.
      for (const [messageId, ...expected] of [
        ['1', exactly(1, '5'), exactly(3, '3')],
        ['3', exactly(1, '5'), exactly(2, '4')],
        ['2', exactly(1, '5'), exactly(2, '4')],
        ['99', exactly(1, '5'), exactly(2, '4')],
        ['5', NONE_UNREAD, exactly(1, '4')],
        ['3', NONE_UNREAD, exactly(1, '4')],
        ['4', NONE_UNREAD, NONE_UNREAD],
      ] as const) {
        await group.remove(messageId);
        await group.inEveryCache(async () => {
          expect(await counts()).toEqual([...expected, NONE_UNREAD]);
          await group.expectReceipts('bob', { [messageId]: null });
        });
      }
    });

    test('stays deleted when it is recorded again', async () => {
      const group = await aChat();
      await group.remove('3');
      await stack.asService('POST', `/v1/groups/${group.groupId}/messages`, {
        messageId: '3',
        senderId: 'alice',
      });
      await group.inEveryCache(async () => {
        await group.expectReceipts('bob', { ...OF_THE_OTHERS, '3': null });
        expect(await unreadOf(group, 'bob')).toEqual({ count: 2, mentions: 0, firstId: '4', exact: true });
      });
    });

    test('that is recorded after its deletion has no receipts', async () => {
      const group = await groupOf('alice', 'bob');
      await group.record('alice', '1', '3');
      const eventIds = await stack.running.putFacts([
        { detailType: 'MessageDeleted', detail: { groupId: group.groupId, messageId: '2' } },
        {
          detailType: 'MessageSent',
          detail: { groupId: group.groupId, messageId: '2', senderId: 'alice' },
        },
      ]);
      await stack.running.factsApplied(eventIds);
      await group.inEveryCache(async () => {
        await group.expectReceipts('bob', {
          '1': { sender: 'alice', read: [], unread: ['bob'], delivered: [] },
          '2': null,
          '3': { sender: 'alice', read: [], unread: ['bob'], delivered: [] },
        });
        expect(await unreadOf(group, 'bob')).toEqual({ count: 2, mentions: 0, firstId: '1', exact: true });
      });
    });
  });
});
