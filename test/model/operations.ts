import fc from 'fast-check';
import type { Json } from '../support/running-stack.ts';

/** What can be asked of Tidemark. Names are short here: the player makes them its own. */
export type Operation =
  | { readonly kind: 'join' | 'leave' | 'look'; readonly groupId: string; readonly userId: string }
  | { readonly kind: 'join together'; readonly groupId: string; readonly userIds: readonly string[] }
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
      readonly ifRevision: number | undefined;
      /** Who asks: the user, or a back end for the user. */
      readonly by: 'user' | 'service';
    }
  | {
      readonly kind: 'mark unread' | 'mark delivered';
      readonly groupId: string;
      readonly userId: string;
      readonly messageId: bigint;
    }
  | {
      readonly kind: 'mark several';
      readonly userId: string;
      readonly marks: readonly {
        readonly groupId: string;
        readonly messageId: bigint;
        readonly isPrivate: boolean | undefined;
      }[];
    }
  | {
      readonly kind: 'ask status' | 'ask receipts of several';
      readonly groupId: string;
      readonly userId: string;
      readonly messageIds: readonly bigint[];
    }
  | {
      readonly kind: 'inbox';
      readonly userId: string;
      readonly unreadOnly: boolean | undefined;
      readonly limit: number | undefined;
      /** The groups that there are. */
      readonly among: readonly string[];
    }
  | {
      readonly kind: 'ask receipts';
      readonly groupId: string;
      readonly userId: string;
      readonly messageId: bigint;
      readonly state: 'read' | 'unread' | 'delivered' | undefined;
      readonly limit: number | undefined;
    }
  | {
      readonly kind: 'ask wrongly';
      readonly groupId: string;
      readonly userId: string;
      readonly mistake: Mistake;
    }
  | { readonly kind: 'flush' };

/** A request that is refused, whoever makes it and wherever, and that must change nothing. */
export interface Mistake {
  readonly says: string;
  readonly method: string;
  readonly path: string;
  readonly body?: Json;
}

/** One operation alone, or several at once. */
export type Step = readonly Operation[];
export type History = readonly Step[];

// Text order is not the order of numbers, nor that of dictionaries.
export const GROUPS = ['g9', 'g10', 'G2'] as const;
const NOBODYS_GROUP = 'nobodys';
const ALL_GROUPS = [...GROUPS, NOBODYS_GROUP];
export const USERS = ['ann', 'ben', 'cem', 'dot', 'eve', 'fay'] as const;
const SENDERS = [...USERS, 'a-bot'];

const MAX = 2n ** 64n - 1n;
const TWO_53 = 2n ** 53n;
/** The ids that one history works with: the first are simple, the last are often beyond the head. */
const ID_SETS: readonly (readonly bigint[])[] = [
  [1n, 2n, 3n, 4n, 6n, 9n, 10n, 11n, 15n, 99n, 100n, MAX],
  [5n, 9n, 10n, 20n, 100n, 101n, 1000n, TWO_53 - 1n, TWO_53, TWO_53 + 1n, MAX - 1n, MAX],
  [TWO_53 - 1n, TWO_53, TWO_53 + 1n, TWO_53 + 2n, TWO_53 + 3n, TWO_53 + 5n, 1n, 2n ** 63n, MAX],
  [MAX - 7n, MAX - 6n, MAX - 5n, MAX - 4n, MAX - 3n, MAX - 2n, 2n ** 63n, 7n, MAX - 1n, MAX],
];

