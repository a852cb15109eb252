import { GetItemCommand } from '@aws-sdk/client-dynamodb';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { instantOf } from '../../../shared/contract/schemas.ts';
import type { GroupId, UserId } from '../../../shared/domain/ids.ts';
import { formatMessageId, type Position, START } from '../../../shared/domain/position.ts';
import type { Unread } from '../../../shared/domain/unread.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { addMembers, applyJoin, applyLeave } from '../../../shared/operations/members.ts';
import { deleteMessage, recordMessage } from '../../../shared/operations/messages.ts';
import { readOwnView } from '../../../shared/operations/own-view.ts';
import { countReceipts } from '../../../shared/operations/receipts.ts';
import { connectDynamoDb } from '../../support/engines.ts';
import { headAt } from '../../support/heads.ts';
import { at } from '../../support/positions.ts';
import { shown } from '../../support/receipt-counts.ts';
import { aGroup, aUser, type CountedTidemark, forget, openTidemark } from '../../support/tidemark.ts';

let tidemark: CountedTidemark;
beforeAll(async () => {
  tidemark = await openTidemark();
});
const dynamodb = connectDynamoDb();
afterAll(() => {
  dynamodb.destroy();
  return tidemark.close();
});

const T = 1_700_000_000_000;
const DAY_MS = 86_400_000;

test('memberships and messages do not depend on the order in which facts arrive', async () => {
  const order = fc.shuffledSubarray([0, 1, 2, 3, 4, 5, 6, 7, 8], { minLength: 9 });
  await fc.assert(
    fc.asyncProperty(order, fc.array(fc.nat(8), { maxLength: 6 }), async (shuffled, repeated) => {
      const groupId = aGroup();
      const [stays, leaves, returns, sender] = [aUser(), aUser(), aUser(), aUser()];
      const facts = [
        () => applyJoin(tidemark, { groupId, userId: stays }, { joinedAtMs: T, joinedAfter: null }),
        () => applyJoin(tidemark, { groupId, userId: leaves }, { joinedAtMs: T, joinedAfter: null }),
        () => applyLeave(tidemark, { groupId, userId: leaves }, T + 1),
        () => applyJoin(tidemark, { groupId, userId: returns }, { joinedAtMs: T, joinedAfter: null }),
        () => applyLeave(tidemark, { groupId, userId: returns }, T + 1),
        () => applyJoin(tidemark, { groupId, userId: returns }, { joinedAtMs: T + 2, joinedAfter: null }),
        () => recordMessage(tidemark, { groupId, position: at(1), senderId: sender }),
        () => recordMessage(tidemark, { groupId, position: at(2), senderId: sender }),
        () => deleteMessage(tidemark, groupId, at(2)),
      ];
      for (const index of [...shuffled, ...repeated]) await facts[index]?.();

      expect(await readOwnView(tidemark, { groupId, userId: leaves })).toBeNull();
      expect(await readOwnView(tidemark, { groupId, userId: stays })).toMatchObject({ head: headAt(2) });
      expect(await readOwnView(tidemark, { groupId, userId: returns })).toMatchObject({ head: headAt(2) });
      const live = (await tidemark.ledger.messages.newest(groupId, { abovePosition: START, epoch: 0 }, 10))
        .filter(({ deleted }) => !deleted)
        .map(({ position }) => position);
      expect(live).toEqual([at(1)]);
    }),
    { numRuns: 25 },
  );
});

const USERS = ['alice', 'bob', 'carol'] as const;
type User = (typeof USERS)[number];

/** Facts of one group. Times are milliseconds after T, messages are their ids. */
type Fact =
  | { readonly kind: 'sent'; readonly id: number; readonly by: User; readonly at: number }
  | { readonly kind: 'deleted'; readonly id: number }
  | { readonly kind: 'joined'; readonly user: User; readonly at: number; readonly after: number | null }
  | { readonly kind: 'left'; readonly user: User; readonly at: number };

