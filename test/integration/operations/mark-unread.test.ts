import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { GroupCache } from '../../../shared/cache/group-cache.ts';
import type { GroupId, UserId } from '../../../shared/domain/ids.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { markUnread } from '../../../shared/operations/mark-unread.ts';
import { addMembers } from '../../../shared/operations/members.ts';
import { readStatuses } from '../../../shared/operations/message-statuses.ts';
import { recordMessage } from '../../../shared/operations/messages.ts';
import { lookAt, type OwnView } from '../../../shared/operations/own-view.ts';
import type { Stores } from '../../../shared/operations/stores.ts';
import { at } from '../../support/positions.ts';
import { replacing } from '../../support/replacing.ts';
import { aGroup, aUser, type CountedStores, openStores } from '../../support/stores.ts';

let stores: CountedStores;
beforeAll(async () => {
  stores = await openStores();
});
afterAll(() => stores.close());

/** A reader who has read all ten messages, which the cache knows. */
async function prepare(): Promise<{ groupId: GroupId; reader: UserId }> {
  const [groupId, sender, reader] = [aGroup(), aUser('sender'), aUser('reader')];
  await addMembers(stores, groupId, [sender, reader]);
  for (let id = 1; id <= 10; id += 1) {
    await recordMessage(stores, { groupId, position: at(id), senderId: sender });
  }
  await markRead(stores, groupId, reader, at(10), 'strict');
  return { groupId, reader };
}

const own = (view: OwnView | null | undefined) =>
  view && [view.membership.self.position, view.membership.self.revision, view.unread?.count];

/** An instance whose news of what it wrote never reach the cache. */
const cutOff = () => withCache({ mergeFor: async () => null });

/** The same where it hears nothing of the cache either. */
const deaf = () => withCache({ mergeFor: async () => null, read: async () => null, doubt: async () => null });

function withCache(methods: Partial<GroupCache>): Stores {
  return { ...stores, cache: replacing(stores.cache, methods) };
}

describe('marking unread', () => {
  test('moves the own view back and nothing else', async () => {
    const { groupId, reader } = await prepare();
    expect(own(await markUnread(stores, groupId, reader, at(4)))).toEqual([at(3), 1, 7]);
    expect(await stores.ledger.memberships.read(reader, groupId)).toMatchObject({
      self: { position: at(3), revision: 1 },
      public: { position: at(10) },
      delivered: { position: at(10) },
    });
    expect(own(await lookAt(stores, groupId, reader))).toEqual([at(3), 1, 7]);
  });

  test('is visible even if its merge is lost, and the next mark does not seem stored already', async () => {
    const { groupId, reader } = await prepare();
    expect(own(await markUnread(cutOff(), groupId, reader, at(4)))).toEqual([at(3), 1, 7]);
    expect((await readStatuses(stores, groupId, reader, [at(4)]))?.watermark).toBe(at(3));

    await markUnread(cutOff(), groupId, reader, at(2));
    const marked = await markRead(stores, groupId, reader, at(10), 'strict');
    expect(marked?.advanced).toBe(true);
    expect(await stores.ledger.memberships.read(reader, groupId)).toMatchObject({
      self: { position: at(10), revision: 2 },
    });
  });

  test('by two devices at once is visible, whichever of the two finishes first', async () => {
    const { groupId, reader } = await prepare();
    const { ledger } = stores;
    // The other device marks unread and is done, between this one's doubt and its write; then this one's news are lost.
    const change: typeof ledger.memberships.change = async (...asked) => {
      await markUnread(stores, groupId, reader, at(8));
      return ledger.memberships.change(...asked);
    };
    const memberships = replacing(ledger.memberships, { change });
    const overtaken = { ...cutOff(), ledger: { ...ledger, memberships } };
    await markUnread(overtaken, groupId, reader, at(4));
    const marked = await markRead(stores, groupId, reader, at(6), 'strict');
    expect([marked?.advanced, own(marked?.view)]).toEqual([true, [at(6), 2, 4]]);
  });

  test('decides by the ledger, never by the cache, that there is nothing to do', async () => {
    const { groupId, reader } = await prepare();
    await markUnread(stores, groupId, reader, at(4));
    // The cache has not heard that the reader has come forward again.
    await markRead(deaf(), groupId, reader, at(10), 'strict');
    expect(own(await markUnread(stores, groupId, reader, at(5)))).toEqual([at(4), 2, 6]);
  });

  test('that moves nothing leaves no doubt', async () => {
    const { groupId, reader } = await prepare();
    expect(own(await markUnread(stores, groupId, reader, at(11)))).toEqual([at(10), 0, 0]);
    stores.takeCalls();
    await lookAt(stores, groupId, reader);
    expect(stores.takeCalls()).toEqual(['cache']);
  });
});

describe('a mark that names a revision', () => {
  test('is in conflict by the revision in the ledger if the cache is behind', async () => {
    const { groupId, reader } = await prepare();
    await markUnread(deaf(), groupId, reader, at(4));
    const known = { isPrivate: false, ifRevision: 1 };
    const marked = await markRead(stores, groupId, reader, at(6), 'strict', known);
    expect([marked?.isConflict, marked?.advanced, own(marked?.view)]).toEqual([false, true, [at(6), 1, 4]]);
  });

  test('uses the revision that its write finds, if that rises in between', async () => {
    const { groupId, reader } = await prepare();
    await recordMessage(stores, { groupId, position: at(12), senderId: aUser('guest') });
    const { ledger } = stores;
    const change: typeof ledger.memberships.change = async (...asked) => {
      await markUnread(stores, groupId, reader, at(4));
      return ledger.memberships.change(...asked);
    };
    const memberships = replacing(ledger.memberships, { change });
    const overtaken = { ...stores, ledger: { ...ledger, memberships } };
    const known = { isPrivate: false, ifRevision: 1 };
    const marked = await markRead(overtaken, groupId, reader, at(12), 'strict', known);
    expect([marked?.isConflict, marked?.advanced, own(marked?.view)]).toEqual([false, true, [at(12), 1, 0]]);
  });

  test('does not move an own view with a newer revision that the cache lacks', async () => {
    const { groupId, reader } = await prepare();
    await markUnread(stores, groupId, reader, at(8));
    await markUnread(deaf(), groupId, reader, at(4));
    const marked = await markRead(stores, groupId, reader, at(9), 'strict', {
      isPrivate: true,
      ifRevision: 1,
    });
    expect([marked?.isConflict, marked?.advanced]).toEqual([true, false]);
    expect(await stores.ledger.memberships.read(reader, groupId)).toMatchObject({
      self: { position: at(3), revision: 2 },
    });
  });
});
