import fc from 'fast-check';
import type { Json } from '../support/running-stack.ts';
import { type Fact, MAX_ID as MAX } from './model.ts';

/**
 * The operations of Tidemark. Ids of groups and users are short here; perform.ts adds a prefix to them. `Revision` is the
 * type of a mark's `ifRevision`.
 */
export type OperationWith<Revision> =
  | { readonly kind: 'leave'; readonly groupId: string; readonly userId: string }
  | {
      readonly kind: 'join';
      readonly groupId: string;
      readonly userId: string;
      readonly joinedAfter: bigint | undefined;
    }
  | { readonly kind: 'get watermark'; readonly groupId: string; readonly userId: string; readonly by: Caller }
  | { readonly kind: 'add members'; readonly groupId: string; readonly userIds: readonly string[] }
  | { readonly kind: 'list members'; readonly groupId: string; readonly limit: number | undefined }
  | {
      readonly kind: 'record';
      readonly groupId: string;
      readonly messageId: bigint;
      readonly senderId: string;
      readonly sentAt: string | undefined;
    }
  | { readonly kind: 'delete'; readonly groupId: string; readonly messageId: bigint }
  | {
      readonly kind: 'mark';
      readonly groupId: string;
      readonly userId: string;
      readonly messageId: bigint;
      readonly isPrivate: boolean | undefined;
      readonly ifRevision: Revision | undefined;
      readonly by: Caller;
    }
  | {
      readonly kind: 'mark unread' | 'mark delivered';
      readonly groupId: string;
      readonly userId: string;
      readonly messageId: bigint;
      readonly by: Caller;
    }
  | {
      readonly kind: 'mark several';
      readonly userId: string;
      readonly marks: readonly EntryWith<Revision>[];
      readonly by: Caller;
    }
  | {
      readonly kind: 'get status' | 'count receipts';
      readonly groupId: string;
      readonly userId: string;
      readonly messageIds: readonly bigint[];
      readonly by: Caller;
    }
  | {
      readonly kind: 'inbox';
      readonly userId: string;
      readonly unreadOnly: boolean | undefined;
      readonly limit: number | undefined;
      /** The existing groups. */
      readonly among: readonly string[];
      readonly by: Caller;
    }
  | {
      readonly kind: 'list receipts';
      readonly groupId: string;
      readonly userId: string;
      readonly messageId: bigint;
      readonly state: 'read' | 'unread' | 'delivered' | undefined;
      readonly limit: number | undefined;
      readonly by: Caller;
    }
  | {
      readonly kind: 'send malformed';
      readonly groupId: string;
      readonly userId: string;
      readonly mistake: Mistake;
    }
  | {
      /** Puts facts on the bus, and reads the group after they have arrived. */
      readonly kind: 'facts';
      readonly groupId: string;
      /** In the order in which they are put on the bus. */
      readonly facts: readonly TimelineFact[];
      /** The member that reads the receipts. */
      readonly watcherId: string;
      /** The users whose watermarks are read. */
      readonly userIds: readonly string[];
      /** The messages whose receipts are read. */
      readonly messageIds: readonly bigint[];
    }
  | { readonly kind: 'flush' }
  | {
      /** Deletes some of the group's data in the cache: `picks` has one entry for each key. */
      readonly kind: 'evict';
      readonly groupId: string;
      readonly picks: readonly Pick[];
    };

/** The caller: the user, or a back end for the user. */
type Caller = 'user' | 'service';

export interface EntryWith<Revision> {
  readonly groupId: string;
  readonly messageId: bigint;
  readonly isPrivate: boolean | undefined;
  readonly ifRevision: Revision | undefined;
  readonly isDelivered: boolean | undefined;
}

/** What to delete of a key: nothing, the whole key, or some fields of a hash. */
export type Pick = 'nothing' | 'key' | 'fields';

/**
 * A fact of a group's timeline, which has rounds: the times of a round are after those of the rounds before. A fact of
 * an earlier round is only repeated.
 */
export type TimelineFact = Fact & { readonly round: number };

/** A number; the current revision; or the last revision of the membership before. */
export type IfRevision = number | 'current' | 'former';

/** An operation in a history, before the revisions are known. */
export type Operation = OperationWith<IfRevision>;
/** An operation as it is performed. */
export type OperationRequest = OperationWith<number>;

/** A request that is refused for every caller and group, and must change nothing. */
export interface Mistake {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly body?: Json;
  readonly by?: Caller;
}

/** One operation, or several at once. */
export type Step = readonly Operation[];
export type History = readonly Step[];

