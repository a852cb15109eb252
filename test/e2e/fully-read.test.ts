import { describe, expect, test } from '@jest/globals';
import { eventually } from '../support/engines.ts';
import { A_TIME, LARGEST_ID } from '../support/expected-answers.ts';
import { aNineMessageChat, expectEventsOfBob } from '../support/nine-message-chat.ts';
import { type ReceiptsGroup, withReceiptsStack } from '../support/receipts-group.ts';
import type { Json } from '../support/running-stack.ts';

const stack = withReceiptsStack();

const aChat = () => aNineMessageChat(stack);

describe.each([
  { when: 'were never read', prepare: async () => {} },
  {
    when: 'were read',
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
])('GroupFullyRead of a group whose receipts $when', ({ prepare }) => {
  /** The published positions, without repetitions: an event may come again. */
  async function publishedOf(group: ReceiptsGroup): Promise<Json[]> {
    const details = await group.details('GroupFullyRead');
    for (const detail of details) {
      expect(detail).toEqual({ version: '1', groupId: group.groupId, upTo: detail.upTo });
    }
    return [...new Set(details.map(({ upTo }) => upTo ?? null))].toSorted();
  }

  const expectPublished = (group: ReceiptsGroup, ...positions: string[]) =>
    eventually(async () => expect(await publishedOf(group)).toEqual(positions));

  test('is published up to the position of the slowest member', async () => {
    const group = await aChat();
    await group.reads('bob', '9');
    await prepare(group);
    await group.reads('carol', '2');
    await expectPublished(group, '2');
    await group.reads('carol', '9');
    await expectPublished(group, '2', '9');
    await group.record('alice', '91', '92');
    await group.reads('carol', '92');
    await group.reads('bob', '91');
    await expectPublished(group, '2', '9', '91');
  });

  test('is published when the slowest member leaves', async () => {
    const group = await aChat();
    await group.reads('bob', '7');
    await prepare(group);
    await group.leave('carol');
    await expectPublished(group, '7');
  });

  test('is not published when another member leaves', async () => {
    const group = await aChat();
    await group.reads('bob', '7');
    await group.reads('carol', '2');
    await expectPublished(group, '2');
    await prepare(group);
    await group.leave('bob');
    await group.reads('carol', '3');
    await expectPublished(group, '2', '3');
  });

  test('is published in a group of two when the other member has read', async () => {
    const group = await stack.groupOf('alice', 'bob');
    await group.record('alice', '1', '2');
    await prepare(group);
    await group.reads('bob', '2');
    await expectPublished(group, '2');
    await group.record('bob', '3');
    await group.reads('alice', '3');
    await expectPublished(group, '2', '3');
  });

  test('is not published for private reads and deliveries', async () => {
    const group = await stack.groupOf('alice', 'bob');
    await group.record('alice', '1', '2', '3');
    await prepare(group);
    await group.readsPrivately('bob', '3');
    await expectEventsOfBob(group, 'OwnWatermarkMoved', { messageId: '3', revision: 0, readAt: A_TIME });
    await group.getsDelivered('bob', '3');
    await expectEventsOfBob(group, 'DeliveryAdvanced', { from: null, to: '3', at: A_TIME });
    await group.reads('bob', '1');
    await expectPublished(group, '1');
    await group.reads('bob', '2');
    await expectPublished(group, '1', '2');
  });

  test('does not wait for a member that joined late', async () => {
    const group = await aChat();
    await group.reads('bob', '9');
    await group.join('dave');
    await prepare(group);
    await group.reads('carol', '8');
    await expectPublished(group, '8');
    await group.reads('carol', '9');
    await expectPublished(group, '8', '9');
  });

  test('is published in a large group once the last member has read', async () => {
    const group = await stack.groupOf('alice', 'zoe');
    await group.record('alice', '1', '2');
    const others = Array.from({ length: 120 }, (_, index) => `member-${index}`);
    for (const userIds of [others.slice(0, 60), others.slice(60)]) {
      await stack.asService('POST', `/v1/groups/${group.groupId}/members`, { userIds });
    }
    await prepare(group);
    await group.reads('zoe', '1');
    await expectPublished(group, '1');
    await group.reads('zoe', '2');
    await expectPublished(group, '1', '2');
  });

  test('has ids of 64 bits', async () => {
    const group = await stack.groupOf('alice', 'bob');
    await group.record('alice', '9007199254740992', '9007199254740993', LARGEST_ID);
    await prepare(group);
    await group.reads('bob', '9007199254740993');
    await expectPublished(group, '9007199254740993');
    await group.reads('bob', LARGEST_ID);
    await expectPublished(group, LARGEST_ID, '9007199254740993');
  });
});
