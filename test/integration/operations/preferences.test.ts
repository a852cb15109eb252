import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import { describe, expect, test } from '@jest/globals';
import type { Belonging } from '../../../shared/domain/belonging.ts';
import type { Member } from '../../../shared/domain/ids.ts';
import { END, START } from '../../../shared/domain/position.ts';
import { membershipKey } from '../../../shared/ledger/keys.ts';
import { markDelivered } from '../../../shared/operations/mark-delivered.ts';
import { markGroups } from '../../../shared/operations/mark-groups.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { markUnread } from '../../../shared/operations/mark-unread.ts';
import { addMembers, applyJoin, applyLeave, removeMember } from '../../../shared/operations/members.ts';
import { deleteMessage, recordMessage } from '../../../shared/operations/messages.ts';
import {
  type PreferencesChange,
  readPreferences,
  setPreferences,
} from '../../../shared/operations/preferences.ts';
import type { Tidemark } from '../../../shared/operations/tidemark.ts';
import { connectDynamoDb } from '../../support/engines.ts';
import { at } from '../../support/positions.ts';
import { recordingOf } from '../../support/recordings.ts';
import { replacing } from '../../support/replacing.ts';
import { aGroup, aUser, forget, withTidemark } from '../../support/tidemark.ts';

const tidemark = withTidemark();

const DEFAULTS = {
  revision: 0,
  at: null,
  notify: 'all',
  mutedUntil: null,
  hideReceipts: false,
  archive: 'no',
  archivedAt: START,
};

/** Alice has sent 1, 2 and 3, and Bob has read 1. The cache knows it. */
async function aChat() {
  const [groupId, alice, bob] = [aGroup(), aUser('alice'), aUser('bob')];
  await addMembers(tidemark, groupId, [alice, bob]);
  const member = { groupId, userId: bob };
  const send = (userId: typeof bob, ...ids: number[]) => sendAll(tidemark, userId, ...ids);
  const sendAll = async (source: Tidemark, senderId: typeof bob, ...ids: number[]) => {
    for (const id of ids) await recordMessage(source, { groupId, position: at(id), senderId });
  };
  await send(alice, 1, 2, 3);
  await markRead(tidemark, member, at(1));
  const set = (change: PreferencesChange, source: Tidemark = tidemark) =>
    setPreferences(source, member, change);
  const read = (id: number, source: Tidemark = tidemark) => markRead(source, member, at(id));
  /** Own view, public watermark and what was delivered, as the ledger holds them. */
  const registers = async () => {
    const state = await tidemark.ledger.memberships.read(member);
    if (state?.kind !== 'member') return null;
    return [state.self, state.public, state.delivered].map(({ position }) => Number(position));
  };
  return { groupId, alice, bob, member, send, sendAll, set, read, registers };
}

const withCache = (methods: Partial<Tidemark['cache']>): Tidemark => ({
  ...tidemark,
  cache: replacing(tidemark.cache, methods),
});

/** An instance whose merges after its writes never reach the cache. */
const cutOff = () => withCache({ mergeFor: async () => null, merge: async () => false });

/** An instance that does another thing right before its first conditional move of a membership. */
function interrupted(act: () => Promise<unknown>): Tidemark {
  const { ledger } = tidemark;
  let isDone = false;
  const change: typeof ledger.memberships.change = async (...args) => {
    if (!isDone) {
      isDone = true;
      await act();
    }
    return ledger.memberships.change(...args);
  };
  return { ...tidemark, ledger: { ...ledger, memberships: replacing(ledger.memberships, { change }) } };
}

async function itemOf(member: Member) {
  const dynamodb = connectDynamoDb();
  try {
    const command = new GetItemCommand({ TableName: tidemark.tableName, Key: membershipKey(member) });
    return (await dynamodb.send(command)).Item;
  } finally {
    dynamodb.destroy();
  }
}

const preferencesIn = async (member: Member) =>
  (await readPreferences(tidemark, member))?.membership.preferences;

