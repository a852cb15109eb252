import { describe, expect, test } from '@jest/globals';
import type { GroupId, UserId } from '../../../shared/domain/ids.ts';
import { markUnread } from '../../../shared/operations/mark-unread.ts';
import { addMembers } from '../../../shared/operations/members.ts';
import { deleteMessage, recordMessage } from '../../../shared/operations/messages.ts';
import { readOwnView } from '../../../shared/operations/own-view.ts';
import { countReceipts } from '../../../shared/operations/receipts.ts';
import { headAt } from '../../support/heads.ts';
import { at } from '../../support/positions.ts';
import { countsOf } from '../../support/receipt-counts.ts';
import { replacing } from '../../support/replacing.ts';
import { aGroup, aUser, withTidemark } from '../../support/tidemark.ts';

const tidemark = withTidemark();

/** Bob has sent 10, 20 and 30. Mallory is a member and has read nothing. */
async function aChat() {
  const [groupId, bob, mallory] = [aGroup(), aUser('bob'), aUser('mallory')];
  await addMembers(tidemark, groupId, [bob, mallory]);
  for (const id of [10, 20, 30]) await recordMessage(tidemark, { groupId, position: at(id), senderId: bob });
  return { groupId, bob, mallory };
}

async function expectUnmoved(groupId: GroupId, bob: UserId, mallory: UserId, headId = 30) {
  expect(await tidemark.ledger.memberships.read({ groupId, userId: mallory })).toMatchObject({
    self: { position: '00000000000000000000', at: null },
    public: { position: '00000000000000000000', at: null },
    delivered: { position: '00000000000000000000', at: null },
  });
  expect(await readOwnView(tidemark, { groupId, userId: mallory })).toMatchObject({ head: headAt(headId) });
  expect(countsOf(await countReceipts(tidemark, { groupId, userId: bob }, [at(10), at(20)]))).toEqual([
    [1, 0, 0],
    [1, 0, 0],
  ]);
}

describe('a message that is known', () => {
  test('is in conflict if it is recorded under another sender, and nobody moves', async () => {
    const { groupId, bob, mallory } = await aChat();
    expect(await recordMessage(tidemark, { groupId, position: at(30), senderId: mallory })).toEqual({
      outcome: 'conflict',
    });
    await expectUnmoved(groupId, bob, mallory);
    expect((await readOwnView(tidemark, { groupId, userId: mallory }))?.unread).toEqual({
      count: 3,
      mentions: 0,
      first: at(10),
      exact: true,
    });
  });

  test('is in conflict under another sender even if it was deleted', async () => {
    const { groupId, bob, mallory } = await aChat();
    await deleteMessage(tidemark, groupId, at(30));
    expect(await recordMessage(tidemark, { groupId, position: at(30), senderId: mallory })).toEqual({
      outcome: 'conflict',
    });
    await expectUnmoved(groupId, bob, mallory);
    expect((await readOwnView(tidemark, { groupId, userId: mallory }))?.unread).toEqual({
      count: 2,
      mentions: 0,
      first: at(10),
      exact: true,
    });
  });

  test('has one sender, however many calls record it at once', async () => {
    const [groupId, ...senders] = [aGroup(), aUser('a'), aUser('b'), aUser('c'), aUser('d')];
    await addMembers(tidemark, groupId, senders);
    const outcomes = await Promise.all(
      senders.map(async (senderId) => {
        const { outcome } = await recordMessage(tidemark, { groupId, position: at(7), senderId });
        return outcome;
      }),
    );
    expect(outcomes.toSorted()).toEqual(['conflict', 'conflict', 'conflict', 'recorded']);
    const marks = await Promise.all(
      senders.map((userId) => tidemark.ledger.memberships.read({ groupId, userId })),
    );
    const moved = marks.filter((state) => state?.kind === 'member' && state.public.position === at(7));
    expect(moved).toHaveLength(1);
  });

  test('is completed by a repetition if head and sender were not written', async () => {
    const { groupId, bob } = await aChat();
    const { ledger } = tidemark;
    const dies = async () => {
      throw new Error('the instance dies');
    };
    const memberships = replacing(ledger.memberships, { raise: dies });
    const heads = replacing(ledger.heads, { raise: dies });
    const dying = { ...tidemark, ledger: { ...ledger, memberships, heads } };
    const sent = { groupId, position: at(40), senderId: bob };
    await expect(recordMessage(dying, sent)).rejects.toThrow('the instance dies');
    expect(await recordMessage(tidemark, sent)).toEqual({ outcome: 'known', head: at(40) });
    expect(await ledger.memberships.read({ groupId, userId: bob })).toMatchObject({
      public: { position: at(40) },
    });
  });

  test('does not undo, if recorded again, a later mark unread of its sender', async () => {
    const { groupId, bob } = await aChat();
    await markUnread(tidemark, { groupId, userId: bob }, at(20));
    for (const isFact of [false, true]) {
      const sent = { groupId, position: at(30), senderId: bob, isFact };
      expect(await recordMessage(tidemark, sent)).toEqual({ outcome: 'known', head: at(30) });
      expect(await tidemark.ledger.memberships.read({ groupId, userId: bob })).toMatchObject({
        self: { position: '00000000000000000019', revision: 1 },
        public: { position: at(30) },
      });
    }
  });

  test('is written first: head and sender are not written before its sender is known', async () => {
    const { groupId, mallory } = await aChat();
    tidemark.takeCalls();
    await recordMessage(tidemark, { groupId, position: at(20), senderId: mallory });
    // The head says whether the known message is of a time before the group was deleted.
    expect(tidemark.takeCalls()).toEqual(['ledger UpdateItem', 'ledger GetItem']);
  });
});
