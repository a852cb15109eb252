import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { markRead } from '../../../shared/watermarks/mark-read.ts';
import { addMembers, removeMember } from '../../../shared/watermarks/members.ts';
import { readWatermark } from '../../../shared/watermarks/message-status.ts';
import { recordMessage } from '../../../shared/watermarks/messages.ts';
import { lookAt } from '../../../shared/watermarks/own-view.ts';
import { at } from '../../support/positions.ts';
import { aGroup, aUser, type CountedStores, openStores } from '../../support/stores.ts';

let stores: CountedStores;
beforeAll(async () => {
  stores = await openStores();
  // The scripts' first use of all is one call more: Redis does not know them yet.
  await stores.cache.probe();
  await stores.cache.merge(aGroup(), []);
});
afterAll(() => stores.close());

/** A group whose members and messages the cache holds. */
async function aWarmGroup() {
  const [groupId, sender, reader] = [aGroup(), aUser('sender'), aUser('reader')];
  await addMembers(stores, groupId, [sender, reader]);
  for (const id of [1, 2, 3]) await recordMessage(stores, { groupId, position: at(id), senderId: sender });
  await lookAt(stores, groupId, reader);
  stores.takeCalls();
  return { groupId, sender, reader };
}

async function callsOf(operation: () => Promise<unknown>): Promise<string[]> {
  stores.takeCalls();
  await operation();
  return stores.takeCalls();
}

describe('network calls', () => {
  test('a mark that moves forward: cache, ledger, cache', async () => {
    const { groupId, reader } = await aWarmGroup();
    expect(await callsOf(() => markRead(stores, groupId, reader, at(2), 'strict'))).toEqual([
      'cache',
      'ledger UpdateItem',
      'cache',
    ]);
  });

  test('a mark that moves nothing: cache', async () => {
    const { groupId, reader } = await aWarmGroup();
    await markRead(stores, groupId, reader, at(3), 'strict');
    expect(await callsOf(() => markRead(stores, groupId, reader, at(2), 'strict'))).toEqual(['cache']);
    expect(await callsOf(() => markRead(stores, groupId, reader, at(3), 'strict'))).toEqual(['cache']);
  });

  test('the own watermark with its unread count, and the status of messages: cache', async () => {
    const { groupId, reader } = await aWarmGroup();
    expect(await callsOf(() => lookAt(stores, groupId, reader))).toEqual(['cache']);
    expect(await callsOf(() => readWatermark(stores, groupId, reader))).toEqual(['cache']);
  });

  test('recording a message: three writes side by side, then the cache', async () => {
    const { groupId, sender } = await aWarmGroup();
    const record = () => recordMessage(stores, { groupId, position: at(4), senderId: sender });
    expect(await callsOf(record)).toEqual([
      'ledger UpdateItem',
      'ledger UpdateItem',
      'ledger UpdateItem',
      'cache',
    ]);
  });

  test('joining and leaving', async () => {
    const { groupId, reader } = await aWarmGroup();
    expect(await callsOf(() => addMembers(stores, groupId, [aUser()]))).toEqual([
      'ledger GetItem',
      'ledger UpdateItem',
      'cache',
    ]);
    expect(await callsOf(() => removeMember(stores, groupId, reader))).toEqual([
      'ledger UpdateItem',
      'cache',
    ]);
  });

  test('do not grow with the group', async () => {
    const { groupId, reader } = await aWarmGroup();
    const others = Array.from({ length: 300 }, () => aUser());
    for (let start = 0; start < others.length; start += 100) {
      await addMembers(stores, groupId, others.slice(start, start + 100));
    }
    expect(await callsOf(() => lookAt(stores, groupId, reader))).toEqual(['cache']);
    expect(await callsOf(() => markRead(stores, groupId, reader, at(3), 'strict'))).toEqual([
      'cache',
      'ledger UpdateItem',
      'cache',
    ]);
  });
});