type Sent = Extract<Fact, { kind: 'sent' }>;

interface History {
  readonly facts: readonly Fact[];
  /** Messages that are already known under another sender. */
  readonly contradictions: readonly Sent[];
}

const LARGEST_ID = 8;
const user = fc.constantFrom(...USERS);
const time = fc.nat(9);
const id = fc.integer({ min: 1, max: LARGEST_ID });

const history: fc.Arbitrary<History> = fc
  .record({
    sent: fc.uniqueArray(fc.record({ id, by: user, at: time }), {
      selector: (message) => message.id,
      maxLength: 6,
    }),
    deleted: fc.uniqueArray(id, { maxLength: 2 }),
    // Two joins of one user at the same time have no order.
    joined: fc.uniqueArray(fc.record({ user, at: time, after: fc.option(id, { freq: 2 }) }), {
      selector: (join) => `${join.user} ${join.at}`,
      maxLength: 5,
    }),
    left: fc.array(fc.record({ user, at: time }), { maxLength: 3 }),
    contradictions: fc.array(fc.record({ by: user, later: fc.nat(3), of: fc.nat() }), { maxLength: 1 }),
  })
  .map(({ sent, deleted, joined, left, contradictions }) => ({
    facts: [
      ...sent.map((fact) => ({ kind: 'sent' as const, ...fact })),
      ...deleted.map((one) => ({ kind: 'deleted' as const, id: one })),
      ...joined.map((fact) => ({ kind: 'joined' as const, ...fact })),
      ...left.map((fact) => ({ kind: 'left' as const, ...fact })),
    ],
    contradictions: contradictions.flatMap(({ by, later, of }) => {
      const message = sent[of % Math.max(sent.length, 1)];
      if (!message || message.by === by) return [];
      return [{ kind: 'sent' as const, id: message.id, by, at: message.at + later }];
    }),
  }));

interface Play {
  /** The places at which each fact arrives, and arrives again. */
  readonly ranks: readonly number[];
  readonly again: readonly (readonly [number, number])[];
}

/** Without the bias to small numbers: with it, most ranks are equal. */
const rank = fc.noBias(fc.nat(1_000));

const play: fc.Arbitrary<Play> = fc.record({
  ranks: fc.array(rank, { minLength: 20, maxLength: 20 }),
  again: fc.array(fc.tuple(fc.nat(19), rank), { maxLength: 5 }),
});

/**
 * The facts in the order of the ranks. Two results are not promised: of a message that was sent before a join without
 * `joinedAfter` and arrives after it, and of a message that arrives under two senders.
 */
function shuffled({ facts, contradictions }: History, { ranks, again }: Play): Fact[] {
  const all = [...facts, ...contradictions];
  const once = all.map((fact, index) => ({ fact, rank: ranks[index % ranks.length] ?? 0 }));
  const more = again.flatMap(([index, rank]) => {
    const fact = all[index % Math.max(all.length, 1)];
    return fact ? [{ fact, rank }] : [];
  });
  const received: Fact[] = [];
  const receiveFirst = (isFirst: (message: Sent) => boolean) => {
    for (const fact of facts) {
      if (fact.kind === 'sent' && isFirst(fact) && !received.includes(fact)) received.push(fact);
    }
  };
  for (const { fact } of [...once, ...more].toSorted((a, b) => a.rank - b.rank)) {
    if (fact.kind === 'joined' && fact.after === null) receiveFirst((message) => message.at <= fact.at);
    if (fact.kind === 'sent') receiveFirst((message) => message.id === fact.id);
    received.push(fact);
  }
  return received;
}

