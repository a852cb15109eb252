import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { TidemarkEvent } from '../../../shared/contract/event.ts';
import type { GroupId, UserId } from '../../../shared/domain/ids.ts';
import type { MarkKind } from '../../../shared/domain/mark.ts';
import { membershipState } from '../../../shared/ledger/items.ts';
import { markGroups } from '../../../shared/operations/mark-groups.ts';
import { markUnread } from '../../../shared/operations/mark-unread.ts';
import { addMembers, applyJoin, applyLeave, removeMember } from '../../../shared/operations/members.ts';
import { recordMessage } from '../../../shared/operations/messages.ts';
import { DeadLetters } from '../../../shared/stream/dead-letters.ts';
import { publishMoves } from '../../../shared/stream/publish-moves.ts';
import { RecentRecords } from '../../../shared/stream/recent-records.ts';
import type { StreamRecord } from '../../../shared/stream/stream-records.ts';
import { at } from '../../support/positions.ts';
import { KeptLetters } from '../../support/stream-records.ts';
import { openTableStream, type TableStream } from '../../support/table-stream.ts';
import { aGroup, type CountedTidemark, openTidemark } from '../../support/tidemark.ts';

let tidemark: CountedTidemark;
let stream: TableStream;
/** The time by the stores' clock. */
let nowMs = 0;
beforeAll(async () => {
  tidemark = { ...(await openTidemark()), nowMs: () => nowMs };
  stream = await openTableStream(tidemark.tableName);
});
afterAll(() => {
  stream.close();
  return tidemark.close();
});

const USERS = ['alice', 'bob'] as const;
type User = (typeof USERS)[number];

interface MarkStep {
  readonly id: number;
  readonly kind: MarkKind;
  readonly ifRevision: 'none' | 'current' | 'first';
}

/** What happens in a group. Messages are recorded with the next id; times of facts are milliseconds after the start. */
type Step =
  | { readonly do: 'record'; readonly by: User | 'guest'; readonly sentAt: number | null }
  | { readonly do: 'mark'; readonly user: User; readonly marks: readonly MarkStep[] }
  | { readonly do: 'unread'; readonly user: User; readonly id: number }
  | { readonly do: 'join'; readonly user: User; readonly after: number | null }
  | { readonly do: 'leave'; readonly user: User }
  | { readonly do: 'rejoin'; readonly user: User; readonly after: number | null }
  | { readonly do: 'receive join'; readonly user: User; readonly at: number; readonly after: number | null }
  | { readonly do: 'receive leave'; readonly user: User; readonly at: number };

/** The time between two steps of a history. */
const STEP_MS = 10;

const user = fc.constantFrom(...USERS);
const id = fc.integer({ min: 1, max: 8 });
const after = fc.option(id, { freq: 1 });
const time = fc.integer({ min: -20, max: 160 });
const mark: fc.Arbitrary<MarkStep> = fc.record({
  id,
  kind: fc.constantFrom('read', 'private', 'delivered'),
  ifRevision: fc.constantFrom('none', 'current', 'first'),
});

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('record' as const),
      by: fc.constantFrom(...USERS, 'guest' as const),
      sentAt: fc.option(time, { freq: 2 }),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('mark' as const),
      user,
      marks: fc.array(mark, { minLength: 1, maxLength: 3 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('unread' as const), user, id }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('join' as const), user, after }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('leave' as const), user }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('rejoin' as const), user, after }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('receive join' as const),
      user,
      at: fc.oneof(time, fc.integer({ min: -20, max: -1 })),
      after,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('receive leave' as const), user, at: time }) },
);

/** The ends of the batches, and the order in which events arrive, each of them twice. */
const delivery = fc.record({
  cuts: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 4 }),
  // Without the bias to small numbers: with it, most ranks are equal.
  ranks: fc.array(fc.noBias(fc.nat(1_000)), { minLength: 7, maxLength: 31 }),
});

