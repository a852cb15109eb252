import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { CacheConnection } from '../../../shared/cache/connection.ts';
import { DEFAULT_GROUP_CACHE, GroupCache } from '../../../shared/cache/group-cache.ts';
import type { GroupId, UserId } from '../../../shared/domain/ids.ts';
import type { Membership } from '../../../shared/domain/membership.ts';
import { type Item, membershipItem } from '../../../shared/ledger/items.ts';
import { readInbox } from '../../../shared/operations/inbox.ts';
import { markGroups } from '../../../shared/operations/mark-groups.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { markUnread } from '../../../shared/operations/mark-unread.ts';
import { addMembers, removeMember } from '../../../shared/operations/members.ts';
import { deleteMessage, recordMessage } from '../../../shared/operations/messages.ts';
import { lookAt } from '../../../shared/operations/own-view.ts';
import { countReceipts, listReceipts } from '../../../shared/operations/receipts.ts';
import type { Stores } from '../../../shared/operations/stores.ts';
import { DeadLetters } from '../../../shared/stream/dead-letters.ts';
import { project } from '../../../shared/stream/project.ts';
import { RecentRecords } from '../../../shared/stream/recent-records.ts';
import { engines } from '../../support/engines.ts';
import { at } from '../../support/positions.ts';
import { countsOf } from '../../support/receipt-counts.ts';
import { replacing } from '../../support/replacing.ts';
import { aGroup, aUser, type CountedStores, forget, openStores } from '../../support/stores.ts';
import { KeptLetters } from '../../support/stream-records.ts';

let stores: CountedStores;
/** Keeps three messages of a group. */
let small: CountedStores;
beforeAll(async () => {
  stores = await openStores();
  small = await openStores({ capacity: 3 });
});
afterAll(async () => {
  await small.close();
  await stores.close();
});

const withCache = (methods: Partial<GroupCache>): Stores => ({
  ...stores,
  cache: replacing(stores.cache, methods),
});

/** An instance whose news of who joined or left never reach the cache. */
const cutOff = () => withCache({ merge: async () => false });

type Memberships = Stores['ledger']['memberships'];

const withMemberships = (methods: Partial<Memberships>, cache = stores.cache): Stores => ({
  ...stores,
  cache,
  ledger: { ...stores.ledger, memberships: replacing(stores.ledger.memberships, methods) },
});

/** An instance for which the ledger's list of members does not have one of them yet. */
function lacking(absentee: UserId): Stores {
  const { memberships } = stores.ledger;
  return withMemberships({
    page: async (...asked) => {
      const listed = await memberships.page(...asked);
      return { ...listed, members: listed.members.filter(({ userId }) => userId !== absentee) };
    },
    everyone: async function* (...asked) {
      for await (const member of memberships.everyone(...asked)) if (member.userId !== absentee) yield member;
    },
  });
}

/** What the projector tells the bus of one record of the ledger's stream. */
async function projected(source: Stores, before: Item | null, after: Item): Promise<string[]> {
  const types: string[] = [];
  const publish = async (events: readonly { readonly type: string }[]) => {
    types.push(...events.map(({ type }) => type));
    return [];
  };
  const told = new RecentRecords(10);
  const record = { sequenceNumber: '1', before, after };
  const deadLetters = new DeadLetters(new KeptLetters());
  const projection = { stores: source, publisher: { publish }, deadLetters, told };
  expect(await project(projection, [record])).toEqual([]);
  return types;
}

const headItem = (groupId: GroupId, id: number): Item => ({
  kind: { S: 'head' },
  groupId: { S: groupId },
  position: { S: at(id) },
});

/** Lets users join, whose memberships are told in the order given. */
async function join(source: Stores, groupId: GroupId, userIds: readonly UserId[]): Promise<Membership[]> {
  return (await addMembers(source, groupId, userIds)).map(({ membership }) => membership);
}

async function send(source: Stores, groupId: GroupId, senderId: UserId, ids: readonly number[]) {
  for (const id of ids) await recordMessage(source, { groupId, position: at(id), senderId });
}

