import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { markDelivered } from '../../../shared/operations/mark-delivered.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { markUnread } from '../../../shared/operations/mark-unread.ts';
import { addMembers, removeMember } from '../../../shared/operations/members.ts';
import { deleteMessage, recordMessage } from '../../../shared/operations/messages.ts';
import { lookAt } from '../../../shared/operations/own-view.ts';
import { countReceipts } from '../../../shared/operations/receipts.ts';
import { at } from '../../support/positions.ts';
import { aGroup, aUser, type CountedStores, openStores } from '../../support/stores.ts';

const WEEK_MS = 604_800_000;
const DAY_MS = 86_400_000;
const HALF_A_MINUTE_MS = 30_000;

let stores: CountedStores;
beforeAll(async () => {
  stores = await openStores();
});
afterAll(() => stores.close());

test('every key of a group has an expiry, whatever happens in the group', async () => {
  const [groupId, sender, reader, other] = [aGroup(), aUser('sender'), aUser('reader'), aUser('other')];
  const record = (id: number) => recordMessage(stores, { groupId, position: at(id), senderId: sender });
  const operations: readonly (() => Promise<unknown>)[] = [
    () => addMembers(stores, groupId, [sender, reader, other]),
    () => record(1),
    () => lookAt(stores, groupId, reader),
    () => record(2),
    () => markDelivered(stores, groupId, reader, at(1), 'strict'),
    () => markRead(stores, groupId, reader, at(2), 'strict'),
    () => markUnread(stores, groupId, reader, at(2)),
    () => countReceipts(stores, groupId, reader, [at(1)]),
    () => record(3),
    () => deleteMessage(stores, groupId, at(2)),
    () => removeMember(stores, groupId, other),
  ];
  const most = {
    members: WEEK_MS,
    messages: WEEK_MS,
    head: WEEK_MS,
    receipts: DAY_MS,
    joined: HALF_A_MINUTE_MS,
  };
  const seen = new Set<string>();
  for (const operation of operations) {
    await operation();
    for (const [name, mostMs] of Object.entries(most)) {
      const leftMs = await stores.redis.pttl(`tm:{${groupId}}:${name}`);
      // -2 is no key, -1 one that does not expire.
      if (leftMs === -2) continue;
      seen.add(name);
      expect(leftMs).toBeGreaterThan(0);
      expect(leftMs).toBeLessThanOrEqual(mostMs);
    }
  }
  expect([...seen].toSorted()).toEqual(Object.keys(most).toSorted());
});
