import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { markUnread } from '../../../shared/operations/mark-unread.ts';
import { addMembers } from '../../../shared/operations/members.ts';
import { readStatuses } from '../../../shared/operations/message-statuses.ts';
import { deleteMessage, recordMessage } from '../../../shared/operations/messages.ts';
import { lookAt } from '../../../shared/operations/own-view.ts';
import { at } from '../../support/positions.ts';
import { replacing } from '../../support/replacing.ts';
import { aGroup, aUser, type CountedStores, forget, openStores } from '../../support/stores.ts';

let stores: CountedStores;
beforeAll(async () => {
  stores = await openStores();
});
afterAll(() => stores.close());

test('own messages are read, as in the unread count, whatever the cache holds', async () => {
  const [groupId, own, other] = [aGroup(), aUser('own'), aUser('other')];
  await addMembers(stores, groupId, [own, other]);
  const send = (id: number, senderId: typeof own) =>
    recordMessage(stores, { groupId, position: at(id), senderId });
  await send(1, other);
  await send(2, own);
  await send(3, other);
  await send(4, own);
  await deleteMessage(stores, groupId, at(4));
  await markUnread(stores, groupId, own, at(1));

  const ids = [1, 2, 3, 4, 5];
  const statuses = async (source = stores) => {
    const read = await readStatuses(source, groupId, own, ids.map(at));
    return [read?.watermark, ...(read?.statuses ?? []).map(({ isRead }) => isRead)];
  };
  // 5 is not recorded. 4 is deleted, and still the own message.
  const expected = ['00000000000000000000', false, true, false, true, false];
  await lookAt(stores, groupId, own);
  expect(await statuses()).toEqual(expected);
  await forget(stores.redis, groupId, ['messages']);
  expect(await statuses()).toEqual(expected);
  await forget(stores.redis, groupId);
  expect(await statuses()).toEqual(expected);
  const cache = replacing(stores.cache, { readStatuses: async () => null, merge: async () => false });
  expect(await statuses({ ...stores, cache })).toEqual(expected);
  expect((await lookAt(stores, groupId, own))?.unread).toEqual({ count: 2, exact: true });
});
