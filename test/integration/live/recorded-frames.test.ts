import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { ServerFrame } from '../../../shared/contract/server-frames.ts';
import type { GroupId, UserId } from '../../../shared/domain/ids.ts';
import type { Membership } from '../../../shared/domain/membership.ts';
import { messageIdAt } from '../../../shared/domain/position.ts';
import { pushEvent } from '../../../shared/live/push.ts';
import { sync } from '../../../shared/live/sync.ts';
import { markDelivered } from '../../../shared/operations/mark-delivered.ts';
import { markRead } from '../../../shared/operations/mark-read.ts';
import { markUnread } from '../../../shared/operations/mark-unread.ts';
import { addMembers } from '../../../shared/operations/members.ts';
import { recordMessage } from '../../../shared/operations/messages.ts';
import { countReceipts } from '../../../shared/operations/receipts.ts';
import { eventsOf } from '../../../shared/stream/membership-changes.ts';
import { freshPrefix } from '../../support/engines.ts';
import { openLive, type TestLive } from '../../support/live.ts';
import { MergedFrames, type Receipt, type View } from '../../support/merged-frames.ts';
import { at } from '../../support/positions.ts';
import { shown } from '../../support/receipt-counts.ts';
import { replacing } from '../../support/replacing.ts';
import { aGroup, aUser } from '../../support/tidemark.ts';

/** A receipts frame has at most this many messages. */
const HEAD = 20;
const MESSAGE_IDS = Array.from({ length: HEAD }, (_, index) => String(index + 1));

/** What a member does in turn: read up to a message, read privately, mark unread from it, or receive up to it. */
type Step = readonly ['read' | 'read privately' | 'mark unread' | 'receive', number];

const BOB: readonly Step[] = [
  ['read', 3],
  ['read', 7],
  ['mark unread', 5],
  ['read', 6],
  ['read privately', 12],
  ['mark unread', 9],
  ['read', 11],
  ['receive', 18],
  ['read', 15],
];
const CAROL: readonly Step[] = [
  ['receive', 4],
  ['read', 2],
  ['read', 9],
  ['receive', 20],
  ['mark unread', 1],
  ['read', 16],
  ['mark unread', 16],
  ['read', 19],
];

/** What the devices of a user know in the end, however their frames came. */
interface Final {
  readonly frames: readonly ServerFrame[];
  readonly synced: ServerFrame;
  readonly receiptsAsOf: number;
  readonly receipts: readonly Receipt[];
  readonly view: View;
}

let live: TestLive;
let groupId: GroupId;
let alice: Final;
let bob: Final;

beforeAll(async () => {
  live = await openLive();
  groupId = aGroup();
  const [ofAlice, ofBob, ofCarol] = [aUser('alice'), aUser('bob'), aUser('carol')];
  await addMembers(live.tidemark, groupId, [ofAlice, ofBob, ofCarol]);
  for (let id = 1; id <= HEAD; id += 1) {
    await recordMessage(live.tidemark, { groupId, position: at(id), senderId: ofAlice });
  }
  const [phone, laptop] = [await live.connect(ofAlice), await live.connect(ofBob)];
  // Both at the same time. All gates are open, so that each event makes frames, also while others are computed.
  const open = { ...live, gates: replacing(live.gates, { claim: async () => null }) };
  const pushes: Promise<void>[] = [];
  const play = async (userId: UserId, steps: readonly Step[]) => {
    for (const [index, step] of steps.entries()) {
      const before = await membershipOf(userId);
      await take(userId, step);
      const events = eventsOf({ groupId, userId, before, after: await membershipOf(userId) });
      pushes.push(...events.map((event) => pushEvent(open, live.queue, event, freshPrefix('e'))));
      // Others are pushed while the members move on.
      if (index % 2 === 0) await Promise.all(pushes);
    }
  };
  await Promise.all([play(ofBob, BOB), play(ofCarol, CAROL)]);
  await Promise.all(pushes);
  alice = await finalOf(ofAlice, phone);
  bob = await finalOf(ofBob, laptop);
});
afterAll(() => live.close());

async function membershipOf(userId: UserId): Promise<Membership> {
  return (await live.tidemark.ledger.memberships.read({ groupId, userId })) as Membership;
}