/** Plays steps in a new group, of which alice and bob are members. Returns the records of the ledger's stream. */
async function play(groupId: GroupId, steps: readonly Step[]): Promise<StreamRecord[]> {
  const startMs = Date.now();
  nowMs = startMs;
  await addMembers(tidemark, groupId, [...USERS] as string[] as UserId[]);
  let newest = 0;
  const first = new Map<User, number>();
  for (const one of steps) {
    nowMs += STEP_MS;
    switch (one.do) {
      case 'record': {
        newest += 1;
        const message = { groupId, position: at(newest), senderId: one.by as UserId };
        await recordMessage(
          tidemark,
          one.sentAt === null ? message : { ...message, sentAtMs: startMs + one.sentAt, isFact: true },
        );
        break;
      }
      case 'mark': {
        const state = await tidemark.ledger.memberships.read({ groupId, userId: one.user as UserId });
        const current = state?.kind === 'member' ? state.self.revision : 0;
        if (!first.has(one.user)) first.set(one.user, current);
        const revisions = { none: null, current, first: first.get(one.user) ?? 0 };
        const marks = one.marks.map((mark) => ({
          groupId,
          position: at(mark.id),
          kind: mark.kind,
          ifRevision: revisions[mark.ifRevision],
        }));
        await markGroups(tidemark, one.user as UserId, marks);
        break;
      }
      case 'unread':
        await markUnread(tidemark, { groupId, userId: one.user as UserId }, at(one.id));
        break;
      case 'rejoin':
        await removeMember(tidemark, { groupId, userId: one.user as UserId });
        await addMembers(tidemark, groupId, [one.user as UserId], one.after === null ? null : at(one.after));
        break;
      case 'join':
        await addMembers(tidemark, groupId, [one.user as UserId], one.after === null ? null : at(one.after));
        break;
      case 'leave':
        await removeMember(tidemark, { groupId, userId: one.user as UserId });
        break;
      case 'receive join':
        await applyJoin(
          tidemark,
          { groupId, userId: one.user as UserId },
          {
            joinedAtMs: startMs + one.at,
            joinedAfter: one.after === null ? null : at(one.after),
          },
        );
        break;
      case 'receive leave':
        await applyLeave(tidemark, { groupId, userId: one.user as UserId }, startMs + one.at);
        break;
    }
  }
  return stream.take();
}

/** The events that an instance publishes for the records, in batches of these sizes, one after the other. */
async function publishedOf(
  records: readonly StreamRecord[],
  sizes: readonly number[],
): Promise<TidemarkEvent[]> {
  const published: TidemarkEvent[] = [];
  const publication = {
    publisher: {
      publish: async (events: readonly TidemarkEvent[]) => {
        published.push(...events);
        return [];
      },
    },
    deadLetters: new DeadLetters(new KeptLetters()),
    published: new RecentRecords(1_000),
  };
  for (let start = 0, batch = 0; start < records.length; batch += 1) {
    const size = sizes[batch % sizes.length] ?? 1;
    expect(await publishMoves(publication, records.slice(start, start + size))).toEqual([]);
    start += size;
  }
  return published;
}

/** A member as its events describe it; null for what no event has. 0 stands for no message. */
interface Followed {
  readonly membership: number;
  readonly own: { readonly revision: number; readonly id: number } | null;
  readonly public: number | null;
}

/** Reads an event with the fields that the contract names. */
interface Published {
  readonly type: string;
  readonly userId: string;
  readonly membership: number;
  readonly to: string;
  readonly messageId: string | null;
  readonly revision: number;
  readonly ownRevision: number | null;
}

type Follower = (known: Followed, event: Published) => Followed;

const KNOWS_NOTHING: Followed = { membership: 0, own: null, public: null };

/** The membership is compared first, then the larger revision counts, then the larger position. */
const follow: Follower = (known, event) => {
  if (event.membership < known.membership) return known;
  const present =
    event.membership > known.membership ? { ...KNOWS_NOTHING, membership: event.membership } : known;
  return merged(present, event);
};

const merged: Follower = (known, event) => {
  switch (event.type) {
    case 'WatermarkAdvanced': {
      const id = Number(event.to);
      const shown = { ...known, public: Math.max(known.public ?? 0, id) };
      return event.ownRevision === null ? shown : withOwn(shown, { revision: event.ownRevision, id });
    }
    case 'OwnWatermarkMoved':
      return withOwn(known, { revision: event.revision, id: Number(event.messageId ?? 0) });
    default:
      return known;
  }
};