// Text order is not the order of numbers, nor that of dictionaries.
export const GROUPS = ['g9', 'g10', 'G|2'] as const;
const GROUP_WITHOUT_MEMBERS = 'nobodys';
/** Groups that change only by facts on the bus. */
export const GROUPS_OF_FACTS = ['f|1', 'f*$'] as const;
/** Groups with few recorded messages. */
const QUIET_GROUP = 'quiet';
const ALL_GROUPS = [...GROUPS, GROUP_WITHOUT_MEMBERS, QUIET_GROUP, ...GROUPS_OF_FACTS];
export const USERS = ['ann', 'ann|b', 'cem', '*dot', '$eve', 'fay'] as const;
const A_BOT = 'a-bot';
const SENDERS = [...USERS, A_BOT];
/** The member that joins each group of facts first, and reads the receipts. */
export const WATCHER = 'watcher';

const TWO_53 = 2n ** 53n;
/** The ids of one history: the first are simple, the last are often beyond the head. */
const ID_SETS: readonly (readonly bigint[])[] = [
  [1n, 2n, 3n, 4n, 6n, 9n, 10n, 11n, 15n, 99n, 100n, MAX],
  [5n, 9n, 10n, 20n, 100n, 101n, 1000n, TWO_53 - 1n, TWO_53, TWO_53 + 1n, MAX - 1n, MAX],
  [TWO_53 - 1n, TWO_53, TWO_53 + 1n, TWO_53 + 2n, TWO_53 + 3n, TWO_53 + 5n, 1n, 2n ** 63n, MAX],
  [MAX - 7n, MAX - 6n, MAX - 5n, MAX - 4n, MAX - 3n, MAX - 2n, 2n ** 63n, 7n, MAX - 1n, MAX],
];

const MISTAKES: readonly Mistake[] = [
  { name: 'a mark of 0', method: 'PUT', path: '/watermark', body: { messageId: '0' } },
  { name: 'a mark of 2^64', method: 'PUT', path: '/watermark', body: { messageId: '18446744073709551616' } },
  { name: 'a mark of 01', method: 'PUT', path: '/watermark', body: { messageId: '01' } },
  { name: 'a mark of a fraction', method: 'PUT', path: '/watermark', body: { messageId: 1.5 } },
  { name: 'an unknown field', method: 'PUT', path: '/watermark', body: { messageId: '1', silent: true } },
  { name: 'private as text', method: 'PUT', path: '/watermark', body: { messageId: '1', private: 'yes' } },
  { name: 'ifRevision below 0', method: 'PUT', path: '/watermark', body: { messageId: '1', ifRevision: -1 } },
  { name: 'unread from nothing', method: 'POST', path: '/unread', body: {} },
  { name: 'delivered 0', method: 'PUT', path: '/delivered', body: { messageId: '0' } },
  { name: 'a private delivery', method: 'PUT', path: '/delivered', body: { messageId: '1', private: true } },
  {
    name: 'one bad id among status',
    method: 'POST',
    path: '/messages/status',
    body: { messageIds: ['1', ''] },
  },
  { name: 'one bad id among receipts', method: 'POST', path: '/receipts', body: { messageIds: ['1', '-1'] } },
  {
    name: '101 ids of receipts',
    method: 'POST',
    path: '/receipts',
    body: { messageIds: Array.from({ length: 101 }, (_, index) => String(index + 1)) },
  },
  { name: 'receipts of 0', method: 'GET', path: '/messages/0/receipts' },
  { name: 'receipts of another state', method: 'GET', path: '/messages/1/receipts?state=seen' },
  { name: 'receipts, 0 a page', method: 'GET', path: '/messages/1/receipts?limit=0' },
  { name: 'receipts, 501 a page', method: 'GET', path: '/messages/1/receipts?limit=501' },
  { name: 'receipts with a parameter too many', method: 'GET', path: '/messages/1/receipts?order=asc' },
  { name: 'a read of the watermark with a parameter', method: 'GET', path: '/watermark?fresh=true' },
  {
    name: 'a mark with a parameter',
    method: 'PUT',
    path: '/watermark?private=true',
    body: { messageId: '1' },
  },
  { name: 'members, 501 a page', method: 'GET', path: '/members?limit=501', by: 'service' },
  { name: 'members with a parameter too many', method: 'GET', path: '/members?state=read', by: 'service' },
  {
    name: 'a member who joins after 0',
    method: 'PUT',
    path: '/members/x',
    body: { joinedAfter: '0' },
    by: 'service',
  },
];

