import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import * as change from '../../../shared/cache/changes.ts';
import { CacheConnection } from '../../../shared/cache/connection.ts';
import { DEFAULT_GROUP_CACHE, GroupCache } from '../../../shared/cache/group-cache.ts';
import type { GroupId, Member, UserId } from '../../../shared/domain/ids.ts';
import type { Membership } from '../../../shared/domain/membership.ts';
import { type Item, membershipItem } from '../../../shared/ledger/items.ts';
import { readInbox } from '../../../shared/operations/inbox.ts';
import { markGroups } from '../../../shared/operations/mark-groups.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { markUnread } from '../../../shared/operations/mark-unread.ts';
import { addMembers, removeMember } from '../../../shared/operations/members.ts';
import { deleteMessage, recordMessage } from '../../../shared/operations/messages.ts';
import { readOwnView } from '../../../shared/operations/own-view.ts';
import { countReceipts, listReceipts } from '../../../shared/operations/receipts.ts';
import type { Tidemark } from '../../../shared/operations/tidemark.ts';
import { DeadLetters } from '../../../shared/stream/dead-letters.ts';
import { project } from '../../../shared/stream/project.ts';
import { RecentRecords } from '../../../shared/stream/recent-records.ts';
import { engines } from '../../support/engines.ts';
import { NO_ERASURES } from '../../support/erasures.ts';
import { headAt } from '../../support/heads.ts';
import { at } from '../../support/positions.ts';
import { countsOf } from '../../support/receipt-counts.ts';
import { replacing } from '../../support/replacing.ts';
import { KeptLetters } from '../../support/stream-records.ts';
import { aGroup, aUser, type CountedTidemark, forget, openTidemark } from '../../support/tidemark.ts';

let tidemark: CountedTidemark;
/** A cache that keeps three messages of a group. */
let small: CountedTidemark;
beforeAll(async () => {
  tidemark = await openTidemark();
  small = await openTidemark({ capacity: 3 });
});
afterAll(async () => {
  await small.close();
  await tidemark.close();
});

const withCache = (methods: Partial<GroupCache>): Tidemark => ({
  ...tidemark,
  cache: replacing(tidemark.cache, methods),
});

/** An instance whose merges of joins and departures never reach the cache. */
const cutOff = () => withCache({ merge: async () => false });

type Memberships = Tidemark['ledger']['memberships'];

const withMemberships = (methods: Partial<Memberships>, cache = tidemark.cache): Tidemark => ({
  ...tidemark,
  cache,
  ledger: { ...tidemark.ledger, memberships: replacing(tidemark.ledger.memberships, methods) },
});

/** An instance whose list of members from the ledger lacks one member. */
function lacking(absentee: UserId): Tidemark {
  const { memberships } = tidemark.ledger;
  return withMemberships({
    page: async (...args) => {
      const listed = await memberships.page(...args);
      return { ...listed, members: listed.members.filter(({ userId }) => userId !== absentee) };
    },
    everyone: async function* (...args) {
      for await (const member of memberships.everyone(...args)) if (member.userId !== absentee) yield member;
    },
  });
}

/** The events that the projector publishes for one record of the ledger's stream. */
async function projected(source: Tidemark, before: Item | null, after: Item): Promise<string[]> {
  const types: string[] = [];
  const publish = async (events: readonly { readonly type: string }[]) => {
    types.push(...events.map(({ type }) => type));
    return [];
  };
  const published = new RecentRecords(10);
  const record = { sequenceNumber: '1', before, after };
  const deadLetters = new DeadLetters(new KeptLetters());
  const projection = {
    tidemark: source,
    publisher: { publish },
    deadLetters,
    published,
    erasures: NO_ERASURES,
  };
  expect(await project(projection, [record])).toEqual([]);
  return types;
}

const headItem = (groupId: GroupId, id: number): Item => ({
  kind: { S: 'head' },
  groupId: { S: groupId },
  position: { S: at(id) },
});

/** Lets users join, and returns their memberships in the order of `userIds`. */
async function join(source: Tidemark, groupId: GroupId, userIds: readonly UserId[]): Promise<Membership[]> {
  return (await addMembers(source, groupId, userIds)).map(({ membership }) => membership);
}