async function read(source: Stores, groupId: GroupId, userId: UserId, id: number): Promise<Membership> {
  const marked = await markRead(source, groupId, userId, at(id), 'strict');
  if (!marked) throw new Error(`no member: ${userId}`);
  return marked.view.membership;
}

const countOf = async (source: Stores, groupId: GroupId, callerId: UserId, id: number) =>
  countsOf(await countReceipts(source, groupId, callerId, [at(id)]));

const ledgerCalls = () => stores.takeCalls().filter((call) => call.startsWith('ledger'));

describe('a backlog of the stream that is merged into an emptied cache', () => {
  test('does not bring back a member who has left since', async () => {
    const [groupId, sender, reader, former] = [aGroup(), aUser('sender'), aUser('reader'), aUser('former')];
    const [, , joined] = await join(stores, groupId, [sender, reader, former]);
    await send(stores, groupId, sender, [1]);
    const marked = await read(stores, groupId, former, 1);
    await removeMember(stores, groupId, former);
    await forget(stores.redis, groupId);
    // Whom an index of all members lacks, the projector asks the ledger about.
    expect(await countOf(stores, groupId, sender, 1)).toEqual([[1, 0, 0]]);

    const before = joined ? membershipItem(former, groupId, joined) : null;
    await projected(stores, before, membershipItem(former, groupId, marked));

    expect(await countOf(stores, groupId, sender, 1)).toEqual([[1, 0, 0]]);
    const readers = { state: 'read', limit: 10, after: null } as const;
    expect(await listReceipts(stores, groupId, sender, at(1), readers)).toMatchObject({
      page: { members: [], next: null },
    });
    expect(await countReceipts(stores, groupId, former, [at(1)])).toBeNull();
    expect(await listReceipts(stores, groupId, former, at(1), readers)).toBe('no-member');
    expect(await lookAt(stores, groupId, former)).toBeNull();
  });

  test('does not bring back a member who has left since, if nobody has read receipts', async () => {
    const [groupId, sender, former] = [aGroup(), aUser('sender'), aUser('former')];
    const [, joined] = await join(stores, groupId, [sender, former]);
    await send(stores, groupId, sender, [1]);
    const marked = await read(stores, groupId, former, 1);
    await removeMember(stores, groupId, former);
    await forget(stores.redis, groupId);

    const before = joined ? membershipItem(former, groupId, joined) : null;
    await projected(stores, before, membershipItem(former, groupId, marked));

    expect(await lookAt(stores, groupId, former)).toBeNull();
    expect(await markRead(stores, groupId, former, at(1), 'strict')).toBeNull();
    expect(await countReceipts(stores, groupId, former, [at(1)])).toBeNull();
  });

  test('hides no newer message from the inbox', async () => {
    const [groupId, sender, reader] = [aGroup(), aUser('sender'), aUser('reader')];
    await join(stores, groupId, [sender, reader]);
    await send(stores, groupId, sender, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    await read(stores, groupId, reader, 5);
    await forget(stores.redis, groupId);

    await projected(stores, headItem(groupId, 4), headItem(groupId, 5));

    const inbox = await readInbox(stores, reader, { unreadOnly: true, limit: 10, after: null });
    expect(inbox.groups).toMatchObject([{ groupId, head: at(10), unread: { count: 5, exact: true } }]);
  });
});

describe('a doubt of the own view', () => {
  /** A reader who has read all ten messages, which the cache knows. */
  async function prepare() {
    const [groupId, sender, reader] = [aGroup(), aUser('sender'), aUser('reader')];
    await join(stores, groupId, [sender, reader]);
    await send(stores, groupId, sender, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    await read(stores, groupId, reader, 10);
    return { groupId, reader };
  }

  /** An instance that dies once it has written the ledger, and something that happens just before it writes. */
  function dying(meanwhile: () => Promise<unknown>): Stores {
    const { memberships } = stores.ledger;
    const change: Memberships['change'] = async (...asked) => {
      await meanwhile();
      return memberships.change(...asked);
    };
    return withMemberships({ change }, replacing(stores.cache, { mergeFor: async () => null }));
  }

  test.each([
    ['reads the own view', lookAt],
    [
      'loads the receipts',
      (source: Stores, groupId: GroupId, reader: UserId) => countReceipts(source, groupId, reader, [at(10)]),
    ],
    [
      'marks a message again',
      (source: Stores, groupId: GroupId, reader: UserId) => read(source, groupId, reader, 9),
    ],
  ])('does not end if a call %s before the mark unread is written', async (_, meanwhile) => {
    const { groupId, reader } = await prepare();
    await markUnread(
      dying(() => meanwhile(stores, groupId, reader)),
      groupId,
      reader,
      at(6),
    );

    // An old copy in the cache would take this for done, and the ledger would never hold it.
    const marked = await markRead(stores, groupId, reader, at(8), 'strict');
    expect(marked).toMatchObject({
      advanced: true,
      view: { membership: { self: { position: at(8), revision: 1 } }, unread: { count: 2, exact: true } },
    });
    expect(await stores.ledger.memberships.read(reader, groupId)).toMatchObject({
      self: { position: at(8), revision: 1 },
    });
  });

  test('is settled by the call that wrote the mark unread', async () => {
    const { groupId, reader } = await prepare();
    await markUnread(stores, groupId, reader, at(6));
    stores.takeCalls();
    expect(await lookAt(stores, groupId, reader)).toMatchObject({
      membership: { self: { position: at(5), revision: 1 } },
      unread: { count: 5, exact: true },
    });
    expect(stores.takeCalls()).toEqual(['cache']);
  });

  test('is not settled by the call of an earlier doubt', async () => {
    const { groupId, reader } = await prepare();
    const { memberships } = stores.ledger;
    const change: Memberships['change'] = async (...asked) => {
      await stores.cache.doubt(groupId, reader, 'another-doubt');
      return memberships.change(...asked);
    };
    await markUnread(withMemberships({ change }), groupId, reader, at(6));
    stores.takeCalls();
    await lookAt(stores, groupId, reader);
    expect(ledgerCalls()).not.toEqual([]);
    await stores.cache.merge(groupId, [{ kind: 'settled', userId: reader, doubt: 'another-doubt' }]);
    stores.takeCalls();
    await lookAt(stores, groupId, reader);
    expect(stores.takeCalls()).toEqual(['cache']);
  });

  test('ends half a minute after its instance died', async () => {
    const { groupId, reader } = await prepare();
    const connection = new CacheConnection({
      credentials: async () => ({ url: engines.upstashUrl, token: engines.upstashToken }),
      timeoutsMs: { connect: 5_000, ask: 5_000, tell: 5_000 },
    });
    let now = 1_900_000_000_000;
    const cache = new GroupCache(connection, { ...DEFAULT_GROUP_CACHE, nowMs: () => now });
    const later: Stores = { ...stores, cache };
    await cache.doubt(groupId, reader, 'a-doubt');

    for (const [passedMs, asksLedger] of [
      [0, true],
      [29_999, true],
      [30_000, false],
    ] as const) {
      now = 1_900_000_000_000 + passedMs;
      stores.takeCalls();
      expect(await lookAt(later, groupId, reader)).toMatchObject({
        membership: { self: { position: at(10), revision: 0 } },
        unread: { count: 0, exact: true },
      });
      expect([passedMs, ledgerCalls().length > 0]).toEqual([passedMs, asksLedger]);
    }
  });
});

describe('a member who has just joined, while the list of members in the ledger is behind', () => {
  test('is counted by an index that is loaded again', async () => {
    const [groupId, sender, reader, late] = [aGroup(), aUser('sender'), aUser('reader'), aUser('late')];
    await join(stores, groupId, [sender, reader]);
    await send(stores, groupId, sender, [1]);
    expect(await countOf(stores, groupId, sender, 1)).toEqual([[1, 0, 0]]);
    await join(stores, groupId, [late]);
    await send(stores, groupId, sender, [2]);
    await forget(stores.redis, groupId, ['receipts']);
    expect(await countOf(lacking(late), groupId, sender, 2)).toEqual([[2, 0, 0]]);
  });

  test('is counted if only the stream has merged it', async () => {
    const [groupId, sender, reader, late] = [aGroup(), aUser('sender'), aUser('reader'), aUser('late')];
    await join(stores, groupId, [sender, reader]);
    const [joined] = await join(cutOff(), groupId, [late]);
    if (!joined) throw new Error('nobody joined');
    await send(stores, groupId, sender, [1]);
    await projected(stores, null, membershipItem(late, groupId, joined));
    expect(await countOf(lacking(late), groupId, sender, 1)).toEqual([[2, 0, 0]]);
  });

  test('is counted by an existing index if only the stream has merged it', async () => {
    const [groupId, sender, reader, late] = [aGroup(), aUser('sender'), aUser('reader'), aUser('late')];
    await join(stores, groupId, [sender, reader]);
    await send(stores, groupId, sender, [1]);
    expect(await countOf(stores, groupId, sender, 1)).toEqual([[1, 0, 0]]);
    const [joined] = await join(cutOff(), groupId, [late]);
    if (!joined) throw new Error('nobody joined');
    await send(stores, groupId, sender, [2]);
    await projected(stores, null, membershipItem(late, groupId, joined));
    expect(await countOf(stores, groupId, sender, 2)).toEqual([[2, 0, 0]]);
  });

  test('must read before the group counts as fully read', async () => {
    const [groupId, sender, reader, late] = [aGroup(), aUser('sender'), aUser('reader'), aUser('late')];
    const [, readerJoined] = await join(stores, groupId, [sender, reader]);
    const [lateJoined] = await join(stores, groupId, [late]);
    if (!readerJoined || !lateJoined) throw new Error('somebody did not join');
    await send(stores, groupId, sender, [1]);
    const itemsOf = async (userId: UserId, joined: Membership) =>
      [
        membershipItem(userId, groupId, joined),
        membershipItem(userId, groupId, await read(stores, groupId, userId, 1)),
      ] as const;

    const ofReader = await itemsOf(reader, readerJoined);
    expect(await projected(lacking(late), ...ofReader)).toEqual([]);
    const ofLate = await itemsOf(late, lateJoined);
    expect(await projected(lacking(late), ...ofLate)).toEqual(['GroupFullyRead']);
  });
});

describe('a departure that the cache missed', () => {
  test('does not reduce an audience by a sender who has left', async () => {
    const [groupId, sender, reader] = [aGroup(), aUser('sender'), aUser('reader')];
    await join(stores, groupId, [sender, reader]);
    await send(stores, groupId, sender, [1]);
    await removeMember(cutOff(), groupId, sender);
    // Who joined of late is read from the ledger; so long after, nobody has.
    await forget(stores.redis, groupId, ['joined']);
    expect(await countOf(stores, groupId, reader, 1)).toEqual([[1, 0, 0]]);
    await read(stores, groupId, reader, 1);
    expect(await countOf(stores, groupId, reader, 1)).toEqual([[1, 1, 1]]);
  });

  test('makes the next mark in an open group join again, once', async () => {
    const [groupId, sender, reader] = [aGroup(), aUser('sender'), aUser('reader')];
    const [, joined] = await join(stores, groupId, [sender, reader]);
    await send(stores, groupId, sender, [1]);
    await lookAt(stores, groupId, reader);
    await removeMember(cutOff(), groupId, reader);
    const { memberships } = stores.ledger;
    let changes = 0;
    const counted = () => {
      changes += 1;
      if (changes > 10) throw new Error('it does not come to an end');
    };
    const change: Memberships['change'] = async (...asked) => {
      counted();
      return memberships.change(...asked);
    };
    const hear: Memberships['hear'] = async (...asked) => {
      counted();
      return memberships.hear(...asked);
    };

    const marked = await markRead(withMemberships({ change, hear }), groupId, reader, at(1), 'open');
    // From the head at the moment of joining on: there is nothing left for the mark to move.
    expect(marked).toMatchObject({
      advanced: false,
      clamped: false,
      view: { membership: { joinedAfter: at(1), self: { position: at(1), at: null } }, head: at(1) },
    });
    // The mark of who is believed a member, and the join.
    expect(changes).toBe(2);
    expect(marked?.view.membership.generation).toBeGreaterThan(joined?.generation ?? Infinity);
    stores.takeCalls();
    await markRead(stores, groupId, reader, at(1), 'open');
    expect(stores.takeCalls()).toEqual(['cache']);
  });

  test('makes the next mark in a strict group fail', async () => {
    const [groupId, sender, reader] = [aGroup(), aUser('sender'), aUser('reader')];
    await join(stores, groupId, [sender, reader]);
    await send(stores, groupId, sender, [1]);
    await lookAt(stores, groupId, reader);
    await removeMember(cutOff(), groupId, reader);
    expect(await markRead(stores, groupId, reader, at(1), 'strict')).toBeNull();
    expect(await stores.ledger.memberships.read(reader, groupId)).toMatchObject({ kind: 'departed' });
  });
});

test('a batch that moves nothing repairs the cache: repeated, it costs the ledger nothing', async () => {
  const [groupId, sender, reader] = [aGroup(), aUser('sender'), aUser('reader')];
  await join(stores, groupId, [sender, reader]);
  await send(stores, groupId, sender, [1]);
  await read(stores, groupId, reader, 1);
  await forget(stores.redis, groupId);
  const marks = [{ groupId, position: at(1), kind: 'read' as const, ifRevision: null }];
  const unchanged = [{ outcome: 'unchanged', position: at(1), revision: 0, clamped: false }];
  stores.takeCalls();
  expect(await markGroups(stores, reader, marks, 'strict')).toEqual(unchanged);
  // The head and the membership.
  expect(ledgerCalls()).toEqual(['ledger GetItem', 'ledger GetItem']);
  expect(await markGroups(stores, reader, marks, 'strict')).toEqual(unchanged);
  expect(ledgerCalls()).toEqual([]);
});

describe('a window of messages', () => {
  test('keeps no deleted message below its floor', async () => {
    const [groupId, sender, reader] = [aGroup(), aUser('sender'), aUser('reader')];
    await join(small, groupId, [sender, reader]);
    await send(small, groupId, sender, [10, 11, 12, 13, 14]);
    expect(await countOf(small, groupId, reader, 14)).toEqual([[1, 0, 0]]);
    // Room for one more.
    await deleteMessage(small, groupId, at(14));
    // While a load is under way the floor may come down: what is below it is kept.
    await small.cache.merge(groupId, [{ kind: 'load', token: `${Date.now() - 60_001}-given-up` }]);
    await send(small, groupId, sender, [5]);
    expect(await countOf(small, groupId, reader, 5)).toEqual([[1, 0, 0]]);
    const token = `${Date.now()}-another`;
    await small.cache.merge(groupId, [
      { kind: 'load', token },
      { kind: 'loaded', token, above: at(11) },
    ]);
    await deleteMessage(small, groupId, at(5));
    expect(await countOf(small, groupId, reader, 5)).toEqual([null]);
  });

  test('is loaded in a busy group by one load, while messages are sent', async () => {
    const [groupId, sender, reader] = [aGroup(), aUser('sender'), aUser('reader')];
    await join(small, groupId, [sender, reader]);
    await send(small, groupId, sender, [1, 2, 3, 4, 5]);
    await forget(stores.redis, groupId);
    let newestId = 5;
    const newest: Stores['ledger']['messages']['newest'] = async (...asked) => {
      const found = await small.ledger.messages.newest(...asked);
      newestId += 1;
      await send(small, groupId, sender, [newestId]);
      return found;
    };
    const messages = replacing(small.ledger.messages, { newest });
    const busy: Stores = { ...small, ledger: { ...small.ledger, messages } };

    expect(await countOf(busy, groupId, reader, 5)).toEqual([[1, 0, 0]]);
    expect(newestId).toBe(6);
    small.takeCalls();
    expect(countsOf(await countReceipts(small, groupId, reader, [at(6), at(5), at(4)]))).toEqual([
      [1, 0, 0],
      [1, 0, 0],
      [1, 0, 0],
    ]);
    expect(small.takeCalls()).toEqual(['cache']);
    // The one that had to go for the newest is known to be missing.
    expect(await countOf(small, groupId, reader, 3)).toEqual([[1, 0, 0]]);
  });
});