/** Requests about a user only, not about a group. {groupId} stands for the group. */
const MISTAKES_ELSEWHERE: readonly Mistake[] = [
  {
    name: 'one bad mark among several',
    method: 'POST',
    path: '/watermarks',
    body: {
      marks: [
        { groupId: '{groupId}', messageId: '18446744073709551615' },
        { groupId: '{groupId}', messageId: '0' },
      ],
    },
  },
  {
    name: 'a private delivery among several marks',
    method: 'POST',
    path: '/watermarks',
    body: { marks: [{ groupId: '{groupId}', messageId: '1', delivered: true, private: true }] },
  },
  {
    name: 'a delivery with ifRevision among several marks',
    method: 'POST',
    path: '/watermarks',
    body: { marks: [{ groupId: '{groupId}', messageId: '1', delivered: true, ifRevision: 0 }] },
  },
  { name: 'an inbox with a parameter too many', method: 'GET', path: '/inbox?all=true' },
  { name: 'an inbox, 0 a page', method: 'GET', path: '/inbox?limit=0' },
  { name: 'an inbox, 201 a page', method: 'GET', path: '/inbox?limit=201' },
  { name: 'an inbox of perhaps', method: 'GET', path: '/inbox?unreadOnly=perhaps' },
];

const ALL_MISTAKES = [
  ...MISTAKES.map((mistake) => ({ ...mistake, path: `/groups/{groupId}${mistake.path}` })),
  ...MISTAKES_ELSEWHERE,
];

// Most steps are about a few users in one group, so that they interact.
const user = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...USERS.slice(0, 3)) },
  { weight: 2, arbitrary: fc.constantFrom(...USERS) },
);
const aGroupOfSome = fc.oneof(
  { weight: 3, arbitrary: fc.constant(GROUPS[0]) },
  { weight: 2, arbitrary: fc.constantFrom(...GROUPS) },
);
const group = fc.oneof(
  { weight: 24, arbitrary: aGroupOfSome },
  { weight: 1, arbitrary: fc.constant(GROUP_WITHOUT_MEMBERS) },
);
/** If a history has groups of facts, most steps are about these. */
const groupOrOneOfFacts = fc.oneof(
  { weight: 2, arbitrary: group },
  { weight: 5, arbitrary: fc.constantFrom(...GROUPS_OF_FACTS) },
);
const by = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Caller>('user') },
  { weight: 1, arbitrary: fc.constant<Caller>('service') },
);
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });

/** The first ids are recorded most often, so that many reads find them. The last are rare, so that the head stays below. */
const aRecordedId = (ids: readonly bigint[]) =>
  fc.oneof(
    { weight: 14, arbitrary: fc.constantFrom(...ids.slice(0, 4)) },
    { weight: 9, arbitrary: fc.constantFrom(...ids.slice(0, -3)) },
    { weight: 1, arbitrary: fc.constantFrom(...ids) },
  );

/** Reads and marks may be about `anyGroup`. Only facts change the members and messages of a group of facts. */
function anOperation(ids: readonly bigint[], anyGroup: fc.Arbitrary<string>): fc.Arbitrary<Operation> {
  const messageId = fc.constantFrom(...ids);
  const recorded = aRecordedId(ids);
  const messageIds = fc.array(messageId, { minLength: 1, maxLength: 5 });
  const kind = <K extends Operation['kind']>(name: K) => fc.constant(name);
  const limit = maybe(fc.constantFrom(1, 2, 3, 100, 500));
  const isPrivate = maybe(fc.boolean());
  const ofUser = { groupId: anyGroup, userId: user, by };

  return fc.oneof(
    {
      weight: 7,
      arbitrary: fc.record({
        kind: kind('join'),
        groupId: group,
        userId: user,
        joinedAfter: aStart(ids),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: kind('leave'), groupId: group, userId: user }) },
    { weight: 5, arbitrary: fc.record({ kind: kind('get watermark'), ...ofUser }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: kind('add members'),
        groupId: aGroupOfSome,
        userIds: fc.uniqueArray(user, { minLength: 1 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: kind('list members'), groupId: anyGroup, limit }) },
    { weight: 8, arbitrary: aRecord(recorded, fc.constantFrom(...SENDERS), fc.constant(undefined)) },
    // The time does not matter for a sender who is never a member.
    {
      weight: 1,
      arbitrary: aRecord(recorded, fc.constant(A_BOT), fc.constant('2026-01-31T12:00:00.000Z')),
    },
    { weight: 3, arbitrary: fc.record({ kind: kind('delete'), groupId: anyGroup, messageId: recorded }) },
    {
      weight: 11,
      arbitrary: fc.record({
        kind: kind('mark'),
        ...ofUser,
        messageId,
        isPrivate,
        ifRevision: anIfRevision,
      }),
    },
    { weight: 5, arbitrary: fc.record({ kind: kind('mark unread'), ...ofUser, messageId }) },
    { weight: 4, arbitrary: fc.record({ kind: kind('mark delivered'), ...ofUser, messageId }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: kind('mark several'),
        userId: user,
        marks: fc.array(anEntry(anyGroup, messageId), { minLength: 1, maxLength: 6 }),
        by,
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: kind('get status'), ...ofUser, messageIds }) },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: kind('inbox'),
        userId: user,
        unreadOnly: maybe(fc.boolean()),
        limit: maybe(fc.constantFrom(1, 2, 200)),
        among: fc.constant(ALL_GROUPS),
        by,
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: kind('list receipts'),
        ...ofUser,
        messageId: recorded,
        state: maybe(fc.constantFrom('read' as const, 'unread', 'delivered')),
        limit,
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ kind: kind('count receipts'), ...ofUser, messageIds }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: kind('send malformed'),
        groupId: group,
        userId: user,
        mistake: fc.constantFrom(...ALL_MISTAKES),
      }),
    },
    { weight: 1, arbitrary: fc.record({ kind: kind('flush') }) },
    { weight: 3, arbitrary: fc.record({ kind: kind('evict'), groupId: anyGroup, picks }) },
  );
}