function withOwn(known: Followed, own: NonNullable<Followed['own']>): Followed {
  const isLarger =
    known.own === null ||
    own.revision > known.own.revision ||
    (own.revision === known.own.revision && own.id > known.own.id);
  return isLarger ? { ...known, own } : known;
}

function followed(events: readonly TidemarkEvent[], userId: string, follower = follow): Followed {
  const published = events as readonly unknown[] as readonly Published[];
  return published.filter((event) => event.userId === userId).reduce(follower, KNOWS_NOTHING);
}

/** What the ledger holds of a member, and what has moved since it joined. Null if it is not a member. */
async function heldOf(groupId: GroupId, userId: string) {
  const state = await tidemark.ledger.memberships.read({ groupId, userId: userId as UserId });
  if (state?.kind !== 'member') return null;
  const { self, public: shown } = state;
  return {
    membership: state.generation,
    own: { revision: self.revision, id: Number(self.position) },
    public: Number(shown.position),
    hasOwnMoved: self.at !== null,
    hasPublicMoved: shown.at !== null,
  };
}

type Held = NonNullable<Awaited<ReturnType<typeof heldOf>>>;

/**
 * A follower must know exactly what has moved since the member joined. For the rest it may
 * have no value, but no wrong one.
 */
function expectFollowed(known: Followed, held: Held): void {
  const { membership } = held;
  if (known.membership !== membership) {
    expect(known.membership).toBeLessThan(membership);
    expect([held.hasOwnMoved, held.hasPublicMoved]).toEqual([false, false]);
    return;
  }
  const own = held.hasOwnMoved || known.own ? held.own : null;
  const shown = held.hasPublicMoved || known.public !== null ? held.public : null;
  expect(known).toEqual({ membership, own, public: shown });
}

test('events in any order, coalesced and repeated, determine every own view, revision and public watermark', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 4, maxLength: 14 }),
      delivery,
      delivery,
      async (steps, one, other) => {
        const groupId = aGroup();
        const records = await play(groupId, steps);
        const held = await Promise.all(USERS.map((name) => heldOf(groupId, name)));
        for (const { cuts, ranks } of [one, other]) {
          const events = await publishedOf(records, cuts);
          const arriving = [...events, ...events]
            .map((event, index) => ({ event, rank: ranks[index % ranks.length] ?? 0 }))
            .toSorted((a, b) => a.rank - b.rank)
            .map(({ event }) => event);
          for (const [index, name] of USERS.entries()) {
            const member = held[index];
            if (member) expectFollowed(followed(arriving, name), member);
          }
        }
      },
    ),
    { numRuns: 40 },
  );
});

test('the revision of a member never goes back, whatever arrives late', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), async (steps) => {
      const groupId = aGroup();
      const revisions = new Map<string, number>();
      for (const { after: item } of await play(groupId, steps)) {
        if (item?.kind?.S !== 'membership') continue;
        const state = membershipState(item);
        const name = item.userId?.S;
        if (state.kind !== 'member' || !name) continue;
        expect(state.self.revision).toBeGreaterThanOrEqual(revisions.get(name) ?? 0);
        revisions.set(name, state.self.revision);
      }
    }),
    { numRuns: 20 },
  );
});

/** Alice reads up to 3 of 4 messages, then marks them unread from 2, then reads up to 4. */
const readAgain = (ifRevision: MarkStep['ifRevision']): Step[] => [
  ...Array.from({ length: 4 }, () => ({ do: 'record', by: 'guest', sentAt: null }) as const),
  { do: 'mark', user: 'alice', marks: [{ id: 3, kind: 'read', ifRevision }] },
  { do: 'unread', user: 'alice', id: 2 },
  { do: 'mark', user: 'alice', marks: [{ id: 4, kind: 'read', ifRevision }] },
];