describe('preferences', () => {
  test('are the defaults until they are changed', async () => {
    const { member } = await aChat();
    expect(await readPreferences(tidemark, member)).toMatchObject({
      membership: { preferences: DEFAULTS },
      archived: false,
    });
  });

  test('keep what another device changes at the same time', async () => {
    const { member, set } = await aChat();
    await Promise.all([
      set({ notify: 'mentions' }),
      set({ mutedUntil: 1_900_000_000_000 }),
      set({ hideReceipts: true }),
      set({ archive: 'always' }),
    ]);
    expect(await preferencesIn(member)).toEqual({
      revision: 4,
      at: expect.any(Number),
      notify: 'mentions',
      mutedUntil: 1_900_000_000_000,
      hideReceipts: true,
      archive: 'always',
      archivedAt: START,
    });
    expect((await tidemark.cache.read(member))?.state).toEqual(
      await tidemark.ledger.memberships.read(member),
    );
  });

  test('return to the defaults, and the item then has only their revision and time', async () => {
    const { groupId, bob, member, set } = await aChat();
    await set({ notify: 'none', mutedUntil: 5, hideReceipts: true, archive: 'untilNew' });
    await set({ notify: 'all', mutedUntil: null, hideReceipts: false, archive: 'no' });
    expect(await preferencesIn(member)).toEqual({ ...DEFAULTS, revision: 2, at: expect.any(Number) });
    expect((await tidemark.cache.read({ groupId, userId: bob }))?.state).toMatchObject({
      preferences: { ...DEFAULTS, revision: 2, at: expect.any(Number) },
    });
  });

  test('stay as they are if a change changes nothing', async () => {
    const { member, set } = await aChat();
    const changes: PreferencesChange[] = [
      { notify: 'mentions' },
      { mutedUntil: 7 },
      { hideReceipts: true },
      { archive: 'untilNew' },
      { archive: 'always' },
      { notify: 'all', mutedUntil: null },
      { hideReceipts: false },
      { archive: 'no' },
    ];
    for (const [index, change] of changes.entries()) {
      const first = await set(change);
      expect(first?.membership.preferences).toMatchObject({ ...change, revision: index + 1 });
      expect(await set(change)).toEqual(first);
      expect(await preferencesIn(member)).toEqual(first?.membership.preferences);
    }
  });

  test('belong to members: for any other user nothing is left, also where marks make members', async () => {
    const [groupId, mallory] = [aGroup(), aUser('mallory')];
    for (const source of [tidemark, { ...tidemark, mode: 'open' as const }]) {
      for (const change of [
        { notify: 'none' },
        { hideReceipts: true },
        { hideReceipts: false },
        { archive: 'untilNew' },
      ] as const) {
        expect(await setPreferences(source, { groupId, userId: mallory }, change)).toBeNull();
      }
      expect(await readPreferences(source, { groupId, userId: mallory })).toBeNull();
    }
    expect(await tidemark.ledger.memberships.readBelonging({ groupId, userId: mallory })).toMatchObject({
      state: null,
    });
    expect(await tidemark.redis.keys(`tm:{${groupId}}:*`)).toEqual([]);
  });

  test('are forgotten by leaving, and a later membership starts above their revision', async () => {
    const { groupId, bob, member, set } = await aChat();
    await set({ hideReceipts: true, notify: 'none' });
    await set({ notify: 'mentions' });
    await markUnread(tidemark, member, at(1));
    await recordMessage(tidemark, { groupId, position: at(4), senderId: bob });
    await removeMember(tidemark, member);
    expect(Object.keys((await itemOf(member)) ?? {}).toSorted()).toEqual([
      ...['PK', 'SK', 'expiresAt', 'formerUserId', 'generation', 'groupId', 'kind', 'leftAt', 'self'],
    ]);
    expect(await set({ hideReceipts: false })).toBeNull();
    expect(await set({ notify: 'none' })).toBeNull();
    await addMembers(tidemark, groupId, [bob]);
    const again = await readPreferences(tidemark, member);
    expect(again?.membership).toMatchObject({ preferences: DEFAULTS, firstRevision: expect.any(Number) });
    expect(again?.membership.firstRevision).toBeGreaterThan(2);
    expect((await tidemark.cache.read(member))?.state).toMatchObject({ preferences: DEFAULTS });
  });

  test('of a membership that goes on stay when a late joining arrives', async () => {
    const { member, set } = await aChat();
    await set({ hideReceipts: true });
    const joinedAtMs = 1_700_000_000_000;
    await applyJoin(tidemark, member, { joinedAtMs, joinedAfter: null });
    expect(await preferencesIn(member)).toMatchObject({ revision: 1, hideReceipts: true });
    // A departure before that joining ends nothing.
    await applyLeave(tidemark, member, joinedAtMs - 1);
    expect(await preferencesIn(member)).toMatchObject({ revision: 1, hideReceipts: true });
  });

  test('changed while a late joining is written are kept', async () => {
    const { member, set } = await aChat();
    for (let round = 1; round <= 20; round += 1) {
      const joinedAtMs = 1_700_000_000_000 - round;
      await Promise.all([
        set({ mutedUntil: round }),
        applyJoin(tidemark, member, { joinedAtMs, joinedAfter: null }),
      ]);
      expect(await preferencesIn(member)).toMatchObject({ revision: round, mutedUntil: round });
    }
  });
});

