import { describe, expect, test } from '@jest/globals';
import { NO_BELONGING } from '../../../shared/domain/belonging.ts';
import type { GroupId, UserId } from '../../../shared/domain/ids.ts';
import { joinAt } from '../../../shared/domain/membership.ts';
import { START } from '../../../shared/domain/position.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { addMembers, removeMember } from '../../../shared/operations/members.ts';
import { deleteMessage, recordMessage } from '../../../shared/operations/messages.ts';
import { readOwnView } from '../../../shared/operations/own-view.ts';
import { AT_START, headAt } from '../../support/heads.ts';
import { at } from '../../support/positions.ts';
import { recordingOf } from '../../support/recordings.ts';
import { aGroup, aUser, openTidemark, withTidemark } from '../../support/tidemark.ts';

const tidemark = withTidemark();

const mark = (groupId: GroupId, userId: UserId, id: number | string) =>
  markRead(tidemark, { groupId, userId }, at(id));

/** A group of two with messages 1 to `head`, all from the first. */
async function aGroupOfTwo(head: number) {
  const [groupId, sender, reader] = [aGroup(), aUser('sender'), aUser('reader')];
  await addMembers(tidemark, groupId, [sender, reader]);
  for (let id = 1; id <= head; id += 1) {
    await recordMessage(tidemark, { groupId, position: at(id), senderId: sender });
  }
  return { groupId, sender, reader };
}

describe('marking a group read', () => {
  test('moves the watermark and the unread count, in ledger and cache', async () => {
    const { groupId, reader } = await aGroupOfTwo(3);
    expect((await readOwnView(tidemark, { groupId, userId: reader }))?.unread).toEqual({
      count: 3,
      mentions: 0,
      first: at(1),
      exact: true,
    });

    const marked = await mark(groupId, reader, 2);

    expect(marked).toMatchObject({
      advanced: true,
      clamped: false,
      view: { unread: { count: 1, mentions: 0, first: at(3), exact: true } },
    });
    const expected = { kind: 'member', self: { position: at(2) }, public: { position: at(2) } };
    expect(await tidemark.ledger.memberships.read({ groupId, userId: reader })).toMatchObject(expected);
    expect(await tidemark.cache.read({ groupId, userId: reader })).toMatchObject({ state: expected });
  });

  test('never moves it back', async () => {
    const { groupId, reader } = await aGroupOfTwo(3);
    await mark(groupId, reader, 3);
    expect(await mark(groupId, reader, 1)).toMatchObject({
      advanced: false,
      view: {
        membership: { self: { position: at(3) } },
        unread: { count: 0, mentions: 0, first: null, exact: true },
      },
    });
  });

  test('beyond the head counts as the head', async () => {
    const { groupId, sender, reader } = await aGroupOfTwo(2);
    expect(await mark(groupId, reader, '18446744073709551615')).toMatchObject({
      advanced: true,
      clamped: true,
      view: { membership: { self: { position: at(2) } } },
    });
    await recordMessage(tidemark, { groupId, position: at(3), senderId: sender });
    expect((await readOwnView(tidemark, { groupId, userId: reader }))?.unread).toEqual({
      count: 1,
      mentions: 0,
      first: at(3),
      exact: true,
    });
  });

  test('is clamped to the head in the ledger if the cached one is old', async () => {
    const { groupId, sender, reader } = await aGroupOfTwo(2);
    await readOwnView(tidemark, { groupId, userId: reader });
    // Recorded while the cache could not be reached.
    await tidemark.ledger.messages.record(groupId, recordingOf(sender, 3), Date.now());
    await tidemark.ledger.heads.raise(groupId, {
      ...{ position: at(3), isSilent: false, recordedAt: Date.now() },
    });
    expect(await mark(groupId, reader, 3)).toMatchObject({
      clamped: false,
      view: { membership: { self: { position: at(3) } } },
    });
    expect(await mark(groupId, reader, 4)).toMatchObject({ advanced: false, clamped: true });
  });

  test('without recorded messages clamps nothing and counts nothing', async () => {
    const [groupId, userId] = [aGroup(), aUser()];
    await addMembers(tidemark, groupId, [userId]);
    expect(await readOwnView(tidemark, { groupId, userId })).toMatchObject({
      head: AT_START,
      unread: { count: 0, mentions: 0, first: null, exact: true },
    });
    expect(await mark(groupId, userId, 500)).toMatchObject({
      advanced: true,
      clamped: false,
      view: {
        head: AT_START,
        unread: { count: 0, mentions: 0, first: null, exact: true },
        membership: { self: { position: at(500) } },
      },
    });
  });

  test.each([
    ['9007199254740992', '9007199254740993'],
    ['18446744073709551614', '18446744073709551615'],
  ])('distinguishes %s and %s', async (lower, higher) => {
    const [groupId, userId] = [aGroup(), aUser()];
    await addMembers(tidemark, groupId, [userId]);
    await recordMessage(tidemark, { groupId, position: at(higher), senderId: aUser('sender') });
    await mark(groupId, userId, lower);
    expect(await readOwnView(tidemark, { groupId, userId })).toMatchObject({
      membership: { self: { position: at(lower) } },
    });
    expect(await mark(groupId, userId, higher)).toMatchObject({ advanced: true });
    expect(await readOwnView(tidemark, { groupId, userId })).toMatchObject({
      membership: { self: { position: at(higher) } },
    });
    expect(await mark(groupId, userId, lower)).toMatchObject({ advanced: false });
  });

  test('is refused for a user who never was a member, and for a former member', async () => {
    const { groupId, reader } = await aGroupOfTwo(1);
    expect(await mark(groupId, aUser('stranger'), 1)).toBeNull();
    await removeMember(tidemark, { groupId, userId: reader });
    expect(await mark(groupId, reader, 1)).toBeNull();
    expect(await readOwnView(tidemark, { groupId, userId: reader })).toBeNull();
  });

  test('makes the user a member in an open deployment', async () => {
    const [groupId, userId] = [aGroup(), aUser()];
    expect(await markRead({ ...tidemark, mode: 'open' }, { groupId, userId }, at(7))).toMatchObject({
      advanced: true,
      view: { membership: { joinedAfter: '00000000000000000000', self: { position: at(7) } } },
    });
  });
});