function take(userId: UserId, [what, id]: Step): Promise<unknown> {
  const member = { groupId, userId };
  if (what === 'receive') return markDelivered(live.tidemark, member, at(id));
  if (what === 'mark unread') return markUnread(live.tidemark, member, at(id));
  const isPrivate = what === 'read privately';
  return markRead(live.tidemark, member, at(id), { isPrivate, ifRevision: null });
}

async function finalOf(userId: UserId, connectionId: string): Promise<Final> {
  const connection = { connectionId, connectedAtMs: Date.now(), tokenExpiresAtMs: Date.now() + 60_000 };
  const synced = { ...(await sync(live, live.table, { ...connection, userId }, [groupId])), ref: null };
  const counted = await countReceipts(live.tidemark, { groupId, userId }, MESSAGE_IDS.map(Number).map(at));
  const receipts = (shown(counted) ?? []).flatMap((one) => one ?? []);
  const [view] = synced.views;
  if (!view) throw new Error('the sync has no view');
  return {
    frames: live.posted.filter((one) => one.connectionId === connectionId).map(({ frame }) => frame),
    synced,
    receiptsAsOf: synced.asOf,
    receipts: receipts.map(({ position, audience, readCount, deliveredCount }) => ({
      messageId: messageIdAt(position),
      ...{ audience, readCount, deliveredCount },
    })),
    view,
  };
}

const known = (merged: MergedFrames) => ({
  view: merged.view(groupId),
  receipts: MESSAGE_IDS.map((id) => merged.receipt(groupId, id)),
});

test('the recorded frames hold many states, and what the service says in the end is right', () => {
  const countsOf = (id: number) => alice.receipts[id - 1];
  const distinct = (frames: readonly ServerFrame[]) =>
    new Set(frames.map((frame) => JSON.stringify({ ...frame, asOf: 0 }))).size;
  expect(distinct(alice.frames)).toBeGreaterThanOrEqual(4);
  expect(distinct(bob.frames)).toBeGreaterThanOrEqual(4);
  expect(bob.view).toEqual({
    groupId,
    messageId: '15',
    revision: 2,
    head: '20',
    unread: { count: 5, mentions: 0, firstId: '16', exact: true },
    ...{ parentId: null, notify: 'all', mutedUntil: null, archive: 'no', archived: false },
    preferencesRevision: 0,
  });
  expect([15, 16, 19, 20].map(countsOf)).toEqual([
    { messageId: '15', audience: 2, readCount: 2, deliveredCount: 2 },
    { messageId: '16', audience: 2, readCount: 1, deliveredCount: 2 },
    { messageId: '19', audience: 2, readCount: 1, deliveredCount: 1 },
    { messageId: '20', audience: 2, readCount: 0, deliveredCount: 1 },
  ]);
});

test.each([
  ['sender', () => alice],
  ['reader', () => bob],
])(
  'a device of the %s that gets them in any order, repeated, and some not at all, knows the end after a sync',
  (_, of) => {
    const { frames, synced, receipts, receiptsAsOf, view } = of();
    type Arrival = (merged: MergedFrames) => void;
    const arrivals: readonly Arrival[] = frames.map((frame) => (merged) => merged.add(frame));
    const syncing: Arrival = (merged) => {
      merged.add(synced);
      merged.addReceipts(groupId, receipts, receiptsAsOf);
    };
    const some = fc.array(fc.constantFrom(...arrivals), { maxLength: 3 * arrivals.length });
    fc.assert(
      fc.property(some, some, (before, after) => {
        const merged = new MergedFrames();
        for (const arrive of [...before, syncing, ...after]) arrive(merged);
        expect(known(merged)).toEqual({ view, receipts });
      }),
      { numRuns: 1_000 },
    );
  },
);

test('a device that gets all frames in any order, some twice, knows the end without a sync', () => {
  const inAnyOrder = (frames: readonly ServerFrame[], check: (merged: MergedFrames) => void) => {
    const all = fc.shuffledSubarray([...frames], { minLength: frames.length });
    fc.assert(
      fc.property(all, fc.subarray([...frames]), (order, again) => {
        const merged = new MergedFrames();
        for (const frame of [...order, ...again]) merged.add(frame);
        check(merged);
      }),
      { numRuns: 500 },
    );
  };
  // Alice has not moved, and Bob has sent nothing.
  inAnyOrder(alice.frames, (merged) =>
    expect(known(merged)).toEqual({ view: null, receipts: alice.receipts }),
  );
  inAnyOrder(bob.frames, (merged) => expect(merged.view(groupId)).toEqual(bob.view));
});