const MISTAKES: readonly Mistake[] = [
  { says: 'a mark of 0', method: 'PUT', path: '/watermark', body: { messageId: '0' } },
  { says: 'a mark of 2^64', method: 'PUT', path: '/watermark', body: { messageId: '18446744073709551616' } },
  { says: 'a mark of 01', method: 'PUT', path: '/watermark', body: { messageId: '01' } },
  { says: 'a mark of a fraction', method: 'PUT', path: '/watermark', body: { messageId: 1.5 } },
  { says: 'an unknown field', method: 'PUT', path: '/watermark', body: { messageId: '1', silent: true } },
  { says: 'private as text', method: 'PUT', path: '/watermark', body: { messageId: '1', private: 'yes' } },
  { says: 'ifRevision below 0', method: 'PUT', path: '/watermark', body: { messageId: '1', ifRevision: -1 } },
  { says: 'unread from nothing', method: 'POST', path: '/unread', body: {} },
  { says: 'delivered 0', method: 'PUT', path: '/delivered', body: { messageId: '0' } },
  { says: 'a private delivery', method: 'PUT', path: '/delivered', body: { messageId: '1', private: true } },
  {
    says: 'one bad id among status',
    method: 'POST',
    path: '/messages/status',
    body: { messageIds: ['1', ''] },
  },
  { says: 'one bad id among receipts', method: 'POST', path: '/receipts', body: { messageIds: ['1', '-1'] } },
  {
    says: '101 ids of receipts',
    method: 'POST',
    path: '/receipts',
    body: { messageIds: Array.from({ length: 101 }, (_, index) => String(index + 1)) },
  },
  { says: 'receipts of 0', method: 'GET', path: '/messages/0/receipts' },
  { says: 'receipts of another state', method: 'GET', path: '/messages/1/receipts?state=seen' },
  { says: 'receipts, 0 a page', method: 'GET', path: '/messages/1/receipts?limit=0' },
  { says: 'receipts, 101 a page', method: 'GET', path: '/messages/1/receipts?limit=101' },
];

/** Of a user alone, not of a group. {groupId} stands for the group. */
const MISTAKES_ELSEWHERE: readonly Mistake[] = [
  {
    says: 'one bad mark among several',
    method: 'POST',
    path: '/v1/watermarks',
    body: {
      marks: [
        { groupId: '{groupId}', messageId: '18446744073709551615' },
        { groupId: '{groupId}', messageId: '0' },
      ],
    },
  },
  {
    says: 'ifRevision among several marks',
    method: 'POST',
    path: '/v1/watermarks',
    body: { marks: [{ groupId: '{groupId}', messageId: '18446744073709551615', ifRevision: 0 }] },
  },
  { says: 'an inbox, 0 a page', method: 'GET', path: '/v1/inbox?limit=0' },
  { says: 'an inbox, 201 a page', method: 'GET', path: '/v1/inbox?limit=201' },
  { says: 'an inbox of perhaps', method: 'GET', path: '/v1/inbox?unreadOnly=perhaps' },
];

const ALL_MISTAKES = [
  ...MISTAKES.map((mistake) => ({ ...mistake, path: `/v1/groups/{groupId}${mistake.path}` })),
  ...MISTAKES_ELSEWHERE,
];

// Most happens to a few in one group: there it adds up.
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
  { weight: 1, arbitrary: fc.constant(NOBODYS_GROUP) },
);
const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined, freq: 2 });

/** The first are recorded most, so that much is asked about them; the last seldom, so that the head stays below. */
const aRecordedId = (ids: readonly bigint[]) =>
  fc.oneof(
    { weight: 14, arbitrary: fc.constantFrom(...ids.slice(0, 4)) },
    { weight: 9, arbitrary: fc.constantFrom(...ids.slice(0, -3)) },
    { weight: 1, arbitrary: fc.constantFrom(...ids) },
  );

function anOperation(ids: readonly bigint[]): fc.Arbitrary<Operation> {
  const messageId = fc.constantFrom(...ids);
  const recorded = aRecordedId(ids);
  const messageIds = fc.array(messageId, { minLength: 1, maxLength: 5 });
  const kind = <K extends Operation['kind']>(name: K) => fc.constant(name);
  const limit = maybe(fc.constantFrom(1, 2, 3, 100));
  const isPrivate = maybe(fc.boolean());

  const mark = (by: 'user' | 'service') =>
    fc.record({
      kind: kind('mark'),
      groupId: group,
      userId: user,
      messageId,
      isPrivate,
      ifRevision: maybe(fc.nat({ max: 2 })),
      by: fc.constant(by),
    });

  return fc.oneof(
    { weight: 7, arbitrary: fc.record({ kind: kind('join'), groupId: group, userId: user }) },
    { weight: 3, arbitrary: fc.record({ kind: kind('leave'), groupId: group, userId: user }) },
    { weight: 5, arbitrary: fc.record({ kind: kind('look'), groupId: group, userId: user }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: kind('join together'),
        groupId: aGroupOfSome,
        userIds: fc.uniqueArray(user, { minLength: 1 }),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: kind('list members'), groupId: group, limit }) },
    {
      weight: 9,
      arbitrary: fc.record({
        kind: kind('record'),
        groupId: group,
        messageId: recorded,
        senderId: fc.constantFrom(...SENDERS),
        sentAt: fc.oneof(
          { weight: 8, arbitrary: fc.constant(undefined) },
          { weight: 1, arbitrary: fc.constant('2026-01-31T12:00:00.000Z') },
        ),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: kind('delete'), groupId: group, messageId: recorded }) },
    { weight: 9, arbitrary: mark('user') },
    { weight: 2, arbitrary: mark('service') },
    {
      weight: 5,
      arbitrary: fc.record({ kind: kind('mark unread'), groupId: group, userId: user, messageId }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ kind: kind('mark delivered'), groupId: group, userId: user, messageId }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: kind('mark several'),
        userId: user,
        marks: fc.array(fc.record({ groupId: group, messageId, isPrivate }), { minLength: 1, maxLength: 6 }),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: kind('ask status'), groupId: group, userId: user, messageIds }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: kind('inbox'),
        userId: user,
        unreadOnly: maybe(fc.boolean()),
        limit: maybe(fc.constantFrom(1, 2, 200)),
        among: fc.constant(ALL_GROUPS),
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: kind('ask receipts'),
        groupId: group,
        userId: user,
        messageId: recorded,
        state: maybe(fc.constantFrom('read' as const, 'unread', 'delivered')),
        limit,
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        kind: kind('ask receipts of several'),
        groupId: group,
        userId: user,
        messageIds,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: kind('ask wrongly'),
        groupId: group,
        userId: user,
        mistake: fc.constantFrom(...ALL_MISTAKES),
      }),
    },
    { weight: 2, arbitrary: fc.record({ kind: kind('flush') }) },
  );
}