describe('unread counts', () => {
  test('leave out own and deleted messages', async () => {
    const { groupId, sender, reader } = await aGroupOfTwo(4);
    await readOwnView(tidemark, { groupId, userId: reader });
    await recordMessage(tidemark, { groupId, position: at(5), senderId: reader });
    await recordMessage(tidemark, { groupId, position: at(6), senderId: sender });
    await recordMessage(tidemark, { groupId, position: at(7), senderId: sender });
    await deleteMessage(tidemark, groupId, at(6));
    // The sender of 5 has read everything before it.
    expect((await readOwnView(tidemark, { groupId, userId: reader }))?.unread).toEqual({
      count: 1,
      mentions: 0,
      first: at(7),
      exact: true,
    });
  });

  test('do not revive a message that was deleted before it was recorded', async () => {
    const { groupId, sender, reader } = await aGroupOfTwo(1);
    await mark(groupId, reader, 1);
    await deleteMessage(tidemark, groupId, at(2));
    await recordMessage(tidemark, { groupId, position: at(2), senderId: sender });
    expect(await readOwnView(tidemark, { groupId, userId: reader })).toMatchObject({
      head: headAt(2),
      unread: { count: 0, mentions: 0, first: null, exact: true },
    });
  });

  test('start at the head for a member who joins late', async () => {
    const { groupId } = await aGroupOfTwo(5);
    const late = aUser('late');
    await addMembers(tidemark, groupId, [late]);
    expect(await readOwnView(tidemark, { groupId, userId: late })).toMatchObject({
      membership: { self: { position: at(5), at: null } },
      unread: { count: 0, mentions: 0, first: null, exact: true },
    });
  });

  test('count messages that were recorded out of order', async () => {
    const { groupId, sender, reader } = await aGroupOfTwo(2);
    await mark(groupId, reader, 2);
    for (const id of [9, 5, 7])
      await recordMessage(tidemark, { groupId, position: at(id), senderId: sender });
    expect(await readOwnView(tidemark, { groupId, userId: reader })).toMatchObject({
      head: headAt(9),
      unread: { count: 3, mentions: 0, first: at(5), exact: true },
    });
  });

  test('start again at the head after leaving and joining', async () => {
    const { groupId, sender, reader } = await aGroupOfTwo(2);
    await removeMember(tidemark, { groupId, userId: reader });
    await recordMessage(tidemark, { groupId, position: at(3), senderId: sender });
    const [joined] = await addMembers(tidemark, groupId, [reader]);
    expect(joined).toMatchObject({ isNew: true, membership: { joinedAfter: at(3) } });
    expect((await readOwnView(tidemark, { groupId, userId: reader }))?.unread).toEqual({
      count: 0,
      mentions: 0,
      first: null,
      exact: true,
    });
  });
});