describe('an archived group', () => {
  const isArchived = async (member: Member) => (await readPreferences(tidemark, member))?.archived;

  test('comes back by itself with a new message, and can be archived again', async () => {
    const { alice, member, send, set } = await aChat();
    expect(await set({ archive: 'untilNew' })).toMatchObject({ archived: true });
    expect(await preferencesIn(member)).toMatchObject({ archivedAt: at(3) });
    await send(alice, 2);
    expect(await isArchived(member)).toBe(true);
    await send(alice, 4);
    expect(await isArchived(member)).toBe(false);
    expect(await set({ notify: 'none' })).toMatchObject({ archived: false });
    expect(await preferencesIn(member)).toMatchObject({
      archive: 'untilNew',
      archivedAt: at(3),
      revision: 2,
    });
    expect(await set({ archive: 'untilNew' })).toMatchObject({ archived: true });
    expect(await preferencesIn(member)).toMatchObject({ archivedAt: at(4), revision: 3 });
  });

  test('stays archived with `always`, until the member takes it out', async () => {
    const { alice, member, send, set } = await aChat();
    await set({ archive: 'untilNew' });
    expect(await set({ archive: 'always' })).toMatchObject({ archived: true });
    await send(alice, 4);
    expect(await isArchived(member)).toBe(true);
    expect(await set({ archive: 'no' })).toMatchObject({ archived: false });
    expect(await isArchived(member)).toBe(false);
  });

  test('without messages comes back with the first one', async () => {
    const [groupId, bob] = [aGroup(), aUser('bob')];
    await addMembers(tidemark, groupId, [bob]);
    const member = { groupId, userId: bob };
    expect(await setPreferences(tidemark, member, { archive: 'untilNew' })).toMatchObject({ archived: true });
    expect(await isArchived(member)).toBe(true);
    await recordMessage(tidemark, { groupId, position: at(1), senderId: aUser('alice') });
    expect(await isArchived(member)).toBe(false);
  });

  test('is archived at the newest message that any device has seen', async () => {
    const { alice, member, send, set } = await aChat();
    const { ledger } = tidemark;
    // This device has read the head; before it writes, a message arrives and another device archives the group.
    const heads = replacing(ledger.heads, {
      read: async (groupId) => {
        const head = await ledger.heads.read(groupId);
        await send(alice, 4);
        await set({ archive: 'untilNew' });
        return head;
      },
    });
    await set({ archive: 'untilNew' }, { ...tidemark, ledger: { ...ledger, heads } });
    expect(await preferencesIn(member)).toMatchObject({ archivedAt: at(4), revision: 1 });
    expect(await isArchived(member)).toBe(true);
  });

  test('is the same without the cache', async () => {
    const { alice, send, set } = await aChat();
    const deaf = withCache({
      read: async () => null,
      mergeFor: async () => null,
      merge: async () => false,
      doubt: async () => null,
    });
    expect(await set({ archive: 'untilNew', hideReceipts: false }, deaf)).toMatchObject({ archived: true });
    await send(alice, 4);
    expect(await set({ notify: 'none' }, deaf)).toMatchObject({ archived: false });
  });
});

