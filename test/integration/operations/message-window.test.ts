import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { unavailable } from '../../../shared/domain/errors.ts';
import { addMembers } from '../../../shared/operations/members.ts';
import { recordMessage } from '../../../shared/operations/messages.ts';
import { lookAt } from '../../../shared/operations/own-view.ts';
import { at } from '../../support/positions.ts';
import { replacing } from '../../support/replacing.ts';
import { aGroup, aUser, type CountedStores, openStores } from '../../support/stores.ts';

let stores: CountedStores;
beforeAll(async () => {
  stores = await openStores();
});
afterAll(() => stores.close());

test('failed loads of a window do not pile up in the cache', async () => {
  const [groupId, sender, reader] = [aGroup(), aUser('sender'), aUser('reader')];
  await addMembers(stores, groupId, [sender, reader]);
  await recordMessage(stores, { groupId, position: at(1), senderId: sender });
  const messages = replacing(stores.ledger.messages, {
    newest: async () => {
      throw unavailable(new Error('the ledger refuses'));
    },
  });
  const refusing = { ...stores, ledger: { ...stores.ledger, messages } };
  for (let time = 0; time < 220; time += 1) {
    await expect(lookAt(refusing, groupId, reader)).rejects.toThrow();
  }
  const loads = await stores.redis.zlexcount(`tm:{${groupId}}:messages`, '[!load|', '(!load}');
  expect(loads).toBeGreaterThan(0);
  expect(loads).toBeLessThanOrEqual(200);
  expect((await lookAt(stores, groupId, reader))?.unread).toEqual({ count: 1, exact: true });
});

test('very many loads at once leave a complete window, whichever of them finish', async () => {
  const [groupId, sender, reader] = [aGroup(), aUser('sender'), aUser('reader')];
  await addMembers(stores, groupId, [sender, reader]);
  await recordMessage(stores, { groupId, position: at(1), senderId: sender });
  const now = Date.now();
  const tokens = Array.from({ length: 300 }, (_, index) => `${now}-${String(index).padStart(4, '0')}`);
  for (const token of tokens) await stores.cache.merge(groupId, [{ kind: 'load', token }]);
  const [first = ''] = tokens;
  await stores.cache.merge(groupId, [
    { kind: 'message', message: { position: at(1), senderId: sender, deleted: false } },
    { kind: 'loaded', token: first, above: '00000000000000000000' as ReturnType<typeof at> },
  ]);
  expect((await stores.cache.read(groupId, reader))?.window).toMatchObject({
    floor: '00000000000000000000',
  });
});