describe('the window of messages in the cache', () => {
  test('counts exactly as far as it reaches, and reports a larger count as inexact', async () => {
    const small = await openTidemark({ capacity: 10 });
    try {
      const [groupId, sender, reader] = [aGroup(), aUser('sender'), aUser('reader')];
      await addMembers(small, groupId, [sender, reader]);
      const record = (id: number) => recordMessage(small, { groupId, position: at(id), senderId: sender });
      for (let id = 1; id <= 10; id += 1) await record(id);
      expect((await readOwnView(small, { groupId, userId: reader }))?.unread).toEqual({
        count: 10,
        mentions: 0,
        first: at(1),
        exact: true,
      });
      await record(11);
      expect((await readOwnView(small, { groupId, userId: reader }))?.unread).toEqual({
        count: 10,
        mentions: 0,
        first: at(2),
        exact: false,
      });
      await markRead(small, { groupId, userId: reader }, at(1));
      expect((await readOwnView(small, { groupId, userId: reader }))?.unread).toEqual({
        count: 10,
        mentions: 0,
        first: at(2),
        exact: true,
      });
      // Two of the ten are gone, so the window is loaded again from the ledger.
      const late = aUser('late');
      const began = { ...NO_BELONGING, state: joinAt(START, 1_700_000_000_000) };
      await small.ledger.memberships.changeBelonging({ groupId, userId: late }, () => began, Date.now());
      await deleteMessage(small, groupId, at(5));
      await deleteMessage(small, groupId, at(6));
      expect((await readOwnView(small, { groupId, userId: late }))?.unread).toEqual({
        count: 9,
        mentions: 0,
        first: at(1),
        exact: true,
      });
    } finally {
      await small.close();
    }
  });

  test('loses no message that is recorded or deleted while it is loaded', async () => {
    const { groupId, sender, reader } = await aGroupOfTwo(20);
    const loads = Promise.all(
      Array.from({ length: 5 }, () => readOwnView(tidemark, { groupId, userId: reader })),
    );
    const changes = Promise.all([
      recordMessage(tidemark, { groupId, position: at(21), senderId: sender }),
      recordMessage(tidemark, { groupId, position: at(22), senderId: sender }),
      deleteMessage(tidemark, groupId, at(3)),
      deleteMessage(tidemark, groupId, at(20)),
    ]);
    await Promise.all([loads, changes]);
    expect((await readOwnView(tidemark, { groupId, userId: reader }))?.unread).toEqual({
      count: 20,
      mentions: 0,
      first: at(1),
      exact: true,
    });
  });
});