/** Several operations at once, most of them on the same user and in the same group. */
function severalAtOnce(ids: readonly bigint[]): fc.Arbitrary<Step> {
  const aimed = fc.tuple(anOperation(ids), fc.integer({ min: 0, max: 3 }));
  return fc
    .tuple(user, aGroupOfSome, fc.array(aimed, { minLength: 2, maxLength: 4, size: 'max' }))
    .map(([userId, groupId, operations]) => {
      const step: Operation[] = [];
      for (const [operation, aim] of operations) {
        const there = 'groupId' in operation && aim > 0 ? { ...operation, groupId } : operation;
        const atThem = 'userId' in there && aim > 1 ? { ...there, userId } : there;
        if (step.every((other) => mayRunTogether(other, atThem))) step.push(atThem);
      }
      return step;
    });
}

/**
 * Whether the contract says what the answers may be when both run at once. It does where each looks at one member,
 * or changes one, and where several groups are looked at one by one. Not so here:
 *
 * - A list of members and a receipt tell of many members, over several pages even, and nobody promises that all of
 *   it is of one moment. So nothing that others can see may move meanwhile: what is private may, and what happens in
 *   other groups.
 * - Joining together is not promised to happen at one head, and tells how many were added, not who.
 * - Two records of one message tell which was first, and each tells the head: of two moments, where a third message
 *   moves the head meanwhile. So all messages recorded at once are different, or all are the same.
 */
function mayRunTogether(one: Operation, other: Operation): boolean {
  return goes(one, other) && goes(other, one);
}

function goes(one: Operation, other: Operation): boolean {
  if (one.kind === 'list members' || one.kind === 'ask receipts' || one.kind === 'ask receipts of several') {
    return !movesWhatOthersSee(other, one.groupId);
  }
  if (one.kind === 'join together') {
    switch (other.kind) {
      case 'join':
      case 'leave':
      case 'record':
      case 'join together':
        return other.groupId !== one.groupId;
      default:
        return true;
    }
  }
  if (one.kind === 'record' && other.kind === 'record') {
    return one.groupId !== other.groupId || one.messageId !== other.messageId;
  }
  // Each of its groups is looked at or marked on its own: two of them have more orders than are worth trying.
  return !isAboutMany(one) || !isAboutMany(other);
}

const isAboutMany = ({ kind }: Operation) => kind === 'inbox' || kind === 'mark several';

function movesWhatOthersSee(operation: Operation, groupId: string): boolean {
  switch (operation.kind) {
    case 'join':
    case 'join together':
    case 'leave':
    case 'record':
    case 'delete':
    case 'mark delivered':
      return operation.groupId === groupId;
    case 'mark':
      return operation.groupId === groupId && operation.isPrivate !== true;
    case 'mark several':
      return operation.marks.some((mark) => mark.groupId === groupId && mark.isPrivate !== true);
    default:
      return false;
  }
}

/** The same message recorded by several at once. */
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

