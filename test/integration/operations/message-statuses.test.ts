import { expect, test } from '@jest/globals';
import { markUnread } from '../../../shared/operations/mark-unread.ts';
import { addMembers } from '../../../shared/operations/members.ts';
import { readStatuses } from '../../../shared/operations/message-statuses.ts';
import { deleteMessage, recordMessage } from '../../../shared/operations/messages.ts';
import { readOwnView } from '../../../shared/operations/own-view.ts';
import { at } from '../../support/positions.ts';
import { replacing } from '../../support/replacing.ts';
import { aGroup, aUser, forget, withTidemark } from '../../support/tidemark.ts';

const tidemark = withTidemark();

test('own messages are read, as in the unread count, whatever the cache holds', async () => {
  const [groupId, own, other] = [aGroup(), aUser('own'), aUser('other')];
  await addMembers(tidemark, groupId, [own, other]);
  const send = (id: number, senderId: typeof own) =>
    recordMessage(tidemark, { groupId, position: at(id), senderId });
  await send(1, other);
  await send(2, own);
  await send(3, other);
  await send(4, own);
  await deleteMessage(tidemark, groupId, at(4));
  await markUnread(tidemark, { groupId, userId: own }, at(1));

  const ids = [1, 2, 3, 4, 5];
  const statuses = async (source = tidemark) => {
    const read = await readStatuses(source, { groupId, userId: own }, ids.map(at));
    return [read?.watermark, ...(read?.statuses ?? []).map(({ isRead }) => isRead)];
  };
  // 5 is not recorded. 4 is deleted, and still an own message.
  const expected = ['00000000000000000000', false, true, false, true, false];
  await readOwnView(tidemark, { groupId, userId: own });
  expect(await statuses()).toEqual(expected);
  await forget(tidemark.redis, groupId, ['messages']);
  expect(await statuses()).toEqual(expected);
  await forget(tidemark.redis, groupId);
  expect(await statuses()).toEqual(expected);
  const cache = replacing(tidemark.cache, { readStatuses: async () => null, merge: async () => false });
  expect(await statuses({ ...tidemark, cache })).toEqual(expected);
  expect((await readOwnView(tidemark, { groupId, userId: own }))?.unread).toEqual({
    count: 2,
    mentions: 0,
    first: at(1),
    exact: true,
  });
});