const picks = fc.array(fc.constantFrom<Pick>('nothing', 'key', 'fields'), { minLength: 1, maxLength: 6 });

const anIfRevision = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  {
    weight: 2,
    arbitrary: fc.oneof(fc.nat({ max: 2 }), fc.constantFrom<IfRevision>('current', 'former')),
  },
);

function anEntry(groupId: fc.Arbitrary<string>, messageId: fc.Arbitrary<bigint>) {
  const there = { groupId, messageId };
  return fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        ...there,
        isPrivate: maybe(fc.boolean()),
        ifRevision: anIfRevision,
        isDelivered: maybe(fc.constant(false)),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        ...there,
        isPrivate: maybe(fc.constant(false)),
        ifRevision: fc.constant(undefined),
        isDelivered: fc.constant(true),
      }),
    },
  );
}

/** The start of a member, if a back end gives it. */
const aStart = (ids: readonly bigint[]) =>
  fc.oneof(
    { weight: 3, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constantFrom(...ids.filter((id) => id !== MAX)) },
  );

const aRecord = (
  messageId: fc.Arbitrary<bigint>,
  senderId: fc.Arbitrary<string>,
  sentAt: fc.Arbitrary<string | undefined>,
) => fc.record({ kind: fc.constant('record' as const), groupId: group, messageId, senderId, sentAt });

