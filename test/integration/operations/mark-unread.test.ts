import { describe, expect, test } from '@jest/globals';
import type { GroupCache } from '../../../shared/cache/group-cache.ts';
import type { GroupId, UserId } from '../../../shared/domain/ids.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { markUnread } from '../../../shared/operations/mark-unread.ts';
import { addMembers } from '../../../shared/operations/members.ts';
import { readStatuses } from '../../../shared/operations/message-statuses.ts';
import { recordMessage } from '../../../shared/operations/messages.ts';
import { type OwnView, readOwnView } from '../../../shared/operations/own-view.ts';
import type { Tidemark } from '../../../shared/operations/tidemark.ts';
import { at } from '../../support/positions.ts';
import { replacing } from '../../support/replacing.ts';
import { aGroup, aUser, withTidemark } from '../../support/tidemark.ts';

const tidemark = withTidemark();

/** A reader who has read all ten messages, which the cache knows. */
async function prepare(): Promise<{ groupId: GroupId; reader: UserId }> {
  const [groupId, sender, reader] = [aGroup(), aUser('sender'), aUser('reader')];
  await addMembers(tidemark, groupId, [sender, reader]);
  for (let id = 1; id <= 10; id += 1) {
    await recordMessage(tidemark, { groupId, position: at(id), senderId: sender });
  }
  await markRead(tidemark, { groupId, userId: reader }, at(10));
  return { groupId, reader };
}

const own = (view: OwnView | null | undefined) =>
  view && [view.membership.self.position, view.membership.self.revision, view.unread?.count];

/** An instance whose merges after its writes never reach the cache. */
const cutOff = () => withCache({ mergeFor: async () => null });

/** The same, and its reads of the cache fail too. */
const deaf = () => withCache({ mergeFor: async () => null, read: async () => null, doubt: async () => null });

function withCache(methods: Partial<GroupCache>): Tidemark {
  return { ...tidemark, cache: replacing(tidemark.cache, methods) };
}

describe('marking unread', () => {
  test('moves the own view back and nothing else', async () => {
    const { groupId, reader } = await prepare();
    expect(own(await markUnread(tidemark, { groupId, userId: reader }, at(4)))).toEqual([at(3), 1, 7]);
    expect(await tidemark.ledger.memberships.read({ groupId, userId: reader })).toMatchObject({
      self: { position: at(3), revision: 1 },
      public: { position: at(10) },
      delivered: { position: at(10) },
    });
    expect(own(await readOwnView(tidemark, { groupId, userId: reader }))).toEqual([at(3), 1, 7]);
  });

  test('is visible even if its merge is lost, and the next mark does not seem stored already', async () => {
    const { groupId, reader } = await prepare();
    expect(own(await markUnread(cutOff(), { groupId, userId: reader }, at(4)))).toEqual([at(3), 1, 7]);
    expect((await readStatuses(tidemark, { groupId, userId: reader }, [at(4)]))?.watermark).toBe(at(3));

    await markUnread(cutOff(), { groupId, userId: reader }, at(2));
    const marked = await markRead(tidemark, { groupId, userId: reader }, at(10));
    expect(marked?.advanced).toBe(true);
    expect(await tidemark.ledger.memberships.read({ groupId, userId: reader })).toMatchObject({
      self: { position: at(10), revision: 2 },
    });
  });

  test('by two devices at once is visible, whichever of the two finishes first', async () => {
    const { groupId, reader } = await prepare();
    const { ledger } = tidemark;
    // The other device marks unread completely between this one's doubt and its write; then this one's merge is lost.
    const change: typeof ledger.memberships.change = async (...args) => {
      await markUnread(tidemark, { groupId, userId: reader }, at(8));
      return ledger.memberships.change(...args);
    };
    const memberships = replacing(ledger.memberships, { change });
    const overtaken = { ...cutOff(), ledger: { ...ledger, memberships } };
    await markUnread(overtaken, { groupId, userId: reader }, at(4));
    const marked = await markRead(tidemark, { groupId, userId: reader }, at(6));
    expect([marked?.advanced, own(marked?.view)]).toEqual([true, [at(6), 2, 4]]);
  });

  test('decides by the ledger, never by the cache, that there is nothing to do', async () => {
    const { groupId, reader } = await prepare();
    await markUnread(tidemark, { groupId, userId: reader }, at(4));
    // The cache lacks the later mark of the reader.
    await markRead(deaf(), { groupId, userId: reader }, at(10));
    expect(own(await markUnread(tidemark, { groupId, userId: reader }, at(5)))).toEqual([at(4), 2, 6]);
  });

  test('that moves nothing leaves no doubt', async () => {
    const { groupId, reader } = await prepare();
    expect(own(await markUnread(tidemark, { groupId, userId: reader }, at(11)))).toEqual([at(10), 0, 0]);
    tidemark.takeCalls();
    await readOwnView(tidemark, { groupId, userId: reader });
    expect(tidemark.takeCalls()).toEqual(['cache']);
  });
});

describe('a mark that names a revision', () => {
  test('is in conflict by the revision in the ledger if the cache is behind', async () => {
    const { groupId, reader } = await prepare();
    await markUnread(deaf(), { groupId, userId: reader }, at(4));
    const known = { isPrivate: false, ifRevision: 1 };
    const marked = await markRead(tidemark, { groupId, userId: reader }, at(6), known);
    expect([marked?.isConflict, marked?.advanced, own(marked?.view)]).toEqual([false, true, [at(6), 1, 4]]);
  });

  test('uses the revision that its write finds, if that rises in between', async () => {
    const { groupId, reader } = await prepare();
    await recordMessage(tidemark, { groupId, position: at(12), senderId: aUser('guest') });
    const { ledger } = tidemark;
    const change: typeof ledger.memberships.change = async (...args) => {
      await markUnread(tidemark, { groupId, userId: reader }, at(4));
      return ledger.memberships.change(...args);
    };
    const memberships = replacing(ledger.memberships, { change });
    const overtaken = { ...tidemark, ledger: { ...ledger, memberships } };
    const known = { isPrivate: false, ifRevision: 1 };
    const marked = await markRead(overtaken, { groupId, userId: reader }, at(12), known);
    expect([marked?.isConflict, marked?.advanced, own(marked?.view)]).toEqual([false, true, [at(12), 1, 0]]);
  });

  test('does not move an own view with a newer revision that the cache lacks', async () => {
    const { groupId, reader } = await prepare();
    await markUnread(tidemark, { groupId, userId: reader }, at(8));
    await markUnread(deaf(), { groupId, userId: reader }, at(4));
    const marked = await markRead(tidemark, { groupId, userId: reader }, at(9), {
      isPrivate: true,
      ifRevision: 1,
    });
    expect([marked?.isConflict, marked?.advanced]).toEqual([true, false]);
    expect(await tidemark.ledger.memberships.read({ groupId, userId: reader })).toMatchObject({
      self: { position: at(3), revision: 2 },
    });
  });
});