describe('while receipts are hidden', () => {
  test('reading moves only the own view', async () => {
    const { groupId, bob, member, set, read, registers } = await aChat();
    await set({ hideReceipts: true });
    expect(await read(2)).toMatchObject({
      advanced: true,
      view: { membership: { self: { position: at(2) } } },
    });
    expect(await registers()).toEqual([2, 1, 1]);
    await markGroups(tidemark, bob, [{ groupId, position: END, kind: 'read', ifRevision: null }]);
    expect(await registers()).toEqual([3, 1, 1]);
    await markUnread(tidemark, member, at(2));
    await markRead(tidemark, member, at(3), { isPrivate: false, ifRevision: 0 });
    expect(await registers()).toEqual([1, 1, 1]);
  });

  test('what is delivered is still shown', async () => {
    const { member, set, registers } = await aChat();
    await set({ hideReceipts: true });
    await markDelivered(tidemark, member, at(3));
    expect(await registers()).toEqual([1, 1, 3]);
  });

  test('sending moves only the own view', async () => {
    const { alice, bob, send, set, registers } = await aChat();
    await set({ hideReceipts: true });
    await send(bob, 4);
    expect(await registers()).toEqual([4, 1, 1]);
    await send(alice, 5);
    await send(bob, 6);
    expect(await registers()).toEqual([6, 1, 1]);
  });

  test('muting and archiving move nothing that others see', async () => {
    const { member, set, registers } = await aChat();
    const before = await tidemark.ledger.memberships.read(member);
    await set({ notify: 'none', mutedUntil: 1_900_000_000_000, archive: 'always' });
    expect(await tidemark.ledger.memberships.read(member)).toEqual({
      ...before,
      preferences: expect.objectContaining({ revision: 1 }),
    });
    expect(await registers()).toEqual([1, 1, 1]);
  });

  test('a mark that overtook its message stays private, though the receipts are shown by then', async () => {
    const { alice, send, set, read, registers } = await aChat();
    await read(3);
    await set({ hideReceipts: true });
    expect(await read(4)).toMatchObject({ clamped: true });
    await set({ hideReceipts: false });
    await send(alice, 4);
    expect(await registers()).toEqual([4, 3, 3]);
  });

  test('a mark that overtook its message stays private, though the cache does not know that they are hidden', async () => {
    const { alice, send, set, read, registers } = await aChat();
    await read(3);
    await set({ hideReceipts: true }, cutOff());
    expect(await read(4)).toMatchObject({ clamped: true });
    await set({ hideReceipts: false });
    await send(alice, 4);
    expect(await registers()).toEqual([4, 3, 3]);
  });

  test('a mark that overtook its message before is private if its message comes now', async () => {
    const { alice, send, set, read, registers } = await aChat();
    await read(4);
    expect(await registers()).toEqual([3, 3, 3]);
    await set({ hideReceipts: true });
    await send(alice, 4);
    expect(await registers()).toEqual([4, 3, 3]);
  });

  test('the repetition of an own message does not undo a mark unread', async () => {
    const { bob, member, send, set, registers } = await aChat();
    await set({ hideReceipts: true });
    await send(bob, 4);
    await markUnread(tidemark, member, at(2));
    await send(bob, 4);
    expect(await registers()).toEqual([1, 1, 1]);
  });

  test('the repetition of an own message below the own view does not undo a mark unread', async () => {
    const { bob, member, send, set, read, registers } = await aChat();
    await send(aUser('carol'), 9);
    await set({ hideReceipts: true });
    await read(9);
    await send(bob, 5);
    await send(bob, 4);
    await markUnread(tidemark, member, at(2));
    await send(bob, 5);
    await send(bob, 4);
    expect(await registers()).toEqual([1, 1, 1]);
  });

  test('the repetition of a joining does not undo a mark unread', async () => {
    const [groupId, alice, bob] = [aGroup(), aUser('alice'), aUser('bob')];
    const member = { groupId, userId: bob };
    const joining = { joinedAtMs: Date.now() - 1_000, joinedAfter: null };
    await applyJoin(tidemark, member, joining);
    for (const senderId of [alice, bob, alice]) {
      const id = { [alice]: 1, [bob]: 2 }[senderId] ?? 0;
      await recordMessage(tidemark, { groupId, position: at(id), senderId });
    }
    await setPreferences(tidemark, member, { hideReceipts: true });
    await recordMessage(tidemark, { groupId, position: at(3), senderId: bob });
    await markUnread(tidemark, member, at(1));
    await applyJoin(tidemark, member, joining);
    await setPreferences(tidemark, member, { hideReceipts: false });
    await applyJoin(tidemark, member, joining);
    expect(await tidemark.ledger.memberships.read(member)).toMatchObject({
      self: { position: START, revision: 1 },
      public: { position: at(2) },
    });
  });

  test('an own message that was not followed to its end is followed by its repetition', async () => {
    const { bob, groupId, send, set, registers } = await aChat();
    await set({ hideReceipts: true });
    // The first recording ended before it moved the sender.
    await tidemark.ledger.messages.record(groupId, recordingOf(bob, 4), Date.now());
    await send(bob, 4);
    expect(await registers()).toEqual([4, 1, 1]);
  });
});