async function send(source: Tidemark, groupId: GroupId, senderId: UserId, ids: readonly number[]) {
  for (const id of ids) await recordMessage(source, { groupId, position: at(id), senderId });
}

async function read(source: Tidemark, groupId: GroupId, userId: UserId, id: number): Promise<Membership> {
  const marked = await markRead(source, { groupId, userId }, at(id));
  if (!marked) throw new Error(`no member: ${userId}`);
  return marked.view.membership;
}

const countOf = async (source: Tidemark, groupId: GroupId, callerId: UserId, id: number) =>
  countsOf(await countReceipts(source, { groupId, userId: callerId }, [at(id)]));

const ledgerCalls = () => tidemark.takeCalls().filter((call) => call.startsWith('ledger'));

describe('a backlog of the stream that is merged into an emptied cache', () => {
  test('does not bring back a member who has left since', async () => {
    const [groupId, sender, reader, former] = [aGroup(), aUser('sender'), aUser('reader'), aUser('former')];
    const [, , joined] = await join(tidemark, groupId, [sender, reader, former]);
    await send(tidemark, groupId, sender, [1]);
    const marked = await read(tidemark, groupId, former, 1);
    await removeMember(tidemark, { groupId, userId: former });
    await forget(tidemark.redis, groupId);
    // The projector reads members whom a complete index lacks from the ledger.
    expect(await countOf(tidemark, groupId, sender, 1)).toEqual([[1, 0, 0]]);

    const before = joined ? membershipItem({ groupId, userId: former }, joined) : null;
    await projected(tidemark, before, membershipItem({ groupId, userId: former }, marked));

    expect(await countOf(tidemark, groupId, sender, 1)).toEqual([[1, 0, 0]]);
    const readers = { state: 'read', limit: 10, after: null } as const;
    expect(await listReceipts(tidemark, { groupId, userId: sender }, at(1), readers)).toMatchObject({
      page: { members: [], next: null },
    });
    expect(await countReceipts(tidemark, { groupId, userId: former }, [at(1)])).toBeNull();
    expect(await listReceipts(tidemark, { groupId, userId: former }, at(1), readers)).toBeNull();
    expect(await readOwnView(tidemark, { groupId, userId: former })).toBeNull();
  });

  test('does not bring back a member who has left since, if nobody has read receipts', async () => {
    const [groupId, sender, former] = [aGroup(), aUser('sender'), aUser('former')];
    const [, joined] = await join(tidemark, groupId, [sender, former]);
    await send(tidemark, groupId, sender, [1]);
    const marked = await read(tidemark, groupId, former, 1);
    await removeMember(tidemark, { groupId, userId: former });
    await forget(tidemark.redis, groupId);

    const before = joined ? membershipItem({ groupId, userId: former }, joined) : null;
    await projected(tidemark, before, membershipItem({ groupId, userId: former }, marked));

    expect(await readOwnView(tidemark, { groupId, userId: former })).toBeNull();
    expect(await markRead(tidemark, { groupId, userId: former }, at(1))).toBeNull();
    expect(await countReceipts(tidemark, { groupId, userId: former }, [at(1)])).toBeNull();
  });

  test('hides no newer message from the inbox', async () => {
    const [groupId, sender, reader] = [aGroup(), aUser('sender'), aUser('reader')];
    await join(tidemark, groupId, [sender, reader]);
    await send(tidemark, groupId, sender, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    await read(tidemark, groupId, reader, 5);
    await forget(tidemark.redis, groupId);

    await projected(tidemark, headItem(groupId, 4), headItem(groupId, 5));

    const inbox = await readInbox(tidemark, reader, { unreadOnly: true, limit: 10, after: null });
    expect(inbox.groups).toMatchObject([
      { groupId, head: headAt(10), unread: { count: 5, mentions: 0, first: at(6), exact: true } },
    ]);
  });
});

describe('a doubt of the own view', () => {
  /** A reader who has read all ten messages, which the cache knows. */
  async function prepare() {
    const [groupId, sender, reader] = [aGroup(), aUser('sender'), aUser('reader')];
    await join(tidemark, groupId, [sender, reader]);
    await send(tidemark, groupId, sender, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    await read(tidemark, groupId, reader, 10);
    return { groupId, reader };
  }

  /** An instance that dies after its write of the ledger. `meanwhile` runs just before the write. */
  function dying(meanwhile: () => Promise<unknown>): Tidemark {
    const { memberships } = tidemark.ledger;
    const change: Memberships['change'] = async (...args) => {
      await meanwhile();
      return memberships.change(...args);
    };
    return withMemberships({ change }, replacing(tidemark.cache, { mergeFor: async () => null }));
  }

  test.each([
    ['reads the own view', readOwnView],
    ['loads the receipts', (source: Tidemark, reader: Member) => countReceipts(source, reader, [at(10)])],
    [
      'marks a message again',
      (source: Tidemark, { groupId, userId }: Member) => read(source, groupId, userId, 9),
    ],
  ])('does not end if a call %s before the mark unread is written', async (_, meanwhile) => {
    const { groupId, reader } = await prepare();
    await markUnread(
      dying(() => meanwhile(tidemark, { groupId, userId: reader })),
      { groupId, userId: reader },
      at(6),
    );

    // With an old copy in the cache this mark would seem stored, and the ledger would never hold it.
    const marked = await markRead(tidemark, { groupId, userId: reader }, at(8));
    expect(marked).toMatchObject({
      advanced: true,
      view: {
        membership: { self: { position: at(8), revision: 1 } },
        unread: { count: 2, mentions: 0, first: at(9), exact: true },
      },
    });
    expect(await tidemark.ledger.memberships.read({ groupId, userId: reader })).toMatchObject({
      self: { position: at(8), revision: 1 },
    });
  });

  test('is settled by the call that wrote the mark unread', async () => {
    const { groupId, reader } = await prepare();
    await markUnread(tidemark, { groupId, userId: reader }, at(6));
    tidemark.takeCalls();
    expect(await readOwnView(tidemark, { groupId, userId: reader })).toMatchObject({
      membership: { self: { position: at(5), revision: 1 } },
      unread: { count: 5, mentions: 0, first: at(6), exact: true },
    });
    expect(tidemark.takeCalls()).toEqual(['cache']);
  });

  test('is not settled by the call of an earlier doubt', async () => {
    const { groupId, reader } = await prepare();
    const { memberships } = tidemark.ledger;
    const doubting: Memberships['change'] = async (...args) => {
      await tidemark.cache.doubt({ groupId, userId: reader }, 'another-doubt');
      return memberships.change(...args);
    };
    await markUnread(withMemberships({ change: doubting }), { groupId, userId: reader }, at(6));
    tidemark.takeCalls();
    await readOwnView(tidemark, { groupId, userId: reader });
    expect(ledgerCalls()).not.toEqual([]);
    await tidemark.cache.merge(groupId, [change.settled(reader, 'another-doubt')]);
    tidemark.takeCalls();
    await readOwnView(tidemark, { groupId, userId: reader });
    expect(tidemark.takeCalls()).toEqual(['cache']);
  });

  test('ends half a minute after its instance died', async () => {
    const { groupId, reader } = await prepare();
    const connection = new CacheConnection({
      credentials: async () => ({ url: engines.upstashUrl, token: engines.upstashToken }),
      timeoutsMs: { connect: 5_000, read: 5_000, write: 5_000 },
    });
    let now = 1_900_000_000_000;
    const cache = new GroupCache(connection, { ...DEFAULT_GROUP_CACHE, nowMs: () => now });
    const later: Tidemark = { ...tidemark, cache };
    await cache.doubt({ groupId, userId: reader }, 'a-doubt');

    for (const [passedMs, asksLedger] of [
      [0, true],
      [29_999, true],
      [30_000, false],
    ] as const) {
      now = 1_900_000_000_000 + passedMs;
      tidemark.takeCalls();
      expect(await readOwnView(later, { groupId, userId: reader })).toMatchObject({
        membership: { self: { position: at(10), revision: 0 } },
        unread: { count: 0, mentions: 0, first: null, exact: true },
      });
      expect([passedMs, ledgerCalls().length > 0]).toEqual([passedMs, asksLedger]);
    }
  });
});

describe('a member who has just joined, while the list of members in the ledger is behind', () => {
  test('is counted by an index that is loaded again', async () => {
    const [groupId, sender, reader, late] = [aGroup(), aUser('sender'), aUser('reader'), aUser('late')];
    await join(tidemark, groupId, [sender, reader]);
    await send(tidemark, groupId, sender, [1]);
    expect(await countOf(tidemark, groupId, sender, 1)).toEqual([[1, 0, 0]]);
    await join(tidemark, groupId, [late]);
    await send(tidemark, groupId, sender, [2]);
    await forget(tidemark.redis, groupId, ['receipts']);
    expect(await countOf(lacking(late), groupId, sender, 2)).toEqual([[2, 0, 0]]);
  });

  test('is counted if only the stream has merged it', async () => {
    const [groupId, sender, reader, late] = [aGroup(), aUser('sender'), aUser('reader'), aUser('late')];
    await join(tidemark, groupId, [sender, reader]);
    const [joined] = await join(cutOff(), groupId, [late]);
    if (!joined) throw new Error('nobody joined');
    await send(tidemark, groupId, sender, [1]);
    await projected(tidemark, null, membershipItem({ groupId, userId: late }, joined));
    expect(await countOf(lacking(late), groupId, sender, 1)).toEqual([[2, 0, 0]]);
  });

  test('is counted by an existing index if only the stream has merged it', async () => {
    const [groupId, sender, reader, late] = [aGroup(), aUser('sender'), aUser('reader'), aUser('late')];
    await join(tidemark, groupId, [sender, reader]);
    await send(tidemark, groupId, sender, [1]);
    expect(await countOf(tidemark, groupId, sender, 1)).toEqual([[1, 0, 0]]);
    const [joined] = await join(cutOff(), groupId, [late]);
    if (!joined) throw new Error('nobody joined');
    await send(tidemark, groupId, sender, [2]);
    await projected(tidemark, null, membershipItem({ groupId, userId: late }, joined));
    expect(await countOf(tidemark, groupId, sender, 2)).toEqual([[2, 0, 0]]);
  });

  test('must read before the group counts as fully read', async () => {
    const [groupId, sender, reader, late] = [aGroup(), aUser('sender'), aUser('reader'), aUser('late')];
    const [, readerJoined] = await join(tidemark, groupId, [sender, reader]);
    const [lateJoined] = await join(tidemark, groupId, [late]);
    if (!readerJoined || !lateJoined) throw new Error('somebody did not join');
    await send(tidemark, groupId, sender, [1]);
    const itemsOf = async (userId: UserId, joined: Membership) =>
      [
        membershipItem({ groupId, userId }, joined),
        membershipItem({ groupId, userId }, await read(tidemark, groupId, userId, 1)),
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
    await join(tidemark, groupId, [sender, reader]);
    await send(tidemark, groupId, sender, [1]);
    await removeMember(cutOff(), { groupId, userId: sender });
    // Members who joined a moment ago are read from the ledger; after this time there are none.
    await forget(tidemark.redis, groupId, ['joined']);
    expect(await countOf(tidemark, groupId, reader, 1)).toEqual([[1, 0, 0]]);
    await read(tidemark, groupId, reader, 1);
    expect(await countOf(tidemark, groupId, reader, 1)).toEqual([[1, 1, 1]]);
  });

  test('makes the next mark in an open group join again, once', async () => {
    const [groupId, sender, reader] = [aGroup(), aUser('sender'), aUser('reader')];
    const [, joined] = await join(tidemark, groupId, [sender, reader]);
    await send(tidemark, groupId, sender, [1]);
    await readOwnView(tidemark, { groupId, userId: reader });
    await removeMember(cutOff(), { groupId, userId: reader });
    const { memberships } = tidemark.ledger;
    let changes = 0;
    const counted = () => {
      changes += 1;
      if (changes > 10) throw new Error('it does not come to an end');
    };
    const change: Memberships['change'] = async (...args) => {
      counted();
      return memberships.change(...args);
    };
    const changeBelonging: Memberships['changeBelonging'] = async (...args) => {
      counted();
      return memberships.changeBelonging(...args);
    };

    const marked = await markRead(
      { ...withMemberships({ change, changeBelonging }), mode: 'open' },
      { groupId, userId: reader },
      at(1),
    );
    // The member starts at the head, so the mark has nothing to move.
    expect(marked).toMatchObject({
      advanced: false,
      clamped: false,
      view: { membership: { joinedAfter: at(1), self: { position: at(1), at: null } }, head: headAt(1) },
    });
    // The mark of a believed member, and the join.
    expect(changes).toBe(2);
    expect(marked?.view.membership.generation).toBeGreaterThan(joined?.generation ?? Infinity);
    tidemark.takeCalls();
    await markRead({ ...tidemark, mode: 'open' }, { groupId, userId: reader }, at(1));
    expect(tidemark.takeCalls()).toEqual(['cache']);
  });

  test('makes the next mark in a strict group fail', async () => {
    const [groupId, sender, reader] = [aGroup(), aUser('sender'), aUser('reader')];
    await join(tidemark, groupId, [sender, reader]);
    await send(tidemark, groupId, sender, [1]);
    await readOwnView(tidemark, { groupId, userId: reader });
    await removeMember(cutOff(), { groupId, userId: reader });
    expect(await markRead(tidemark, { groupId, userId: reader }, at(1))).toBeNull();
    expect(await tidemark.ledger.memberships.read({ groupId, userId: reader })).toMatchObject({
      kind: 'departed',
    });
  });
});

test('a batch that moves nothing repairs the cache: repeated, it costs the ledger nothing', async () => {
  const [groupId, sender, reader] = [aGroup(), aUser('sender'), aUser('reader')];
  await join(tidemark, groupId, [sender, reader]);
  await send(tidemark, groupId, sender, [1]);
  await read(tidemark, groupId, reader, 1);
  await forget(tidemark.redis, groupId);
  const marks = [{ groupId, position: at(1), kind: 'read' as const, ifRevision: null }];
  const unchanged = [{ outcome: 'unchanged', position: at(1), revision: 0, clamped: false }];
  tidemark.takeCalls();
  expect(await markGroups(tidemark, reader, marks)).toEqual(unchanged);
  // The head and the membership.
  expect(ledgerCalls()).toEqual(['ledger GetItem', 'ledger GetItem']);
  expect(await markGroups(tidemark, reader, marks)).toEqual(unchanged);
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
    // During a load the floor may go down, so messages below it are kept.
    await small.cache.merge(groupId, [change.load(`${Date.now() - 60_001}-given-up`)]);
    await send(small, groupId, sender, [5]);
    expect(await countOf(small, groupId, reader, 5)).toEqual([[1, 0, 0]]);
    const token = `${Date.now()}-another`;
    await small.cache.merge(groupId, [change.load(token), change.loaded(token, at(11))]);
    await deleteMessage(small, groupId, at(5));
    expect(await countOf(small, groupId, reader, 5)).toEqual([null]);
  });

  test('is loaded in a busy group by one load, while messages are sent', async () => {
    const [groupId, sender, reader] = [aGroup(), aUser('sender'), aUser('reader')];
    await join(small, groupId, [sender, reader]);
    await send(small, groupId, sender, [1, 2, 3, 4, 5]);
    await forget(tidemark.redis, groupId);
    let newestId = 5;
    const newest: Tidemark['ledger']['messages']['newest'] = async (...args) => {
      const found = await small.ledger.messages.newest(...args);
      newestId += 1;
      await send(small, groupId, sender, [newestId]);
      return found;
    };
    const messages = replacing(small.ledger.messages, { newest });
    const busy: Tidemark = { ...small, ledger: { ...small.ledger, messages } };

    expect(await countOf(busy, groupId, reader, 5)).toEqual([[1, 0, 0]]);
    expect(newestId).toBe(6);
    small.takeCalls();
    expect(countsOf(await countReceipts(small, { groupId, userId: reader }, [at(6), at(5), at(4)]))).toEqual([
      [1, 0, 0],
      [1, 0, 0],
      [1, 0, 0],
    ]);
    expect(small.takeCalls()).toEqual(['cache']);
    // The cache knows that it dropped one message for the newest.
    expect(await countOf(small, groupId, reader, 3)).toEqual([[1, 0, 0]]);
  });
});