/** In the order of their times. At equal times messages come first, and departures win over joins. */
function inOrder({ facts, contradictions }: History): Fact[] {
  const ranks = { sent: 0, joined: 1, left: 2, deleted: 3 };
  const timeOf = (fact: Fact) => (fact.kind === 'deleted' ? Number.POSITIVE_INFINITY : fact.at);
  return [...facts, ...contradictions].toSorted((a, b) => {
    const [timeA, timeB] = [timeOf(a), timeOf(b)];
    return timeA === timeB ? ranks[a.kind] - ranks[b.kind] : timeA - timeB;
  });
}

/** What users can see of a group. */
interface Sight {
  readonly members: Readonly<Record<User, MemberSight | null>>;
  readonly listed: readonly string[];
  /** By message id; null if the group has no members. */
  readonly receipts: readonly (ReceiptSight | null)[] | null;
}

interface MemberSight {
  readonly joinedAfter: number;
  readonly own: number;
  readonly public: number;
  readonly isLater: boolean;
  readonly head: number;
  readonly unread: Unread;
}

interface ReceiptSight {
  readonly senderId: string;
  readonly audience: number;
  readonly readCount: number;
  readonly deliveredCount: number;
}

const IDS = Array.from({ length: LARGEST_ID }, (_, index) => index + 1);

/** What users see if the facts arrive in the order in which they happened. */
function expectedOf(history: History): Sight {
  const members = new Map<User, { joinedAfter: number; read: number; isLater: boolean }>();
  const former = new Set<User>();
  const messages = new Map<number, { by: User; isDeleted: boolean }>();
  let head = 0;
  for (const fact of inOrder(history)) {
    if (fact.kind === 'sent' && !messages.has(fact.id)) {
      messages.set(fact.id, { by: fact.by, isDeleted: false });
      head = Math.max(head, fact.id);
      const sender = members.get(fact.by);
      if (sender) sender.read = Math.max(sender.read, fact.id);
    }
    if (fact.kind === 'joined' && !members.has(fact.user)) {
      const joinedAfter = fact.after ?? head;
      members.set(fact.user, { joinedAfter, read: joinedAfter, isLater: former.has(fact.user) });
    }
    if (fact.kind === 'left' && members.delete(fact.user)) former.add(fact.user);
    const deleted = fact.kind === 'deleted' && messages.get(fact.id);
    if (deleted) deleted.isDeleted = true;
  }
  const live = [...messages].filter(([, { isDeleted }]) => !isDeleted);
  const seenBy = (name: User): MemberSight | null => {
    const member = members.get(name);
    if (!member) return null;
    const { joinedAfter, read, isLater } = member;
    const unread = live
      .filter(([message, { by }]) => message > read && by !== name)
      .map(([message]) => message);
    const counted = { count: unread.length, first: unread.length > 0 ? at(Math.min(...unread)) : null };
    return {
      ...{ joinedAfter, own: read, public: read, isLater, head },
      unread: { ...counted, mentions: 0, exact: true },
    };
  };
  const receiptOf = (message: number): ReceiptSight | null => {
    const found = messages.get(message);
    if (!found || found.isDeleted) return null;
    const audience = [...members].filter(
      ([name, { joinedAfter }]) => name !== found.by && joinedAfter < message,
    );
    const readCount = audience.filter(([, { read }]) => read >= message).length;
    return { senderId: found.by, audience: audience.length, readCount, deliveredCount: readCount };
  };
  return {
    members: { alice: seenBy('alice'), bob: seenBy('bob'), carol: seenBy('carol') },
    listed: [...members.keys()].toSorted(),
    receipts: members.size > 0 ? IDS.map(receiptOf) : null,
  };
}

const numberOf = (position: Position | null) => Number((position && formatMessageId(position)) ?? 0);