describe('when receipts are shown again', () => {
  test('nothing read or sent before becomes public by itself, and the next mark does, of the same message too', async () => {
    const { bob, member, send, set, read, registers } = await aChat();
    await set({ hideReceipts: true });
    await read(3);
    await send(bob, 4);
    await set({ hideReceipts: false });
    expect(await registers()).toEqual([4, 1, 1]);
    // A back end may send its message again, and a delivered mark is no reading.
    await send(bob, 4);
    expect(await registers()).toEqual([4, 1, 1]);
    await markDelivered(tidemark, member, at(4));
    expect(await registers()).toEqual([4, 1, 4]);
    expect(await read(3)).toMatchObject({ advanced: true });
    expect(await registers()).toEqual([4, 3, 4]);
    expect(await read(4)).toMatchObject({ advanced: true });
    expect(await registers()).toEqual([4, 4, 4]);
  });

  test('the repetition of an own message moves nothing public, though a late departure took the own view back', async () => {
    const { alice, bob, member, groupId, send, registers } = await aChat();
    await send(alice, 4);
    await tidemark.ledger.messages.record(groupId, recordingOf(bob, 5), Date.now());
    const known = await tidemark.ledger.memberships.readBelonging(member);
    const noteSent = (): Belonging => ({ ...known, sentHidden: at(5) });
    await tidemark.ledger.memberships.changeBelonging(member, noteSent, Date.now());
    await send(bob, 5);
    expect(await registers()).toEqual([1, 1, 1]);
    await send(bob, 6);
    expect(await registers()).toEqual([6, 6, 6]);
  });

  test('sending moves the public watermark again', async () => {
    const { bob, send, set, registers } = await aChat();
    await set({ hideReceipts: true });
    await send(bob, 4);
    await set({ hideReceipts: false });
    await send(bob, 5);
    expect(await registers()).toEqual([5, 5, 5]);
  });

  test('a mark does not seem to be stored already, though the cache does not know it yet', async () => {
    const { set, read, registers } = await aChat();
    await set({ hideReceipts: true });
    await read(3);
    await set({ hideReceipts: false }, cutOff());
    expect(await read(3)).toMatchObject({ advanced: true });
    expect(await registers()).toEqual([3, 3, 3]);
  });

  test('the same holds if the cache does not hold the member at first', async () => {
    const { groupId, member, set, read, registers } = await aChat();
    await set({ hideReceipts: true });
    await read(3);
    await forget(tidemark.redis, groupId);
    // Before the write, another call brings the old copy into the cache.
    const { ledger } = tidemark;
    const memberships = replacing(ledger.memberships, {
      setPreferences: async (...args) => {
        await markRead(tidemark, member, at(2));
        return ledger.memberships.setPreferences(...args);
      },
    });
    const mergesMembers = tidemark.cache.merge.bind(tidemark.cache);
    const source = {
      ...tidemark,
      ledger: { ...ledger, memberships },
      cache: replacing(tidemark.cache, { mergeFor: async () => null, merge: mergesMembers }),
    };
    await set({ hideReceipts: false }, source);
    expect(await read(3)).toMatchObject({ advanced: true });
    expect(await registers()).toEqual([3, 3, 3]);
  });

  test('no doubt is left if nothing changes, and if the user is not a member', async () => {
    const { groupId, bob, member, set } = await aChat();
    await set({ hideReceipts: false });
    tidemark.takeCalls();
    await markRead(tidemark, member, at(1));
    expect(tidemark.takeCalls()).toEqual(['cache']);
    await tidemark.ledger.memberships.changeBelonging(
      { groupId, userId: bob },
      (known) => ({ ...known, state: { kind: 'departed', generation: Date.now() + 1_000 }, joinings: [] }),
      Date.now(),
    );
    expect(await set({ hideReceipts: false })).toBeNull();
    expect(await tidemark.redis.exists(`tm:{${groupId}}:doubts`)).toBe(0);
  });
});