/** Sequences of steps that are too rare in random histories. */
function aScene(ids: readonly bigint[]): fc.Arbitrary<readonly Step[]> {
  const roles = {
    groupId: fc.constantFrom(...GROUPS),
    userId: user,
    first: aRecordedId(ids),
    second: fc.constantFrom(...ids.slice(1, -2)),
  };
  const options = {
    isPrivate: maybe(fc.boolean()),
    ifRevision: fc.constantFrom<IfRevision | undefined>('former', 'former', 'current', 0, 1),
  };
  const plain = { isPrivate: undefined, ifRevision: undefined } as const;
  const sent = { kind: 'record', senderId: A_BOT, sentAt: undefined } as const;
  const byUser = { by: 'user' } as const;
  /** A member that joins again and marks with an earlier revision. */
  const rejoining = fc
    .record({ ...roles, ...options, inBatch: fc.boolean() })
    .map(({ first, second, isPrivate, ifRevision, inBatch, ...there }): Operation[] => {
      const late = { ...there, messageId: second, isPrivate, ifRevision };
      return [
        { kind: 'join', ...there, joinedAfter: undefined },
        { ...sent, groupId: there.groupId, messageId: first },
        { kind: 'mark', ...there, ...plain, ...byUser, messageId: first },
        { kind: 'mark unread', ...there, ...byUser, messageId: first },
        { kind: 'leave', ...there },
        { kind: 'join', ...there, joinedAfter: undefined },
        { ...sent, groupId: there.groupId, messageId: second },
        inBatch
          ? {
              kind: 'mark several',
              userId: there.userId,
              ...byUser,
              marks: [{ ...late, isDelivered: undefined }],
            }
          : { kind: 'mark', ...late, ...byUser },
        { kind: 'get watermark', ...there, ...byUser },
      ];
    });
  /** A mark before its message, and steps that may come in between. */
  const overtaking = fc
    .record({
      ...roles,
      // These are rarely recorded otherwise, so the head is below them.
      second: fc.constantFrom(...ids.slice(-5, -1)),
      isPrivate: options.isPrivate,
      between: fc.constantFrom('nothing', 'unread', 'rejoining', 'another mark'),
    })
    .map(({ first, second, isPrivate, between, ...there }): Operation[] => {
      const events: Record<typeof between, Operation[]> = {
        nothing: [],
        unread: [{ kind: 'mark unread', ...there, ...byUser, messageId: first }],
        rejoining: [
          { kind: 'leave', ...there },
          { kind: 'join', ...there, joinedAfter: undefined },
        ],
        'another mark': [{ kind: 'mark', ...there, ...plain, ...byUser, messageId: second }],
      };
      return [
        { kind: 'join', ...there, joinedAfter: undefined },
        { ...sent, groupId: there.groupId, messageId: first },
        { kind: 'mark', ...there, ...plain, ...byUser, isPrivate, messageId: second },
        ...events[between],
        { ...sent, groupId: there.groupId, messageId: second },
        { kind: 'get watermark', ...there, ...byUser },
      ];
    });
  /** Own messages are read, also above the own view. */
  const ownMessages = fc
    .record({ ...roles, isDeleted: fc.boolean() })
    .map(({ first, second, isDeleted, ...there }): Operation[] => [
      { kind: 'join', ...there, joinedAfter: undefined },
      { ...sent, groupId: there.groupId, messageId: second, senderId: there.userId },
      { kind: 'mark unread', ...there, ...byUser, messageId: first },
      ...(isDeleted ? [{ kind: 'delete' as const, groupId: there.groupId, messageId: second }] : []),
      { kind: 'get status', ...there, ...byUser, messageIds: [first, second] },
      { kind: 'get watermark', ...there, ...byUser },
    ]);
  /** A member that marks everything in a group without messages. */
  const everything = fc
    .record({
      userId: user,
      messageId: roles.first,
      kind: fc.constantFrom('mark', 'mark delivered', 'mark several'),
    })
    .map(({ userId, messageId, kind }): Operation[] => {
      const there = { groupId: QUIET_GROUP, userId };
      const entry = { groupId: QUIET_GROUP, messageId: MAX, isPrivate: undefined, ifRevision: undefined };
      const marks: Record<typeof kind, Operation> = {
        mark: { kind: 'mark', ...there, ...plain, ...byUser, messageId: MAX },
        'mark delivered': { kind: 'mark delivered', ...there, ...byUser, messageId: MAX },
        'mark several': {
          kind: 'mark several',
          userId,
          ...byUser,
          marks: [{ ...entry, isDelivered: undefined }],
        },
      };
      return [
        { kind: 'join', ...there, joinedAfter: undefined },
        marks[kind],
        { ...sent, groupId: QUIET_GROUP, messageId },
        { kind: 'get watermark', ...there, ...byUser },
      ];
    });
  return fc
    .oneof(rejoining, overtaking, ownMessages, everything)
    .map((operations) => operations.map((operation) => [operation]));
}

const ROUNDS = 3;
const TICKS_OF_A_ROUND = 10;

/**
 * The facts of a group, a round at a time. Within a round facts come in any order and may repeat; each round is
 * later than those before. A message has one sender and one time; if another sender uses its id in a later
 * round, that fact is ignored.
 */