function historyOf(ids: readonly bigint[], maxSteps: number): fc.Arbitrary<History> {
  const alone = anOperation(ids).map((operation): Step => [operation]);
  const step = fc.oneof(
    { weight: 16, arbitrary: alone },
    { weight: 6, arbitrary: severalAtOnce(ids) },
    { weight: 1, arbitrary: sameMessageAtOnce(ids) },
  );
  // Without members and messages most answers would be that there is nothing.
  const joinTogether = (groupId: fc.Arbitrary<string>) =>
    fc.record({
      kind: fc.constant('join together' as const),
      groupId,
      userIds: fc.uniqueArray(fc.constantFrom(...USERS), { minLength: 4 }),
    });
  const record = fc.record({
    kind: fc.constant('record' as const),
    groupId: aGroupOfSome,
    messageId: aRecordedId(ids),
    senderId: fc.constantFrom(...SENDERS),
    sentAt: fc.constant(undefined),
  });
  return fc
    .tuple(
      joinTogether(fc.constant(GROUPS[0])),
      fc.array(fc.oneof(joinTogether(aGroupOfSome), record), { maxLength: 6, size: 'max' }),
      fc.array(step, { minLength: 1, maxLength: maxSteps, size: 'max' }),
    )
    .map(([first, others, steps]) => [
      ...[first, ...others].map((operation) => [operation]),
      ...steps,
      ...lastLook(ids),
    ]);
}

/** Random histories. Where one fails, simpler ones are tried. */
export function histories({ maxSteps }: { readonly maxSteps: number }): fc.Arbitrary<History> {
  return fc.oneof(...ID_SETS.map((ids) => historyOf(ids, maxSteps)));
}

/** Looks at all that there is to see: what went wrong unseen is seen here. */
function lastLook(ids: readonly bigint[]): History {
  const messageIds = ids.slice(0, -3);
  return [
    ...GROUPS.map((groupId): Step => [{ kind: 'list members', groupId, limit: undefined }]),
    ...GROUPS.map(
      (groupId): Step => [{ kind: 'ask receipts of several', groupId, userId: USERS[0], messageIds }],
    ),
    ...USERS.map(
      (userId): Step => [
        { kind: 'inbox', userId, unreadOnly: undefined, limit: undefined, among: ALL_GROUPS },
      ],
    ),
  ];
}

/** As one line. */
export function describeOperation(operation: Operation): string {
  switch (operation.kind) {
    case 'join':
      return `${operation.userId} joins ${operation.groupId}`;
    case 'leave':
      return `${operation.userId} leaves ${operation.groupId}`;
    case 'look':
      return `${operation.userId} looks at ${operation.groupId}`;
    case 'join together':
      return `${operation.userIds.join(', ')} join ${operation.groupId} together`;
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
      return `${operation.userId} marks ${operation.groupId} unread from ${operation.messageId}`;
    case 'mark delivered':
      return `${operation.userId} marks ${operation.groupId} delivered up to ${operation.messageId}`;
    case 'mark several': {
      const marks = operation.marks.map((mark) => `${mark.groupId} up to ${mark.messageId}${listed(mark)}`);
      return `${operation.userId} marks at once ${marks.join(', ')}`;
    }
    case 'ask status':
      return `${operation.userId} asks in ${operation.groupId} for the status of ${operation.messageIds.join(', ')}`;
    case 'ask receipts of several':
      return `${operation.userId} asks in ${operation.groupId} for receipts of ${operation.messageIds.join(', ')}`;
    case 'inbox':
      return `the inbox of ${operation.userId}${listed(operation)}`;
    case 'ask receipts': {
      const { userId, groupId, messageId } = operation;
      return `${userId} asks in ${groupId} for receipts of ${messageId}${listed(operation)}`;
    }
    case 'ask wrongly':
      return `${operation.userId} asks wrongly in ${operation.groupId}: ${operation.mistake.says}`;
    case 'flush':
      return 'the cache is emptied';
  }
}

const OPTIONS = ['isPrivate', 'ifRevision', 'by', 'state', 'unreadOnly', 'limit'] as const;

function listed(options: { readonly [name in (typeof OPTIONS)[number]]?: unknown }): string {
  const said = OPTIONS.filter((name) => options[name] !== undefined && options[name] !== 'user');
  return said.length === 0 ? '' : ` (${said.map((name) => `${name}: ${options[name]}`).join(', ')})`;
}
