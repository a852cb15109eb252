import { expect, jest, test } from '@jest/globals';
import { unavailable } from '../../../shared/domain/errors.ts';
import type { MarkKind } from '../../../shared/domain/mark.ts';
import { markGroups } from '../../../shared/operations/mark-groups.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { markUnread } from '../../../shared/operations/mark-unread.ts';
import { addMembers } from '../../../shared/operations/members.ts';
import { recordMessage } from '../../../shared/operations/messages.ts';
import { at } from '../../support/positions.ts';
import { replacing } from '../../support/replacing.ts';
import { aGroup, aUser, withTidemark } from '../../support/tidemark.ts';

const tidemark = withTidemark();

test('a group that fails and a missing one do not affect the others of a batch', async () => {
  const complaints = jest.spyOn(console, 'warn').mockImplementation(() => undefined);
  const [sender, reader] = [aUser('sender'), aUser('reader')];
  const [first, failing, strange, last] = [aGroup(), aGroup(), aGroup(), aGroup()];
  for (const groupId of [first, failing, last]) {
    await addMembers(tidemark, groupId, [sender, reader]);
    await recordMessage(tidemark, { groupId, position: at(5), senderId: sender });
  }
  const { ledger } = tidemark;
  const memberships = replacing(ledger.memberships, {
    change: async (member, ...rest) => {
      if (member.groupId === failing) throw unavailable(new Error('the ledger refuses this one'));
      return ledger.memberships.change(member, ...rest);
    },
  });
  const marks = [first, failing, strange, last].map((groupId) => ({
    groupId,
    position: at(4),
    kind: 'read' as const,
    ifRevision: null,
  }));
  expect(await markGroups({ ...tidemark, ledger: { ...ledger, memberships } }, reader, marks)).toEqual([
    { outcome: 'advanced', position: at(4), revision: 0, clamped: false },
    { outcome: 'failed' },
    { outcome: 'not_found' },
    { outcome: 'advanced', position: at(4), revision: 0, clamped: false },
  ]);
  expect(complaints).toHaveBeenCalledTimes(1);
  complaints.mockRestore();
  const held = await Promise.all(
    [first, failing, last].map((groupId) => ledger.memberships.read({ groupId, userId: reader })),
  );
  expect(held).toMatchObject([
    { public: { position: at(4) } },
    { public: { position: '00000000000000000000', at: null } },
    { public: { position: at(4) } },
  ]);
  // A repetition completes it.
  expect(await markGroups(tidemark, reader, marks.slice(0, 2))).toEqual([
    { outcome: 'unchanged', position: at(4), revision: 0, clamped: false },
    { outcome: 'advanced', position: at(4), revision: 0, clamped: false },
  ]);
});

test('marks of one group apply one after the other in one write, each to the result of the one before', async () => {
  const [groupId, sender, reader] = [aGroup(), aUser('sender'), aUser('reader')];
  await addMembers(tidemark, groupId, [sender, reader]);
  for (let id = 1; id <= 9; id += 1)
    await recordMessage(tidemark, { groupId, position: at(id), senderId: sender });
  await markRead(tidemark, { groupId, userId: reader }, at(5));
  await markUnread(tidemark, { groupId, userId: reader }, at(3));
  const mark = (id: number | string, kind: MarkKind = 'read', ifRevision: number | null = null) => ({
    ...{ groupId, position: at(id), kind, ifRevision },
  });
  tidemark.takeCalls();
  expect(
    await markGroups(tidemark, reader, [
      // With the revision from before the mark unread: others see more, the own view stays.
      mark(6, 'read', 0),
      mark(4, 'private', 1),
      mark(4, 'read', 1),
      mark(8, 'delivered'),
      mark(7, 'delivered'),
      mark('18446744073709551615'),
      mark(9, 'private', 0),
    ]),
  ).toEqual([
    { outcome: 'conflict', position: at(2), revision: 1, clamped: false },
    { outcome: 'advanced', position: at(4), revision: 1, clamped: false },
    { outcome: 'unchanged', position: at(4), revision: 1, clamped: false },
    { outcome: 'advanced', position: at(8), revision: 1, clamped: false },
    { outcome: 'unchanged', position: at(8), revision: 1, clamped: false },
    { outcome: 'advanced', position: at(9), revision: 1, clamped: true },
    { outcome: 'conflict', position: at(9), revision: 1, clamped: false },
  ]);
  // If the revision is not the cached one, the ledger is read.
  expect(tidemark.takeCalls().filter((call) => call === 'ledger UpdateItem')).toHaveLength(1);
  expect(await tidemark.ledger.memberships.read({ groupId, userId: reader })).toMatchObject({
    self: { position: at(9), revision: 1 },
    public: { position: at(9) },
    delivered: { position: at(9) },
  });
});

test('the outcomes of a batch are those of the state that its write changes', async () => {
  const [groupId, sender, reader] = [aGroup(), aUser('sender'), aUser('reader')];
  await addMembers(tidemark, groupId, [sender, reader]);
  for (let id = 1; id <= 5; id += 1)
    await recordMessage(tidemark, { groupId, position: at(id), senderId: sender });
  const { ledger } = tidemark;
  let isFirst = true;
  const memberships = replacing(ledger.memberships, {
    // Another device marks after the batch has read the member.
    change: async (...args) => {
      if (isFirst) {
        isFirst = false;
        await markRead(tidemark, { groupId, userId: reader }, at(3));
      }
      return ledger.memberships.change(...args);
    },
  });
  const mark = (id: number, kind: MarkKind) => ({ groupId, position: at(id), kind, ifRevision: null });
  const marks = [mark(2, 'delivered'), mark(1, 'private'), mark(4, 'delivered'), mark(5, 'read')];
  expect(await markGroups({ ...tidemark, ledger: { ...ledger, memberships } }, reader, marks)).toEqual([
    { outcome: 'unchanged', position: at(3), revision: 0, clamped: false },
    { outcome: 'unchanged', position: at(3), revision: 0, clamped: false },
    { outcome: 'advanced', position: at(4), revision: 0, clamped: false },
    { outcome: 'advanced', position: at(5), revision: 0, clamped: false },
  ]);
});

test('the outcomes of a batch are of one moment, if a message is recorded meanwhile', async () => {
  const [groupId, sender, reader] = [aGroup(), aUser('sender'), aUser('reader')];
  await addMembers(tidemark, groupId, [sender, reader]);
  await recordMessage(tidemark, { groupId, position: at(1), senderId: sender });
  const { ledger } = tidemark;
  const heads = replacing(ledger.heads, {
    read: async (id) => {
      const head = await ledger.heads.read(id);
      await recordMessage(tidemark, { groupId, position: at(11), senderId: sender });
      return head;
    },
  });
  const mark = (id: number) => ({ groupId, position: at(id), kind: 'read' as const, ifRevision: null });
  const marks = [mark(1), mark(3), mark(99)];
  expect(await markGroups({ ...tidemark, ledger: { ...ledger, heads } }, reader, marks)).toEqual([
    { outcome: 'advanced', position: at(1), revision: 0, clamped: false },
    { outcome: 'advanced', position: at(3), revision: 0, clamped: false },
    { outcome: 'advanced', position: at(11), revision: 0, clamped: true },
  ]);
});