function aTimeline(groupId: string, ids: readonly bigint[]): fc.Arbitrary<readonly Operation[]> {
  const tick = fc.nat({ max: TICKS_OF_A_ROUND - 1 });
  const fact = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('joined' as const),
        userId: user,
        at: tick,
        joinedAfter: aStart(ids),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('left' as const), userId: user, at: tick }) },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('sent' as const),
        messageId: aRecordedId(ids),
        senderId: fc.constantFrom(...SENDERS),
        at: tick,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('deleted' as const), messageId: aRecordedId(ids) }),
    },
  );
  const round = fc.record({
    facts: fc.array(fact, { minLength: 3, maxLength: 9, size: 'max' }),
    order: fc.array(fc.nat({ max: 999 }), { minLength: 16, maxLength: 16 }),
    repeats: fc.array(fc.nat({ max: 999 }), { maxLength: 5, size: 'max' }),
  });
  return fc.array(round, { minLength: 2, maxLength: ROUNDS }).map((rounds) => {
    const before: TimelineFact[] = [];
    return rounds.map(({ facts, order, repeats }, number) => {
      const timed = facts.map((one): TimelineFact => {
        const at = 'at' in one ? one.at + number * TICKS_OF_A_ROUND : 0;
        return { ...one, ...('at' in one && { at }), round: number };
      });
      const own = [...new Map(timed.map((one) => [subjectOf(one), one])).values()];
      const known = [...before, ...own];
      const again = repeats.map((index) => known[index % known.length]).filter((one) => one !== undefined);
      before.push(...own);
      const shuffled = [...own, ...again]
        .map((one, index) => ({ one, rank: order[index] ?? 0 }))
        .toSorted((a, b) => a.rank - b.rank);
      return factsOf(
        groupId,
        shuffled.map(({ one }) => one),
      );
    });
  });
}

/** What a fact is about. A round has one fact about each. */
function subjectOf(fact: Fact): string {
  if (fact.kind === 'sent' || fact.kind === 'deleted') return `${fact.kind} ${fact.messageId}`;
  return `${fact.kind} ${fact.userId} ${fact.at}`;
}

/** Puts these facts on the bus, and reads everything that they are about. */
export function factsOf(groupId: string, facts: readonly TimelineFact[]): OperationWith<never> {
  const userIds = facts.flatMap((fact) => {
    if (fact.kind === 'deleted') return [];
    return fact.kind === 'sent' ? [fact.senderId] : [fact.userId];
  });
  const messageIds = facts.flatMap((fact) => ('messageId' in fact ? [fact.messageId] : []));
  return {
    kind: 'facts',
    groupId,
    facts,
    watcherId: WATCHER,
    userIds: [...new Set([...userIds, WATCHER])],
    messageIds: [...new Set(messageIds)],
  };
}

/** Several operations at once, most of them on the same user and in the same group. */
function severalAtOnce(ids: readonly bigint[], anyGroup: fc.Arbitrary<string>): fc.Arbitrary<Step> {
  const aimed = fc.tuple(anOperation(ids, anyGroup), fc.integer({ min: 0, max: 3 }));
  return fc
    .tuple(user, anyGroup, fc.array(aimed, { minLength: 2, maxLength: 4, size: 'max' }))
    .map(([userId, groupId, operations]) => {
      const step: Operation[] = [];
      for (const [operation, aim] of operations) {
        const there =
          'groupId' in operation && aim > 0 && mayBeIn(groupId, operation)
            ? { ...operation, groupId }
            : operation;
        const atThem = 'userId' in there && aim > 1 ? { ...there, userId } : there;
        if (step.every((other) => mayRunTogether(other, atThem))) step.push(atThem);
      }
      return step;
    });
}

/** In a group of facts, only facts let users join, leave or send. */
function mayBeIn(groupId: string, { kind }: Operation): boolean {
  const isOfFacts = GROUPS_OF_FACTS.some((ofFacts) => ofFacts === groupId);
  return !isOfFacts || !['join', 'add members', 'leave', 'record'].includes(kind);
}

/**
 * Whether the contract determines the possible answers if both run at once. It does if each reads or changes one
 * member, and if several groups are read one by one. The exceptions:
 *
 * - A list of members and a receipt are about many members, even over several pages, and need not be of one moment.
 *   So nothing that others can see may move in the meantime; private moves and other groups may.
 * - A join of several users need not happen at one head, and its answer has their number, not their names.
 * - Two records of one message return which was first, and each returns a head, of two moments if a third message
 *   moves the head in between. So all messages recorded at once are different, or all are the same.
 */
function mayRunTogether(one: Operation, other: Operation): boolean {
  return isDeterminate(one, other) && isDeterminate(other, one);
}

function isDeterminate(one: Operation, other: Operation): boolean {
  if (one.kind === 'list members' || one.kind === 'list receipts' || one.kind === 'count receipts') {
    return !movesWhatOthersSee(other, one.groupId);
  }
  if (one.kind === 'add members') {
    switch (other.kind) {
      case 'join':
      case 'leave':
      case 'record':
      case 'add members':
        return other.groupId !== one.groupId;
      default:
        return true;
    }
  }
  if (one.kind === 'record' && other.kind === 'record') {
    return one.groupId !== other.groupId || one.messageId !== other.messageId;
  }
  // Each of its groups is read or marked separately: two such operations have too many orders to try.
  return !isAboutMany(one) || !isAboutMany(other);
}

