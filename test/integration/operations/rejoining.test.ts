import { describe, expect, test } from '@jest/globals';
import { markGroups } from '../../../shared/operations/mark-groups.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { markUnread } from '../../../shared/operations/mark-unread.ts';
import { addMembers, removeMember } from '../../../shared/operations/members.ts';
import { recordMessage } from '../../../shared/operations/messages.ts';
import { at } from '../../support/positions.ts';
import { aGroup, aUser, forget, withTidemark } from '../../support/tidemark.ts';

const tidemark = withTidemark();

/** Reads 2, marks 1 unread, leaves, joins again, reads 3 and marks it unread: each membership has one mark unread. */
async function aRejoined() {
  const [groupId, sender, reader] = [aGroup(), aUser('sender'), aUser('reader')];
  await addMembers(tidemark, groupId, [sender, reader]);
  const send = (id: number) => recordMessage(tidemark, { groupId, position: at(id), senderId: sender });
  for (const id of [1, 2]) await send(id);
  await markRead(tidemark, { groupId, userId: reader }, at(2));
  const before = await markUnread(tidemark, { groupId, userId: reader }, at(1));
  await removeMember(tidemark, { groupId, userId: reader });
  await addMembers(tidemark, groupId, [reader]);
  await send(3);
  await markRead(tidemark, { groupId, userId: reader }, at(3));
  const after = await markUnread(tidemark, { groupId, userId: reader }, at(3));
  return { groupId, sender, reader, before, after };
}

describe('a member who joins again', () => {
  test('has larger revisions than before, so a late mark of the earlier membership does not undo a mark unread', async () => {
    const { groupId, reader, before, after } = await aRejoined();
    expect(before?.membership.self).toMatchObject({ revision: 1 });
    expect(after?.membership.self).toMatchObject({ position: at(2) });
    expect(after?.membership.self.revision).toBeGreaterThan(1);

    for (const isCached of [true, false]) {
      if (!isCached) await forget(tidemark.redis, groupId);
      const late = await markRead(tidemark, { groupId, userId: reader }, at(3), {
        isPrivate: false,
        ifRevision: 1,
      });
      expect(late).toMatchObject({ isConflict: true, view: { membership: { self: { position: at(2) } } } });
      const mark = { groupId, position: at(3), kind: 'read' as const, ifRevision: 1 };
      expect(await markGroups(tidemark, reader, [mark])).toMatchObject([
        { outcome: 'conflict', position: at(2) },
      ]);
    }
    const ifRevision = after?.membership.self.revision ?? null;
    const known = await markRead(tidemark, { groupId, userId: reader }, at(3), {
      isPrivate: false,
      ifRevision,
    });
    expect(known).toMatchObject({ isConflict: false, view: { membership: { self: { position: at(3) } } } });
  });

  test('continues from the last revision if all of it is within one millisecond', async () => {
    const [groupId, reader] = [aGroup(), aUser('reader')];
    const frozen = { ...tidemark, nowMs: () => 5 };
    await addMembers(frozen, groupId, [reader], null);
    let last = -1;
    for (let round = 0; round < 3; round += 1) {
      await recordMessage(frozen, { groupId, position: at(10 + round), senderId: aUser('sender') });
      for (let time = 0; time < 10; time += 1) {
        await markRead(frozen, { groupId, userId: reader }, at(10 + round));
        const view = await markUnread(frozen, { groupId, userId: reader }, at(10 + round));
        const revision = view?.membership.self.revision ?? -1;
        expect(revision).toBeGreaterThan(last);
        last = revision;
      }
      await removeMember(frozen, { groupId, userId: reader });
      await addMembers(frozen, groupId, [reader]);
    }
  });

  test('moves to its own message by one write, without a read', async () => {
    const { groupId, reader } = await aRejoined();
    await removeMember(tidemark, { groupId, userId: reader });
    await addMembers(tidemark, groupId, [reader]);
    tidemark.takeCalls();
    await recordMessage(tidemark, { groupId, position: at(9), senderId: reader });
    expect(tidemark.takeCalls()).toEqual([
      'ledger UpdateItem',
      'ledger UpdateItem',
      'ledger UpdateItem',
      'cache',
    ]);
    expect(await tidemark.ledger.memberships.read({ groupId, userId: reader })).toMatchObject({
      self: { position: at(9) },
      public: { position: at(9) },
    });
  });
});

describe('joining after a message that the back end names', () => {
  test('starts there: later messages are unread, and the member is in their audience', async () => {
    const [groupId, sender, late] = [aGroup(), aUser('sender'), aUser('late')];
    await addMembers(tidemark, groupId, [sender]);
    for (const id of [1, 2, 3])
      await recordMessage(tidemark, { groupId, position: at(id), senderId: sender });
    const [joined] = await addMembers(tidemark, groupId, [late], at(1));
    expect(joined).toMatchObject({
      isNew: true,
      membership: { joinedAfter: at(1), self: { position: at(1) } },
    });
    // A user who is already a member stays as before.
    const [again] = await addMembers(tidemark, groupId, [late], at(3));
    expect(again).toMatchObject({ isNew: false, membership: { joinedAfter: at(1) } });
  });
});