async function readAll(groupId: GroupId): Promise<{ sight: Sight; revisions: Record<User, number | null> }> {
  const views = await Promise.all(
    USERS.map((name) => readOwnView(tidemark, { groupId, userId: name as UserId })),
  );
  const { members } = await tidemark.ledger.memberships.page(groupId, 100, null);
  const caller = members[0]?.userId;
  const receipts = caller ? await countReceipts(tidemark, { groupId, userId: caller }, IDS.map(at)) : null;
  const receiptSights = shown(receipts)?.map((receipt): ReceiptSight | null => {
    if (!receipt) return null;
    const { position: _, ...rest } = receipt;
    return rest;
  });
  const [alice = null, bob = null, carol = null] = views.map((view): MemberSight | null => {
    if (!view) return null;
    const { self, public: shown, joinedAfter } = view.membership;
    return {
      joinedAfter: numberOf(joinedAfter),
      own: numberOf(self.position),
      public: numberOf(shown.position),
      isLater: self.revision > 0,
      head: numberOf(view.head.position),
      unread: view.unread,
    };
  });
  const revisionOf = (index: number) => views[index]?.membership.self.revision ?? null;
  return {
    sight: {
      members: { alice, bob, carol },
      listed: members.map(({ userId }) => userId),
      receipts: receiptSights ?? null,
    },
    revisions: { alice: revisionOf(0), bob: revisionOf(1), carol: revisionOf(2) },
  };
}

/** Applies a fact like the function that receives facts from the bus. */
async function apply(groupId: GroupId, fact: Fact): Promise<void> {
  switch (fact.kind) {
    case 'sent': {
      const { by, at: sentAt } = fact;
      const message = { groupId, position: at(fact.id), senderId: by as UserId, sentAtMs: T + sentAt };
      await recordMessage(tidemark, { ...message, isFact: true });
      return;
    }
    case 'deleted':
      return deleteMessage(tidemark, groupId, at(fact.id));
    case 'joined': {
      const joinedAfter = fact.after === null ? null : at(fact.after);
      return applyJoin(
        tidemark,
        { groupId, userId: fact.user as UserId },
        { joinedAtMs: T + fact.at, joinedAfter },
      );
    }
    case 'left':
      return applyLeave(tidemark, { groupId, userId: fact.user as UserId }, T + fact.at);
  }
}

/** What users see in the end, with the resulting cache and with an empty one. */
async function seenAfter(facts: readonly Fact[], { isWatched }: { readonly isWatched: boolean }) {
  const groupId = aGroup();
  for (const fact of facts) {
    await apply(groupId, fact);
    if (isWatched) await readAll(groupId);
  }
  const warm = await readAll(groupId);
  await forget(tidemark.redis, groupId);
  return { warm, cold: await readAll(groupId) };
}

test('a history of facts has the same result in any order, with repetitions and with any cache', async () => {
  await fc.assert(
    fc.asyncProperty(history, play, play, async (facts, one, other) => {
      const expected = expectedOf(facts);
      const plays = await Promise.all([
        seenAfter(inOrder(facts), { isWatched: false }),
        seenAfter(shuffled(facts, one), { isWatched: false }),
        seenAfter(shuffled(facts, other), { isWatched: true }),
      ]);
      const [first] = plays;
      for (const { warm, cold } of plays) {
        expect(warm.sight).toEqual(expected);
        expect(cold.sight).toEqual(expected);
        expect([warm.revisions, cold.revisions]).toEqual([first.warm.revisions, first.warm.revisions]);
      }
    }),
    { numRuns: 12 },
  );
});