const isAboutMany = ({ kind }: Operation) => kind === 'inbox' || kind === 'mark several';

function movesWhatOthersSee(operation: Operation, groupId: string): boolean {
  switch (operation.kind) {
    case 'join':
    case 'add members':
    case 'leave':
    case 'record':
    case 'delete':
    case 'mark delivered':
      return operation.groupId === groupId;
    case 'mark':
      return operation.groupId === groupId && operation.isPrivate !== true;
    case 'mark several':
      return operation.marks.some((mark) => mark.groupId === groupId && mark.isPrivate !== true);
    case 'facts':
      return true;
    default:
      return false;
  }
}

/** The same message, recorded by several calls at once. */
function sameMessageAtOnce(ids: readonly bigint[]): fc.Arbitrary<Step> {
  return fc
    .record({
      groupId: aGroupOfSome,
      messageId: aRecordedId(ids),
      senderIds: fc.array(fc.constantFrom(...SENDERS), { minLength: 2, maxLength: 3 }),
    })
    .map(({ senderIds, ...message }) =>
      senderIds.map((senderId) => ({ kind: 'record', ...message, senderId, sentAt: undefined })),
    );
}

export interface HistoriesOptions {
  readonly maxSteps: number;
  /** Whether histories have groups of facts. By default some histories do. */
  readonly withFacts?: boolean | undefined;
}

function historyOf(
  ids: readonly bigint[],
  { maxSteps, withFacts }: { maxSteps: number; withFacts: boolean },
): fc.Arbitrary<History> {
  const anyGroup = withFacts ? groupOrOneOfFacts : group;
  const alone = anOperation(ids, anyGroup).map((operation): readonly Step[] => [[operation]]);
  const steps = fc.oneof(
    { weight: 32, arbitrary: alone },
    { weight: 12, arbitrary: severalAtOnce(ids, anyGroup).map((step) => [step]) },
    { weight: 2, arbitrary: sameMessageAtOnce(ids).map((step) => [step]) },
    { weight: 2, arbitrary: aScene(ids) },
  );
  // Without members and messages most answers would be empty.
  const joinTogether = (groupId: fc.Arbitrary<string>) =>
    fc.record({
      kind: fc.constant('add members' as const),
      groupId,
      userIds: fc.uniqueArray(fc.constantFrom(...USERS), { minLength: 4 }),
    });
  const record = aRecord(aRecordedId(ids), fc.constantFrom(...SENDERS), fc.constant(undefined));
  const first = fc
    .tuple(
      joinTogether(fc.constant(GROUPS[0])),
      fc.array(fc.oneof(joinTogether(aGroupOfSome), record), { maxLength: 6, size: 'max' }),
    )
    .map(([join, others]) => [join, ...others].map((operation): Step => [operation]));
  const timelines = fc.tuple(...GROUPS_OF_FACTS.map((groupId) => aTimeline(groupId, ids)));
  return fc
    .record({
      first,
      steps: fc.array(steps, { minLength: 1, maxLength: maxSteps, size: 'max' }),
      timelines: withFacts ? timelines : fc.constant([]),
      gaps: fc.array(fc.nat({ max: 12 }), { minLength: 6, maxLength: 6 }),
    })
    .map(({ first, steps, timelines, gaps }) => [
      ...(withFacts ? [] : first),
      ...interleaved(steps.flat(), timelines, gaps),
      ...finalReads(ids, withFacts),
    ]);
}

/** Mixes the rounds of each timeline, in their order, with the other steps. */
function interleaved(
  steps: readonly Step[],
  timelines: readonly (readonly Operation[])[],
  gaps: readonly number[],
): History {
  const history = [...steps];
  for (const [index, timeline] of timelines.entries()) {
    let at = 0;
    for (const [round, operation] of timeline.entries()) {
      history.splice(at, 0, [operation]);
      at += 1 + (gaps[(index + 2 * round) % gaps.length] ?? 0);
    }
  }
  return history;
}

/** Random histories. If one fails, simpler ones are tried. */
export function histories({ maxSteps, withFacts }: HistoriesOptions): fc.Arbitrary<History> {
  const ofKind = (isWith: boolean) =>
    fc.oneof(...ID_SETS.map((ids) => historyOf(ids, { maxSteps, withFacts: isWith })));
  if (withFacts !== undefined) return ofKind(withFacts);
  return fc.oneof({ weight: 4, arbitrary: ofKind(false) }, { weight: 1, arbitrary: ofKind(true) });
}

