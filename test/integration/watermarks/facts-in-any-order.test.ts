import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { applyJoin, applyLeave } from '../../../shared/watermarks/members.ts';
import { deleteMessage, recordMessage } from '../../../shared/watermarks/messages.ts';
import { lookAt } from '../../../shared/watermarks/own-view.ts';
import { at } from '../../support/positions.ts';
import { aGroup, aUser, type CountedStores, openStores } from '../../support/stores.ts';

let stores: CountedStores;
beforeAll(async () => {
  stores = await openStores();
});
afterAll(() => stores.close());

const T = 1_700_000_000_000;

test('who joined and left, and which messages are there, does not depend on the order in which facts arrive', async () => {
  const order = fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7, 8], { minLength: 9 });
  await fc.assert(
    fc.asyncProperty(order, fc.array(fc.nat(8), { maxLength: 6 }), async (shuffled, repeated) => {
      const groupId = aGroup();
      const [stays, leaves, returns, sender] = [aUser(), aUser(), aUser(), aUser()];
      const facts = [
        () => applyJoin(stores, groupId, stays, { joinedAtMs: T, joinedAfter: null }),
        () => applyJoin(stores, groupId, leaves, { joinedAtMs: T, joinedAfter: null }),
        () => applyLeave(stores, groupId, leaves, T + 1),
        () => applyJoin(stores, groupId, returns, { joinedAtMs: T, joinedAfter: null }),
        () => applyLeave(stores, groupId, returns, T + 1),
        () => applyJoin(stores, groupId, returns, { joinedAtMs: T + 2, joinedAfter: null }),
        () => recordMessage(stores, { groupId, position: at(1), senderId: sender }),
        () => recordMessage(stores, { groupId, position: at(2), senderId: sender }),
        () => deleteMessage(stores, groupId, at(2)),
      ];
      for (const index of [...shuffled, ...repeated]) await facts[index]?.();

      expect(await lookAt(stores, groupId, leaves)).toBeNull();
      expect(await lookAt(stores, groupId, stays)).toMatchObject({ head: at(2) });
      expect(await lookAt(stores, groupId, returns)).toMatchObject({ head: at(2) });
      const live = (
        await stores.ledger.messages.newest(groupId, '00000000000000000000' as ReturnType<typeof at>, 10)
      )
        .filter(({ deleted }) => !deleted)
        .map(({ position }) => position);
      expect(live).toEqual([at(1)]);
    }),
    { numRuns: 25 },
  );
});
