import { expect, test } from '@jest/globals';
import * as change from '../../../shared/cache/changes.ts';
import { unavailable } from '../../../shared/domain/errors.ts';
import { addMembers } from '../../../shared/operations/members.ts';
import { recordMessage } from '../../../shared/operations/messages.ts';
import { readOwnView } from '../../../shared/operations/own-view.ts';
import { at } from '../../support/positions.ts';
import { replacing } from '../../support/replacing.ts';
import { aGroup, aUser, withTidemark } from '../../support/tidemark.ts';

const tidemark = withTidemark();

test('failed loads of a window do not pile up in the cache', async () => {
  const [groupId, sender, reader] = [aGroup(), aUser('sender'), aUser('reader')];
  await addMembers(tidemark, groupId, [sender, reader]);
  await recordMessage(tidemark, { groupId, position: at(1), senderId: sender });
  const messages = replacing(tidemark.ledger.messages, {
    newest: async () => {
      throw unavailable(new Error('the ledger refuses'));
    },
  });
  const refusing = { ...tidemark, ledger: { ...tidemark.ledger, messages } };
  for (let time = 0; time < 220; time += 1) {
    await expect(readOwnView(refusing, { groupId, userId: reader })).rejects.toThrow();
  }
  const loads = await tidemark.redis.zlexcount(`tm:{${groupId}}:messages`, '[!load|', '(!load}');
  expect(loads).toBeGreaterThan(0);
  expect(loads).toBeLessThanOrEqual(200);
  expect((await readOwnView(tidemark, { groupId, userId: reader }))?.unread).toEqual({
    count: 1,
    mentions: 0,
    first: at(1),
    exact: true,
  });
});

test('very many loads at once leave a complete window, whichever of them finish', async () => {
  const [groupId, sender, reader] = [aGroup(), aUser('sender'), aUser('reader')];
  await addMembers(tidemark, groupId, [sender, reader]);
  await recordMessage(tidemark, { groupId, position: at(1), senderId: sender });
  const now = Date.now();
  const tokens = Array.from({ length: 300 }, (_, index) => `${now}-${String(index).padStart(4, '0')}`);
  for (const token of tokens) await tidemark.cache.merge(groupId, [change.load(token)]);
  const [first = ''] = tokens;
  await tidemark.cache.merge(groupId, [
    change.message({
      position: at(1),
      senderId: sender,
      deleted: false,
      recordedAt: 1,
      isSilent: false,
      mentions: [],
    }),
    change.loaded(first, '00000000000000000000' as ReturnType<typeof at>),
  ]);
  expect((await tidemark.cache.read({ groupId, userId: reader }))?.window).toMatchObject({
    floor: '00000000000000000000',
  });
});