/** Alice reads up to 4, leaves, joins again after 1, and reads up to 2. */
const REJOIN: Step[] = [
  ...Array.from({ length: 4 }, () => ({ do: 'record', by: 'guest', sentAt: null }) as const),
  { do: 'mark', user: 'alice', marks: [{ id: 4, kind: 'read', ifRevision: 'none' }] },
  { do: 'leave', user: 'alice' },
  { do: 'join', user: 'alice', after: 1 },
  { do: 'mark', user: 'alice', marks: [{ id: 2, kind: 'read', ifRevision: 'none' }] },
];

/** One record in each batch, and all records in one. */
const DELIVERIES = [[1], [100]];

describe('a mark after a mark unread', () => {
  test.each([
    ['with the revision from before', 'first', { revision: 1, id: 1 }, null],
    ['with any revision', 'none', { revision: 1, id: 4 }, 1],
  ] as const)('%s is distinguished from the other', async (_, ifRevision, own, ownRevision) => {
    const records = await play(aGroup(), readAgain(ifRevision));
    const published = await publishedOf(records, [1]);
    expect(published).toMatchObject([
      { type: 'WatermarkAdvanced', userId: 'alice', from: null, to: '3', ownRevision: 0 },
      { type: 'OwnWatermarkMoved', userId: 'alice', messageId: '1', revision: 1 },
      { type: 'WatermarkAdvanced', userId: 'alice', from: '3', to: '4', ownRevision },
    ]);
    expect(await publishedOf(records, [100])).toMatchObject([
      { type: 'WatermarkAdvanced', userId: 'alice', from: null, to: '4', ownRevision: null },
      { type: 'OwnWatermarkMoved', userId: 'alice', messageId: String(own.id), revision: 1 },
    ]);
    for (const sizes of DELIVERIES) {
      const events = await publishedOf(records, sizes);
      for (const arriving of [events, events.toReversed()]) {
        expect(followed(arriving, 'alice')).toMatchObject({ own, public: 4 });
      }
    }
  });
});

test('a batch with the end of one membership and the start of the next publishes both', async () => {
  const groupId = aGroup();
  const before = await play(groupId, REJOIN.slice(0, 5));
  const batch = await play(groupId, [{ do: 'unread', user: 'alice', id: 2 }, ...REJOIN.slice(5)]);
  const events = [...(await publishedOf(before, [100])), ...(await publishedOf(batch, [100]))];
  expect(followed(events, 'alice')).toMatchObject({ own: { id: 2 }, public: 2 });
});

test('a join that arrives late does not undo a mark unread', async () => {
  const groupId = aGroup();
  await play(groupId, [
    { do: 'record', by: 'guest', sentAt: null },
    { do: 'mark', user: 'alice', marks: [{ id: 1, kind: 'read', ifRevision: 'none' }] },
    { do: 'unread', user: 'alice', id: 1 },
    { do: 'receive join', user: 'alice', at: -5, after: null },
    { do: 'mark', user: 'alice', marks: [{ id: 1, kind: 'read', ifRevision: 'first' }] },
  ]);
  expect(await heldOf(groupId, 'alice')).toMatchObject({ own: { revision: 1, id: 0 }, public: 1 });
});

describe('this test detects a wrong follower', () => {
  const withoutOwnRevision: Follower = (known, event) => follow(known, { ...event, ownRevision: null });
  const byPositionAlone: Follower = (known, event) =>
    follow(known, { ...event, revision: 0, ownRevision: event.ownRevision && 0 });

  test.each([
    ['without revisions of the own view in the events', readAgain('none'), withoutOwnRevision],
    ['that follows positions without their revisions', readAgain('first'), byPositionAlone],
    ['that does not compare memberships first', REJOIN, merged],
  ] as const)('%s', async (_, steps, wrong) => {
    const groupId = aGroup();
    const records = await play(groupId, steps);
    const events = await publishedOf(records, [1]);
    const held = await heldOf(groupId, 'alice');
    if (!held) throw new Error('alice is no member');
    expectFollowed(followed(events, 'alice'), held);
    const { membership } = followed(events, 'alice');
    expect(() => expectFollowed({ ...followed(events, 'alice', wrong), membership }, held)).toThrow();
  });
});