/** Reads everything at the end, to find mistakes that no earlier answer showed. */
function finalReads(ids: readonly bigint[], withFacts: boolean): History {
  const messageIds = ids.slice(0, -3);
  const readers = [
    ...GROUPS.map((groupId) => ({ groupId, userId: USERS[0] as string })),
    ...(withFacts ? GROUPS_OF_FACTS.map((groupId) => ({ groupId, userId: WATCHER })) : []),
  ];
  return [
    ...readers.map(({ groupId }): Step => [{ kind: 'list members', groupId, limit: undefined }]),
    ...readers.map((there): Step => [{ kind: 'count receipts', ...there, messageIds, by: 'user' }]),
    ...USERS.map(
      (userId): Step => [
        {
          kind: 'inbox',
          userId,
          unreadOnly: undefined,
          limit: undefined,
          among: ALL_GROUPS,
          by: 'user',
        },
      ],
    ),
  ];
}

/** The operation as one line of text. */
export function describeOperation(operation: OperationWith<IfRevision>): string {
  switch (operation.kind) {
    case 'join':
      return `${operation.userId} joins ${operation.groupId}${listed(operation)}`;
    case 'leave':
      return `${operation.userId} leaves ${operation.groupId}`;
    case 'get watermark':
      return `${operation.userId} reads the watermark in ${operation.groupId}${listed(operation)}`;
    case 'add members':
      return `${operation.userIds.join(', ')} join ${operation.groupId} in one call`;
    case 'list members':
      return `the members of ${operation.groupId}${listed(operation)}`;
    case 'record': {
      const { senderId, messageId, groupId, sentAt } = operation;
      return `${senderId} sends ${messageId} to ${groupId}${sentAt === undefined ? '' : ` (sent at ${sentAt})`}`;
    }
    case 'delete':
      return `${operation.messageId} is deleted in ${operation.groupId}`;
    case 'mark':
      return `${operation.userId} marks ${operation.groupId} up to ${operation.messageId}${listed(operation)}`;
    case 'mark unread':
      return `${operation.userId} marks ${operation.groupId} unread from ${operation.messageId}${listed(operation)}`;
    case 'mark delivered':
      return `${operation.userId} marks ${operation.groupId} delivered up to ${operation.messageId}${listed(operation)}`;
    case 'mark several': {
      const marks = operation.marks.map((mark) => `${mark.groupId} up to ${mark.messageId}${listed(mark)}`);
      return `${operation.userId} marks at once ${marks.join(', ')}${listed(operation)}`;
    }
    case 'get status':
      return `${operation.userId} reads in ${operation.groupId} the status of ${operation.messageIds.join(', ')}${listed(operation)}`;
    case 'count receipts':
      return `${operation.userId} counts in ${operation.groupId} the receipts of ${operation.messageIds.join(', ')}${listed(operation)}`;
    case 'inbox':
      return `the inbox of ${operation.userId}${listed(operation)}`;
    case 'list receipts': {
      const { userId, groupId, messageId } = operation;
      return `${userId} lists in ${groupId} the receipts of ${messageId}${listed(operation)}`;
    }
    case 'send malformed':
      return `${operation.userId} sends a malformed request in ${operation.groupId}: ${operation.mistake.name}`;
    case 'facts':
      return `the chat puts facts of ${operation.groupId} on the bus: ${operation.facts.map(describeFact).join(', ')}`;
    case 'flush':
      return 'the cache is emptied';
    case 'evict':
      return `the cache loses some of ${operation.groupId}: ${operation.picks.join(', ')}`;
  }
}

function describeFact(fact: Fact): string {
  switch (fact.kind) {
    case 'sent':
      return `${fact.senderId} sends ${fact.messageId} at ${fact.at}`;
    case 'deleted':
      return `${fact.messageId} is deleted`;
    case 'joined':
      return `${fact.userId} joins at ${fact.at}${listed(fact)}`;
    case 'left':
      return `${fact.userId} leaves at ${fact.at}`;
  }
}

const OPTIONS = [
  'joinedAfter',
  'isPrivate',
  'ifRevision',
  'isDelivered',
  'by',
  'state',
  'unreadOnly',
  'limit',
] as const;

function listed(options: { readonly [name in (typeof OPTIONS)[number]]?: unknown }): string {
  const shown = OPTIONS.filter((name) => options[name] !== undefined && options[name] !== 'user');
  return shown.length === 0 ? '' : ` (${shown.map((name) => `${name}: ${options[name]}`).join(', ')})`;
}