describe('facts that come late', () => {
  const [alice, bob] = ['alice', 'bob'] as UserId[] as [UserId, UserId];
  const send = (groupId: GroupId, messageId: number, sentAtMs: number) =>
    recordMessage(tidemark, { groupId, position: at(messageId), senderId: bob, sentAtMs, isFact: true });
  const join = (groupId: GroupId, joinedAtMs: number) =>
    applyJoin(tidemark, { groupId, userId: alice }, { joinedAtMs, joinedAfter: null });

  test('a message that was sent after a join and arrives before it is unread', async () => {
    const groupId = aGroup();
    await send(groupId, 101, T + 10);
    await join(groupId, T);
    expect(await readOwnView(tidemark, { groupId, userId: alice })).toMatchObject({
      head: headAt(101),
      unread: { count: 1, mentions: 0, first: at(101), exact: true },
    });
    expect(await countReceipts(tidemark, { groupId, userId: alice }, [at(101)])).toEqual([
      { position: at(101), senderId: 'bob', audience: 1, readCount: 0, deliveredCount: 0 },
    ]);
  });

  test('a message from before its sender joined does not move the sender, whichever arrives first', async () => {
    const joinAfterOne = (groupId: GroupId) =>
      applyJoin(tidemark, { groupId, userId: bob }, { joinedAtMs: T + 1, joinedAfter: at(1) });
    for (const isMessageFirst of [true, false]) {
      const groupId = aGroup();
      if (isMessageFirst) await send(groupId, 2, T);
      await joinAfterOne(groupId);
      if (!isMessageFirst) await send(groupId, 2, T);
      const start = { position: at(1), at: null };
      expect(await readOwnView(tidemark, { groupId, userId: bob })).toMatchObject({
        membership: { self: start, public: start, delivered: start },
        unread: { count: 0, mentions: 0, first: null, exact: true },
      });
    }
  });

  test('a departure that arrives after the rejoin discards what was read before', async () => {
    const groupId = aGroup();
    await join(groupId, T);
    for (const [messageId, sentAt] of [
      [1, T + 1],
      [2, T + 1],
      [3, T + 3],
      [4, T + 3],
    ] as const) {
      await send(groupId, messageId, sentAt);
    }
    await markRead(tidemark, { groupId, userId: alice }, at(4));
    await join(groupId, T + 2);
    await applyLeave(tidemark, { groupId, userId: alice }, T + 1);
    const start = { position: at(2), at: null };
    const view = await readOwnView(tidemark, { groupId, userId: alice });
    expect(view).toMatchObject({
      membership: { joinedAfter: at(2), self: start, public: start, delivered: start },
      unread: { count: 2, mentions: 0, first: at(3), exact: true },
    });
    expect(view?.membership.self.revision).toBeGreaterThan(0);
  });

  test('a departure is kept for 30 days after it arrived, however old it is', async () => {
    const groupId = aGroup();
    const heardNow = { ...tidemark, nowMs: () => T };
    await applyLeave(heardNow, { groupId, userId: alice }, T - 60 * DAY_MS);
    const { Item } = await dynamodb.send(
      new GetItemCommand({
        TableName: tidemark.tableName,
        Key: { PK: { S: 'USER#alice' }, SK: { S: `GROUP#${groupId}` } },
      }),
    );
    expect(Item?.expiresAt).toEqual({ N: '1702592000' });
    await applyJoin(heardNow, { groupId, userId: alice }, { joinedAtMs: T - 61 * DAY_MS, joinedAfter: null });
    expect(await readOwnView(tidemark, { groupId, userId: alice })).toBeNull();
  });

  test('a departure in a whole second ends a membership that began by a call within that second', async () => {
    const groupId = aGroup();
    await addMembers({ ...tidemark, nowMs: () => T + 300 }, groupId, [alice]);
    await applyLeave(tidemark, { groupId, userId: alice }, instantOf('2023-11-14T22:13:20Z') ?? 0);
    expect(await readOwnView(tidemark, { groupId, userId: alice })).toBeNull();
  });

  test('of two joins at one time the same one counts, whichever arrives first', async () => {
    const starts = [];
    for (const order of [
      [3, 6],
      [6, 3],
    ]) {
      const groupId = aGroup();
      for (const after of order) {
        await applyJoin(tidemark, { groupId, userId: alice }, { joinedAtMs: T, joinedAfter: at(after) });
      }
      starts.push((await readOwnView(tidemark, { groupId, userId: alice }))?.membership.joinedAfter);
    }
    expect(starts[0]).toBe(starts[1]);
  });
});
