import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { unavailable } from '../../../shared/domain/errors.ts';
import { markGroups } from '../../../shared/watermarks/mark-groups.ts';
import { addMembers } from '../../../shared/watermarks/members.ts';
import { recordMessage } from '../../../shared/watermarks/messages.ts';
import { at } from '../../support/positions.ts';
import { replacing } from '../../support/replacing.ts';
import { aGroup, aUser, type CountedStores, openStores } from '../../support/stores.ts';

let stores: CountedStores;
beforeAll(async () => {
  stores = await openStores();
});
afterAll(() => stores.close());

test('a group that fails, and one that is not there, leave the others of a batch alone', async () => {
  const complaints = jest.spyOn(console, 'warn').mockImplementation(() => undefined);
  const [sender, reader] = [aUser('sender'), aUser('reader')];
  const [first, failing, strange, last] = [aGroup(), aGroup(), aGroup(), aGroup()];
  for (const groupId of [first, failing, last]) {
    await addMembers(stores, groupId, [sender, reader]);
    await recordMessage(stores, { groupId, position: at(5), senderId: sender });
  }
  const { ledger } = stores;
  const memberships = replacing(ledger.memberships, {
    change: async (userId, groupId, ...rest) => {
      if (groupId === failing) throw unavailable(new Error('the ledger refuses this one'));
      return ledger.memberships.change(userId, groupId, ...rest);
    },
  });
  const marks = [first, failing, strange, last].map((groupId) => ({
    groupId,
    position: at(4),
    kind: 'read' as const,
    ifRevision: null,
  }));
  expect(
    await markGroups({ ...stores, ledger: { ...ledger, memberships } }, reader, marks, 'strict'),
  ).toEqual([
    { outcome: 'advanced', position: at(4), revision: 0, clamped: false },
    { outcome: 'failed' },
    { outcome: 'not_found' },
    { outcome: 'advanced', position: at(4), revision: 0, clamped: false },
  ]);
  expect(complaints).toHaveBeenCalledTimes(1);
  complaints.mockRestore();
  const held = await Promise.all(
    [first, failing, last].map((groupId) => ledger.memberships.read(reader, groupId)),
  );
  expect(held).toMatchObject([
    { public: { position: at(4) } },
    { public: { position: '00000000000000000000', at: null } },
    { public: { position: at(4) } },
  ]);
  // A repetition heals it.
  expect(await markGroups(stores, reader, marks.slice(0, 2), 'strict')).toEqual([
    { outcome: 'unchanged', position: at(4), revision: 0, clamped: false },
    { outcome: 'advanced', position: at(4), revision: 0, clamped: false },
  ]);
});