describe('a race', () => {
  test('between hiding and a mark that has read the old state: nothing public moves', async () => {
    const { bob, groupId, set, read, registers } = await aChat();
    const hide = () => set({ hideReceipts: true });
    expect(await read(3, interrupted(hide))).toMatchObject({ advanced: true });
    expect(await registers()).toEqual([3, 1, 1]);
    await set({ hideReceipts: false });
    await markGroups(interrupted(hide), bob, [
      { groupId, position: at(2), kind: 'read', ifRevision: null },
      { groupId, position: at(3), kind: 'delivered', ifRevision: null },
    ]);
    expect(await registers()).toEqual([3, 1, 3]);
  });

  test('between hiding and an early mark that is applied: nothing public moves', async () => {
    const { alice, sendAll, set, read, registers } = await aChat();
    await read(3);
    await read(4);
    await sendAll(
      interrupted(() => set({ hideReceipts: true })),
      alice,
      4,
    );
    expect(await registers()).toEqual([4, 3, 3]);
  });

  test('between hiding and sending: nothing public moves', async () => {
    const { bob, sendAll, set, registers } = await aChat();
    const { ledger } = tidemark;
    const memberships = replacing(ledger.memberships, {
      raise: async (...args) => {
        await set({ hideReceipts: true });
        return ledger.memberships.raise(...args);
      },
    });
    await sendAll({ ...tidemark, ledger: { ...ledger, memberships } }, bob, 4);
    expect(await registers()).toEqual([4, 1, 1]);
  });

  test('of a mark with a cache that has an old copy: nothing public moves', async () => {
    const { set, read, registers } = await aChat();
    await set({ hideReceipts: true }, cutOff());
    expect(await read(3)).toMatchObject({ advanced: true });
    expect(await registers()).toEqual([3, 1, 1]);
  });

  test('of many marks with hiding: the public watermark stays where it was when hiding was answered', async () => {
    const { alice, send, set, read, registers } = await aChat();
    await send(alice, ...Array.from({ length: 30 }, (_, index) => index + 4));
    const marks = Array.from({ length: 30 }, (_, index) => read(index + 4));
    await set({ hideReceipts: true });
    const [, shown] = (await registers()) ?? [];
    await Promise.all(marks);
    expect(await registers()).toEqual([33, shown, shown]);
  });
});

test('a deleted message and a departure leave nothing of hidden receipts', async () => {
  const { groupId, bob, member, send, set, registers } = await aChat();
  await set({ hideReceipts: true });
  await send(bob, 4);
  await deleteMessage(tidemark, groupId, at(4));
  await removeMember(tidemark, member);
  await addMembers(tidemark, groupId, [bob]);
  expect(await registers()).toEqual([4, 4, 4]);
  expect(await tidemark.ledger.memberships.readBelonging(member)).toMatchObject({ sentHidden: null });
  await send(bob, 5);
  expect(await registers()).toEqual([5, 5, 5]);
});
