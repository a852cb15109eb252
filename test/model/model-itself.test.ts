import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { agree } from './agreement.ts';
import { SOME_ERRORS } from './expected.ts';
import { manyGroups, manyMessages } from './large-histories.ts';
import { type Attributes, NO_ATTRIBUTES, NO_PATCH, type PreferencesPatch } from './model.ts';
import {
  factsOf,
  type History,
  type Operation,
  type OperationRequest,
  type TimelineFact,
} from './operations.ts';
import type { AnswerPieces } from './part.ts';
import { Disagreement, play, type Service } from './play.ts';
import { RULES, type Rules } from './rules.ts';
import { firstDisagreement } from './search.ts';
import { simulatedService } from './simulated-service.ts';
import { WRONG_MODELS } from './wrong-models.ts';

const CHOICES: readonly (readonly [string, { appliesLater: boolean }])[] = [
  ['never applies a clamped mark later', { appliesLater: false }],
  ['always applies a clamped mark later', { appliesLater: true }],
];

const simulated = (choices: { appliesLater: boolean }, rules: Rules) => (history: History) =>
  play(simulatedService(choices), history, rules, 0);

test.each(CHOICES)('the model agrees with a service that %s', async (_name, choices) => {
  const found = await firstDisagreement(simulated(choices, RULES), { maxHistories: 60, maxSteps: 50 });
  expect(found?.message).toBeUndefined();
});

test('the model agrees with a service whose clock is turned', async () => {
  const options = { maxHistories: 60, maxSteps: 30, withFacts: false, focus: 'reminders' } as const;
  const found = await firstDisagreement(simulated({ appliesLater: true }, RULES), options);
  expect(found?.message).toBeUndefined();
});

test.each(WRONG_MODELS)(
  'a model that %s does not agree with a service that follows the contract',
  async (_name, { rules, withFacts, focus }) => {
    const options = { maxHistories: 3_000, maxSteps: 30, withFacts, focus };
    const found = await firstDisagreement(simulated({ appliesLater: false }, rules), options);
    expect(found).toBeInstanceOf(Disagreement);
  },
);

/** Plays large histories until one disagrees. */
async function findAmongLarge(large: fc.Arbitrary<History>, rules: Rules): Promise<unknown> {
  const property = fc.asyncProperty(large, async (history) => {
    await play(simulatedService({ appliesLater: false }), history, rules, 0);
  });
  return (await fc.check(property, { numRuns: 5, endOnFailure: true })).errorInstance;
}

test.each([
  ['many messages', manyMessages(500)],
  ['many groups', manyGroups],
])('the model agrees with a service that has %s', async (_name, large) => {
  expect(await findAmongLarge(large, RULES)).toBeNull();
});

test('a model whose badge counts more than 500 messages of a group does not agree with the contract', async () => {
  expect(await findAmongLarge(manyMessages(503), { ...RULES, badgeLimit: 5_000 })).toBeInstanceOf(
    Disagreement,
  );
});

test('a fault of a malformed body has a path, which is empty for the body as a whole', () => {
  const agrees = (path: string | null) =>
    agree(SOME_ERRORS, [{ path, message: 'must have a field' }], {}, () => ({ from: 0, to: 0 })) !== null;
  expect([agrees(''), agrees('messageId'), agrees(null)]).toEqual([true, true, false]);
});

/** Performs these one after the other, and returns the model's answer to the last. */
async function answerTo(
  operations: readonly OperationRequest[],
  choices = { appliesLater: false },
): Promise<AnswerPieces> {
  const service = simulatedService(choices);
  let seen: AnswerPieces = {};
  for (const [number, operation] of operations.entries()) seen = await service.perform(operation, number);
  return seen;
}

const MAX = 18446744073709551615n;
const g = { groupId: 'g' };
const ann = { ...g, userId: 'ann' };
const byUser = { by: 'user' } as const;
const join = (userId: string, joinedAfter?: bigint): OperationRequest => ({
  kind: 'join',
  ...g,
  userId,
  joinedAfter,
});
const leave = (userId: string): OperationRequest => ({ kind: 'leave', ...g, userId });
const record = (
  messageId: bigint,
  senderId: string,
  attributes: Partial<Attributes> = {},
): OperationRequest => ({
  kind: 'record',
  ...g,
  messageId,
  senderId,
  sentAt: undefined,
  attributes: { ...NO_ATTRIBUTES, ...attributes },
});
const mark = (messageId: bigint, ifRevision?: number): OperationRequest => ({
  kind: 'mark',
  ...ann,
  ...byUser,
  messageId,
  isPrivate: undefined,
  ifRevision,
});
const unreadFrom = (messageId: bigint): OperationRequest => ({
  kind: 'mark unread',
  ...ann,
  ...byUser,
  messageId,
});
const getWatermark: OperationRequest = { kind: 'get watermark', ...ann, ...byUser };
const entry = { ...g, isPrivate: undefined, ifRevision: undefined, isDelivered: undefined };

const members: OperationRequest = { kind: 'list members', ...g, limit: undefined };
const putFacts = (...facts: TimelineFact[]): OperationRequest => factsOf('g', facts);
const joined = (userId: string, at: number, joinedAfter?: bigint): TimelineFact => ({
  kind: 'joined',
  userId,
  at,
  joinedAfter,
  round: 0,
});
const left = (userId: string, at: number): TimelineFact => ({ kind: 'left', userId, at, round: 0 });
const sent = (
  messageId: bigint,
  senderId: string,
  at: number,
  attributes: Partial<Attributes> = {},
): TimelineFact => ({
  kind: 'sent',
  messageId,
  senderId,
  at,
  attributes: { ...NO_ATTRIBUTES, ...attributes },
  round: 0,
});

describe('in a history written by hand', () => {
  test('the largest id marks nothing if no message is recorded', async () => {
    expect(await answerTo([join('ann'), mark(MAX)])).toEqual({
      answer: { status: 200, body: { groupId: 'g', userId: 'ann', advanced: false, clamped: true } },
      afterwards: {
        messageId: null,
        readAt: null,
        revision: 0,
        unread: { count: 0, mentions: 0, firstId: null, exact: true },
      },
    });
  });

  test('an earlier revision conflicts after a rejoin', async () => {
    const late = [join('ann'), record(1n, 'ben'), mark(1n), unreadFrom(1n), leave('ann'), join('ann')];
    expect(await answerTo([...late, record(3n, 'ben'), mark(3n, 1)])).toMatchObject({
      answer: { status: 409, body: { code: 'revision_conflict', advanced: true, clamped: false } },
      afterwards: { messageId: '1', unread: { count: 1, mentions: 0, firstId: '3', exact: true } },
    });
  });

  test('the entries of a batch apply one after the other', async () => {
    const marks: OperationRequest = {
      kind: 'mark several',
      userId: 'ann',
      ...byUser,
      marks: [
        { ...entry, messageId: 1n },
        { ...entry, messageId: 1n },
        { ...entry, messageId: 3n, ifRevision: 7 },
        { ...entry, messageId: 9n, isDelivered: true },
        { ...entry, messageId: 3n, ifRevision: 0 },
      ],
    };
    const before = [join('ann'), record(1n, 'ben'), record(2n, 'ben'), record(3n, 'ben')];
    expect(await answerTo([...before, marks])).toEqual({
      answer: { status: 200, groupIds: ['g', 'g', 'g', 'g', 'g'] },
      'group g': [
        { outcome: 'advanced', messageId: '1', revision: 0, clamped: false },
        { outcome: 'unchanged', messageId: '1', revision: 0, clamped: false },
        { outcome: 'conflict', messageId: '1', revision: 0, clamped: false },
        { outcome: 'unchanged', messageId: '3', revision: 0, clamped: true },
        { outcome: 'advanced', messageId: '3', revision: 0, clamped: false },
      ],
    });
  });

  test('own messages are read above the own view, and not counted', async () => {
    const status: OperationRequest = { kind: 'get status', ...ann, ...byUser, messageIds: [2n, 1n] };
    const before = [join('ann'), record(1n, 'ben'), record(2n, 'ann'), unreadFrom(1n)];
    expect(await answerTo([...before, status])).toEqual({
      answer: {
        status: 200,
        body: {
          groupId: 'g',
          watermark: null,
          statuses: [
            { messageId: '2', read: true },
            { messageId: '1', read: false },
          ],
        },
      },
    });
    expect(await answerTo([...before, getWatermark])).toMatchObject({
      answer: { body: { unread: { count: 1, mentions: 0, firstId: '1', exact: true } } },
    });
  });

  test('a known message under another sender moves nobody', async () => {
    const conflict = [join('ann'), record(1n, 'ben'), record(1n, 'ann')];
    expect(await answerTo(conflict)).toMatchObject({ answer: { status: 409, body: { code: 'conflict' } } });
    expect(await answerTo([...conflict, getWatermark])).toMatchObject({
      answer: { body: { messageId: null } },
    });
  });

  test('a member starts at the given position', async () => {
    expect(await answerTo([record(5n, 'ben'), join('ann', 3n)])).toEqual({
      answer: { status: 201, body: { groupId: 'g', userId: 'ann', joinedAfter: '3' } },
    });
    expect(await answerTo([record(5n, 'ben'), join('ann', 3n), getWatermark])).toMatchObject({
      answer: {
        body: { messageId: '3', readAt: null, unread: { count: 1, mentions: 0, firstId: '5', exact: true } },
      },
    });
  });

  test.each([
    ['not applied later', { appliesLater: false }, '1'],
    ['applied later', { appliesLater: true }, '2'],
  ])('a clamped mark is %s', async (_name, choices, messageId) => {
    const history = [join('ann'), record(1n, 'ben'), mark(2n), record(2n, 'ben'), getWatermark];
    expect(await answerTo(history, choices)).toMatchObject({ answer: { body: { messageId } } });
  });

  test('no clamped mark moves the own view in another membership or revision', async () => {
    const choices = { appliesLater: true };
    const before = [join('ann'), record(1n, 'ben'), mark(2n)];
    expect(
      await answerTo([...before, leave('ann'), join('ann'), record(2n, 'ben'), getWatermark], choices),
    ).toMatchObject({ answer: { body: { messageId: '1', readAt: null } } });
    expect(
      await answerTo([...before, unreadFrom(1n), record(2n, 'ben'), getWatermark], choices),
    ).toMatchObject({
      answer: {
        body: { messageId: null, revision: 1, unread: { count: 2, mentions: 0, firstId: '1', exact: true } },
      },
    });
  });

  test('silent messages raise the head and are not unread', async () => {
    const before = [join('ann'), record(1n, 'ben'), record(2n, 'ben', { silent: true, mentions: 'all' })];
    expect(await answerTo([...before, getWatermark])).toMatchObject({
      answer: { body: { head: '2', unread: { count: 1, mentions: 0, firstId: '1', exact: true } } },
    });
    const status: OperationRequest = { kind: 'get status', ...ann, ...byUser, messageIds: [2n] };
    expect(await answerTo([...before, status])).toMatchObject({
      answer: { body: { statuses: [{ messageId: '2', read: false }] } },
    });
  });

  const mentioning: OperationRequest[] = [
    join('ann'),
    record(1n, 'ben'),
    record(2n, 'ben', { mentions: 'all' }),
    record(3n, 'ann', { mentions: ['ann', 'ben'], advanceSender: false }),
    record(4n, 'cem', { mentions: ['ann'] }),
    record(5n, 'cem', { mentions: ['ben'] }),
  ];

  test('mentions of the member and of all count, not those by the member', async () => {
    expect(await answerTo([...mentioning, getWatermark])).toMatchObject({
      answer: { body: { unread: { count: 4, mentions: 2, firstId: '1', exact: true } } },
    });
  });

  test('mentions fall by reading and by deletion, and return by marking unread', async () => {
    expect(await answerTo([...mentioning, mark(2n), getWatermark])).toMatchObject({
      answer: { body: { unread: { count: 2, mentions: 1, firstId: '4', exact: true } } },
    });
    const deleted: OperationRequest[] = [...mentioning, { kind: 'delete', ...g, messageId: 2n }];
    expect(await answerTo([...deleted, getWatermark])).toMatchObject({
      answer: { body: { unread: { count: 3, mentions: 1, firstId: '1', exact: true } } },
    });
    expect(await answerTo([...deleted, mark(5n), unreadFrom(4n), getWatermark])).toMatchObject({
      answer: { body: { unread: { count: 2, mentions: 1, firstId: '4', exact: true } } },
    });
  });

  test('what the first recording said stays', async () => {
    const again = record(4n, 'cem', { silent: true, mentions: ['ben'] });
    expect(await answerTo([...mentioning, again, getWatermark])).toMatchObject({
      answer: { body: { unread: { count: 4, mentions: 2, firstId: '1', exact: true } } },
    });
    const facts = [joined('ann', 1), sent(4n, 'ann', 2, { advanceSender: false }), sent(6n, 'ben', 2)];
    const repeated = putFacts(sent(4n, 'ann', 3, { advanceSender: true, mentions: 'all' }));
    expect(await answerTo([putFacts(...facts), repeated, getWatermark])).toMatchObject({
      answer: { body: { messageId: null, unread: { count: 1, mentions: 0, firstId: '6', exact: true } } },
    });
  });

  test('a message that does not advance its sender neither reads for them nor undoes what they marked unread', async () => {
    const before = [join('ann'), record(1n, 'ben'), record(2n, 'ben'), mark(2n), unreadFrom(2n)];
    const post = record(3n, 'ann', { advanceSender: false });
    expect(await answerTo([...before, post, getWatermark])).toMatchObject({
      answer: {
        body: { messageId: '1', revision: 1, unread: { count: 1, mentions: 0, firstId: '2', exact: true } },
      },
    });
    expect(await answerTo([...before, post, record(3n, 'ann'), getWatermark])).toMatchObject({
      answer: { body: { messageId: '1', revision: 1 } },
    });
  });

  test('messages of one call are recorded as if sent one after the other', async () => {
    const sending = (messageId: bigint, senderId: string) => ({
      ...g,
      messageId,
      senderId,
      attributes: NO_ATTRIBUTES,
    });
    const several: OperationRequest = {
      kind: 'record several',
      messages: [
        sending(7n, 'ann'),
        sending(7n, 'ann'),
        sending(7n, 'ben'),
        sending(1n, 'ben'),
        sending(3n, 'ann'),
      ],
    };
    const before = [join('ann'), record(1n, 'ben'), record(9n, 'ben')];
    expect(await answerTo([...before, several])).toEqual({
      answer: {
        status: 200,
        inOrder: [
          { groupId: 'g', messageId: '7' },
          { groupId: 'g', messageId: '7' },
          { groupId: 'g', messageId: '7' },
          { groupId: 'g', messageId: '1' },
          { groupId: 'g', messageId: '3' },
        ],
      },
      'entry 0': { outcome: 'recorded' },
      'entry 1': { outcome: 'known' },
      'entry 2': { outcome: 'conflict' },
      'entry 3': { outcome: 'known' },
      'entry 4': { outcome: 'recorded' },
    });
    expect(await answerTo([...before, several, getWatermark])).toMatchObject({
      answer: { body: { messageId: '7', unread: { count: 1, mentions: 0, firstId: '9', exact: true } } },
    });
  });

  const setAs = (userId: string, patch: Partial<PreferencesPatch>): OperationRequest => ({
    kind: 'set preferences',
    ...g,
    userId,
    ...byUser,
    patch: { ...NO_PATCH, ...patch },
  });
  const set = (patch: Partial<PreferencesPatch>) => setAs('ann', patch);
  const getPreferences: OperationRequest = { kind: 'get preferences', ...ann, ...byUser };
  const countAs = (userId: string, ...messageIds: bigint[]): OperationRequest => ({
    kind: 'count receipts',
    ...g,
    userId,
    ...byUser,
    messageIds,
  });
  const listAs = (userId: string, messageId: bigint): OperationRequest => ({
    kind: 'list receipts',
    ...g,
    userId,
    ...byUser,
    messageId,
    state: undefined,
    limit: undefined,
  });

  test('preferences begin with the defaults, and each patch that changes one raises the revision', async () => {
    const begun = {
      groupId: 'g',
      notify: 'all',
      mutedUntil: null,
      hideReceipts: false,
      archive: 'no',
      archived: false,
      revision: 0,
    };
    expect(await answerTo([join('ann'), getPreferences])).toEqual({ answer: { status: 200, body: begun } });
    expect(await answerTo([getPreferences])).toMatchObject({ answer: { status: 404 } });
    const patches = [
      set({ notify: 'mentions' }),
      set({ notify: 'mentions' }),
      set({ mutedUntil: '2999-12-31T23:59:59.999Z', archive: 'always' }),
      set({ archive: 'always' }),
    ];
    expect(await answerTo([join('ann'), ...patches])).toEqual({
      answer: {
        status: 200,
        body: {
          ...begun,
          notify: 'mentions',
          mutedUntil: '2999-12-31T23:59:59.999Z',
          archive: 'always',
          archived: true,
          revision: 2,
        },
      },
    });
    expect(
      await answerTo([join('ann'), ...patches, leave('ann'), join('ann'), getPreferences]),
    ).toMatchObject({
      answer: { body: { notify: 'all', mutedUntil: null, archive: 'no', archived: false } },
    });
  });

  test('reading and sending with hidden receipts is private, and stays private', async () => {
    const hidden = [join('ann'), join('ben'), record(1n, 'ben'), set({ hideReceipts: true })];
    const counts = (readCount: number, deliveredCount: number) => ({
      answer: { body: { receipts: [{ messageId: '1', audience: 1, readCount, deliveredCount }] } },
    });
    const count = countAs('ben', 1n);
    const acts: OperationRequest[] = [mark(1n), record(2n, 'ann')];
    for (const act of acts) {
      expect(await answerTo([...hidden, act, count])).toMatchObject(counts(0, 0));
      const shown = [...hidden, act, set({ hideReceipts: false })];
      expect(await answerTo([...shown, count])).toMatchObject(counts(0, 0));
      expect(await answerTo([...shown, act, count])).toMatchObject(
        act.kind === 'mark' ? counts(1, 1) : counts(0, 0),
      );
    }
    const delivered: OperationRequest = { kind: 'mark delivered', ...ann, ...byUser, messageId: 1n };
    expect(await answerTo([...hidden, delivered, count])).toMatchObject(counts(0, 1));
    expect(await answerTo([...hidden, mark(1n), getWatermark])).toMatchObject({
      answer: { body: { messageId: '1', unread: { count: 0 } } },
    });
  });

  test('a clamped mark is applied privately if receipts were hidden before or after it', async () => {
    const choices = { appliesLater: true };
    const begun = [join('ann'), join('ben'), record(1n, 'ben')];
    const hide = set({ hideReceipts: true });
    for (const marked of [
      [mark(2n), hide],
      [hide, mark(2n), set({ hideReceipts: false })],
    ]) {
      const history = [...begun, ...marked, record(2n, 'ben')];
      expect(await answerTo([...history, getWatermark], choices)).toMatchObject({
        answer: { body: { messageId: '2' } },
      });
      expect(await answerTo([...history, countAs('ben', 2n)], choices)).toMatchObject({
        answer: { body: { receipts: [{ messageId: '2', readCount: 0, deliveredCount: 0 }] } },
      });
    }
  });

  test.each([
    ['untilNew', { silent: true }, true],
    ['untilNew', {}, false],
    ['always', {}, true],
    ['no', {}, false],
  ] as const)(
    'a group with archive %s after a message with %j is archived: %s',
    async (archive, attributes, archived) => {
      const history = [join('ann'), record(1n, 'ben'), set({ archive }), record(2n, 'ben', attributes)];
      expect(await answerTo([...history, getPreferences])).toMatchObject({
        answer: { body: { archive, archived } },
      });
    },
  );

  test('a group is archived again after it came back', async () => {
    const archive = set({ archive: 'untilNew' });
    expect(
      await answerTo([join('ann'), record(1n, 'ben'), archive, record(2n, 'ben'), archive]),
    ).toMatchObject({
      answer: { body: { archived: true, revision: 2 } },
    });
  });

  test('the parent of a group is set once, and a conflict changes nothing', async () => {
    const setGroup = (settings: {
      parentId?: string | null;
      receipts?: 'off' | 'sender';
    }): OperationRequest => ({
      kind: 'set group',
      ...g,
      parentId: undefined,
      receipts: undefined,
      ...settings,
    });
    const getGroup: OperationRequest = { kind: 'get group', ...g };
    const answer = (parentId: string | null, receipts: string) => ({
      answer: { status: 200, body: { groupId: 'g', head: null, parentId, receipts } },
    });
    expect(await answerTo([getGroup])).toEqual(answer(null, 'members'));
    expect(await answerTo([setGroup({ parentId: null })])).toEqual(answer(null, 'members'));
    const parent = setGroup({ parentId: 'space' });
    expect(await answerTo([parent, setGroup({ parentId: 'space', receipts: 'off' })])).toEqual(
      answer('space', 'off'),
    );
    for (const parentId of ['another', null]) {
      const other = setGroup({ parentId, receipts: 'off' });
      expect(await answerTo([parent, other])).toMatchObject({
        answer: { status: 409, body: { code: 'conflict' } },
      });
      expect(await answerTo([parent, other, getGroup])).toEqual(answer('space', 'members'));
    }
    expect(await answerTo([setGroup({ parentId: 'g' })])).toMatchObject({
      answer: { status: 400, body: { code: 'invalid_request' } },
    });
  });

  test.each([
    ['members', 'ann', true, 200],
    ['members', 'ben', true, 200],
    ['sender', 'ann', false, 403],
    ['sender', 'ben', true, 200],
    ['off', 'ann', null, 403],
    ['off', 'ben', null, 403],
  ] as const)(
    'with receipts for %s, %s counts: %s, and lists with status %i',
    async (receipts, userId, known, status) => {
      const history: OperationRequest[] = [
        join('ann'),
        join('ben'),
        record(1n, 'ben'),
        { kind: 'set group', ...g, parentId: undefined, receipts },
      ];
      const refused = { answer: { status: 403, body: { code: 'receipts_off' } } };
      const counted = { answer: { status: 200, body: { receipts: [{ messageId: '1', known }] } } };
      expect(await answerTo([...history, countAs(userId, 1n)])).toMatchObject(
        known === null ? refused : counted,
      );
      expect(await answerTo([...history, listAs(userId, 1n)])).toMatchObject(
        status === 403 ? refused : { answer: { status, body: { messageId: '1' } } },
      );
      expect(await answerTo([...history, listAs('cem', 1n)])).toMatchObject({ answer: { status: 404 } });
    },
  );

  const inOther = (operation: OperationRequest): OperationRequest =>
    ({ ...operation, groupId: 'other' }) as OperationRequest;
  const badge: OperationRequest = { kind: 'get badge', userId: 'ann', ...byUser };
  /** Two unread messages in each group, of which one mentions ann. */
  const inTwoGroups = [join('ann'), record(1n, 'ben'), record(2n, 'ben', { mentions: ['ann'] })].flatMap(
    (operation) => [operation, inOther(operation)],
  );
  const badgeOf = (groups: number, messages: number, mentions: number) => ({
    answer: { status: 200, body: { groups, messages, mentions, exact: true } },
  });

  test.each([
    [{}, 2, 4, 2],
    [{ notify: 'none' }, 1, 2, 1],
    [{ notify: 'mentions' }, 2, 3, 2],
    [{ mutedUntil: '2999-12-31T23:59:59.999Z' }, 1, 2, 1],
    [{ mutedUntil: '2020-02-29T00:00:00.000Z' }, 2, 4, 2],
    [{ archive: 'always' }, 1, 2, 1],
    [{ archive: 'untilNew' }, 1, 2, 1],
  ] as const)(
    'with preferences %j the badge has %i groups, %i messages and %i mentions',
    async (patch, groups, messages, mentions) => {
      const preferences: OperationRequest = {
        kind: 'set preferences',
        ...ann,
        ...byUser,
        patch: { ...NO_PATCH, ...patch },
      };
      expect(await answerTo([...inTwoGroups, preferences, badge])).toEqual(
        badgeOf(groups, messages, mentions),
      );
    },
  );

  test('badges of several users come in the order asked', async () => {
    const badges: OperationRequest = { kind: 'count badges', userIds: ['cem', 'ann'] };
    expect(await answerTo([...inTwoGroups, badges])).toEqual({
      answer: { status: 200, userIds: ['cem', 'ann'] },
      'badge of cem': { groups: 0, messages: 0, mentions: 0, exact: true },
      'badge of ann': { groups: 2, messages: 4, mentions: 2, exact: true },
    });
  });

  const among = ['g', 'other'];
  const markAll = (wanted: { parentId?: string; unmutedOnly?: boolean } = {}): OperationRequest => ({
    kind: 'mark all',
    userId: 'ann',
    ...byUser,
    parentId: undefined,
    unmutedOnly: undefined,
    ...wanted,
    among,
  });
  const inSpace: OperationRequest = { kind: 'set group', ...g, parentId: 'space', receipts: undefined };

  test('all groups are marked up to their heads, or those of a parent, or those that are not muted', async () => {
    const marked = { outcome: 'advanced', messageId: '2', revision: 0, clamped: false };
    const answer = { status: 200, areDistinct: true, others: [] };
    expect(await answerTo([...inTwoGroups, mark(2n), markAll()])).toEqual({
      answer,
      'group g': { ...marked, outcome: 'unchanged' },
      'group other': marked,
    });
    expect(await answerTo([...inTwoGroups, inSpace, markAll({ parentId: 'space' })])).toEqual({
      answer,
      'group g': marked,
      'group other': null,
    });
    expect(await answerTo([...inTwoGroups, set({ notify: 'none' }), markAll({ unmutedOnly: true })])).toEqual(
      {
        answer,
        'group g': null,
        'group other': marked,
      },
    );
    expect(await answerTo([...inTwoGroups, markAll(), badge])).toEqual(badgeOf(0, 0, 0));
  });

  test('an inbox lists archived groups only if asked, and those of one parent', async () => {
    const inbox = (wanted: { parentId?: string; archived?: boolean }): OperationRequest => ({
      kind: 'inbox',
      userId: 'ann',
      ...byUser,
      unreadOnly: undefined,
      limit: undefined,
      parentId: undefined,
      archived: undefined,
      ...wanted,
      among,
    });
    const history = [...inTwoGroups, inSpace, set({ archive: 'always', notify: 'mentions' })];
    const listed = { parentId: 'space', notify: 'mentions', archived: true };
    const other = { parentId: null, notify: 'all', archived: false };
    expect(await answerTo([...history, inbox({})])).toMatchObject({ 'group g': null, 'group other': other });
    expect(await answerTo([...history, inbox({ archived: true })])).toMatchObject({
      'group g': listed,
      'group other': null,
    });
    expect(await answerTo([...history, inbox({ archived: true, parentId: 'space' })])).toMatchObject({
      'group g': listed,
      'group other': null,
    });
    expect(await answerTo([...inTwoGroups, inSpace, inbox({ parentId: 'space' })])).toMatchObject({
      'group g': { parentId: 'space', notify: 'all', archived: false },
      'group other': null,
    });
  });

  const deleteGroup: OperationRequest = { kind: 'delete group', ...g };
  /** A group in which a wrong, huge id was recorded, then deleted. */
  const deleted = [
    join('ann'),
    record(1n, 'ben'),
    set({ archive: 'always', hideReceipts: true }),
    { kind: 'set group', ...g, parentId: 'space', receipts: 'off' } as const,
    mark(1n),
    unreadFrom(1n),
    mark(7n),
    record(MAX - 1n, 'ben'),
    deleteGroup,
  ] satisfies OperationRequest[];

  test('a deleted group is empty for everybody', async () => {
    expect(await answerTo(deleted)).toEqual({ answer: { status: 202, body: null } });
    const notFound = { answer: { status: 404, body: { code: 'not_found' } } };
    for (const refused of [getWatermark, getPreferences, mark(1n), unreadFrom(1n), countAs('ann', 1n)]) {
      expect(await answerTo([...deleted, refused])).toMatchObject(notFound);
    }
    expect(await answerTo([...deleted, members])).toEqual({ answer: { status: 200, body: { members: [] } } });
    expect(await answerTo([...deleted, { kind: 'get group', ...g }])).toEqual({
      answer: { status: 200, body: { groupId: 'g', head: null, parentId: null, receipts: 'members' } },
    });
    expect(await answerTo([...deleted, badge])).toEqual(badgeOf(0, 0, 0));
  });

  test('a deleted group may be used again, with smaller ids and other senders', async () => {
    const again = [...deleted, join('ann'), record(1n, 'cem')];
    expect(await answerTo(again)).toEqual({
      answer: { status: 201, body: { groupId: 'g', messageId: '1', head: '1' } },
    });
    expect(await answerTo([...again, getWatermark])).toMatchObject({
      answer: {
        body: {
          messageId: null,
          readAt: null,
          head: '1',
          unread: { count: 1, mentions: 0, firstId: '1', exact: true },
        },
      },
    });
    expect(await answerTo([...again, getPreferences])).toMatchObject({
      answer: { body: { notify: 'all', hideReceipts: false, archive: 'no', archived: false } },
    });
    expect(await answerTo([...again, countAs('ann', 1n, MAX - 1n)])).toMatchObject({
      answer: {
        body: {
          receipts: [
            { messageId: '1', known: true, audience: 1 },
            { messageId: '18446744073709551614', known: false },
          ],
        },
      },
    });
  });

  test('a membership after a deletion has a revision of its own, and no clamped mark of before is applied to it', async () => {
    const choices = { appliesLater: true };
    const again = [...deleted, join('ann'), record(7n, 'ben')];
    expect(await answerTo([...again, getWatermark], choices)).toMatchObject({
      answer: { body: { messageId: null, revision: 3 } },
    });
    expect(await answerTo([...again, mark(7n, 1)], choices)).toMatchObject({
      answer: { status: 409, body: { code: 'revision_conflict' } },
    });
  });

  const STARTED = { status: 201, body: { groupId: 'g', userId: 'ann', joinedAfter: '9' } };
  const NOBODY = { status: 404, code: 'not_found', type: 't', title: 't', detail: 'd', requestId: 'r' };
  test.each([
    [
      'agrees with a service in which a join at the same time as a deletion came before it',
      { status: 404, body: NOBODY },
      true,
    ],
    [
      'does not agree with a service in which a join after a deletion starts at the head of before',
      {
        status: 200,
        body: {
          groupId: 'g',
          userId: 'ann',
          messageId: '9',
          readAt: null,
          revision: 0,
          head: null,
          unread: { count: 0, mentions: 0, firstId: null, exact: true },
        },
      },
      false,
    ],
  ])('the model %s', async (_name, watermark, isAllowed) => {
    const simulated = simulatedService({ appliesLater: false });
    const service: Service = {
      ...simulated,
      perform: async (operation, number) => {
        if (operation.kind === 'join') return { answer: STARTED };
        return operation.kind === 'get watermark'
          ? { answer: watermark }
          : simulated.perform(operation, number);
      },
    };
    const join: Operation = { kind: 'join', ...ann, joinedAfter: undefined };
    const history: History = [[record(9n, 'ben')], [deleteGroup, join], [getWatermark]];
    const agrees = play(service, history, RULES, 0).then(
      () => true,
      (error: unknown) => !(error instanceof Disagreement),
    );
    expect(await agrees).toBe(isAllowed);
  });

  test.each([
    ['agrees', 'at the same time as', [[deleteGroup, record(1n, 'cem')]], true],
    ['does not agree', 'after', [[deleteGroup], [record(1n, 'cem')]], false],
  ])(
    'the model %s with a service in which a message that was recorded %s a deletion is lost',
    async (_name, _when, steps, isAllowed) => {
      const simulated = simulatedService({ appliesLater: false });
      const recorded = { answer: { status: 201, body: { groupId: 'g', messageId: '1', head: '1' } } };
      const service: Service = {
        ...simulated,
        perform: async (operation, number) =>
          operation.kind === 'record' && operation.messageId === 1n
            ? recorded
            : simulated.perform(operation, number),
      };
      const history: History = [[record(3n, 'ben')], ...steps, [record(1n, 'dan')]];
      const agrees = play(service, history, RULES, 0).then(
        () => true,
        (error: unknown) => !(error instanceof Disagreement),
      );
      expect(await agrees).toBe(isAllowed);
    },
  );

  test('a message that was deleted before its group may be recorded again', async () => {
    const removed: OperationRequest = { kind: 'delete', ...g, messageId: 1n };
    const again = [record(1n, 'ben'), removed, deleteGroup, join('ann'), record(1n, 'ben'), getWatermark];
    expect(await answerTo(again)).toMatchObject({
      answer: { body: { unread: { count: 1, mentions: 0, firstId: '1', exact: true } } },
    });
  });

  const erase = (userId: string): OperationRequest => ({ kind: 'erase user', userId });
  const exported = (userId: string): OperationRequest => ({ kind: 'export', userId, among: ['g', 'other'] });
  /** The user has read and sent, is mentioned, and hides its receipts in one of two groups. */
  const used: OperationRequest[] = [
    join('ben'),
    ...inTwoGroups,
    record(3n, 'ann'),
    unreadFrom(2n),
    set({ hideReceipts: true, notify: 'mentions' }),
  ];

  test('nothing is left of an erased user, except that others have its messages', async () => {
    const erased = [...used, erase('ann')];
    const empty = { userId: 'ann', connections: [], erasures: [], unreadable: [] };
    expect(await answerTo(erased)).toEqual({
      answer: { status: 202, body: null },
      left: {
        event: { version: '1', userId: 'ann' },
        exported: { status: 200, body: { ...empty, memberships: [] } },
      },
    });
    expect(await answerTo([...erased, exported('ann')])).toEqual({
      answer: { status: 200, body: empty, areDistinct: true, others: [] },
      'group g': null,
      'group other': null,
    });
    for (const refused of [getWatermark, inOther(getWatermark), getPreferences, mark(1n)]) {
      expect(await answerTo([...erased, refused])).toMatchObject({ answer: { status: 404 } });
    }
    expect(await answerTo([...erased, badge])).toEqual(badgeOf(0, 0, 0));
    expect(await answerTo([...erased, listAs('ben', 3n)])).toMatchObject({
      answer: { body: { senderId: 'ann', audience: 1, members: [] } },
    });
    expect(await answerTo([...used, countAs('ben', 2n)])).toMatchObject({
      answer: { body: { receipts: [{ audience: 1, readCount: 1 }] } },
    });
    expect(await answerTo([...erased, countAs('ben', 2n)])).toMatchObject({
      answer: { body: { receipts: [{ audience: 0, readCount: 0 }] } },
    });
  });

  test('an erased user that comes back starts at the head, with the defaults and any revision', async () => {
    const back = [...used, erase('ann'), join('ann'), record(4n, 'ben')];
    expect(await answerTo([...back, getWatermark])).toMatchObject({
      answer: { body: { messageId: '3', readAt: null, unread: { count: 1, firstId: '4' } } },
    });
    expect(await answerTo([...back, getPreferences])).toMatchObject({
      answer: { body: { notify: 'all', hideReceipts: false } },
    });
    expect(await answerTo([...back, inOther(getWatermark)])).toMatchObject({ answer: { status: 404 } });
  });

  test('an export has what each group stores of the user', async () => {
    const delivered = { kind: 'mark delivered', ...ann, ...byUser, messageId: 2n } as const;
    const privately = { ...mark(2n), isPrivate: true } as OperationRequest;
    const history = [join('ann'), record(1n, 'ben'), record(2n, 'ben'), mark(1n), delivered, privately];
    const time = expect.any(String);
    const preferences = {
      ...{ notify: 'all', mutedUntil: null, hideReceipts: false, archive: 'untilNew' },
      ...{ revision: 1, archivedAt: '2', at: time },
    };
    const group = {
      groupId: 'g',
      current: {
        membership: expect.any(Number),
        joinedAfter: null,
        own: { messageId: '2', at: time, revision: 0 },
        public: { messageId: '1', at: time },
        delivered: { messageId: '2', at: time },
        preferences,
      },
      history: {
        joinings: [{ at: time, joinedAfter: null, receivedAt: time }],
        ...{ leftAt: null, lastRevision: null, sentHidden: null },
      },
      expiresAt: null,
    };
    expect(await answerTo([...history, set({ archive: 'untilNew' }), exported('ann')])).toEqual({
      answer: {
        status: 200,
        body: { userId: 'ann', connections: [], erasures: [], unreadable: [] },
        areDistinct: true,
        others: [],
      },
      'group g': group,
      'group other': null,
    });
    expect(await answerTo([...history, leave('ann'), exported('ann')])).toMatchObject({
      'group g': { current: null, history: { joinings: [], leftAt: time }, expiresAt: time },
    });
    const hidden = [join('ann'), set({ hideReceipts: true }), record(5n, 'ann')];
    expect(await answerTo([...hidden, exported('ann')])).toMatchObject({
      'group g': { history: { sentHidden: '5' } },
    });
  });

  const turn = (advanceSeconds: number): OperationRequest => ({
    kind: 'turn clock',
    advanceSeconds,
    among: ['g', 'other'],
  });
  const remindedAfter = (remindAfterSeconds: number, attributes: Partial<Attributes> = {}) =>
    record(5n, 'ben', { remindAfterSeconds, ...attributes });
  const reminded = (...events: (readonly [string, ...string[]])[]) => ({
    answer: { status: 200, others: [] },
    'group g': events.map(([messageId, ...userIds]) => ({ version: '1', messageId, userIds, isLast: true })),
    'group other': [],
  });
  const three = [join('ann'), join('ben'), join('cem')];

  test('a reminder names once the members of the audience who have not read the message, when its time is over', async () => {
    const history = [
      ...three,
      remindedAfter(600),
      record(6n, 'ben', { remindAfterSeconds: 1_200 }),
      join('dan'),
    ];
    expect(await answerTo([...history, turn(599)])).toEqual(reminded());
    expect(await answerTo([...history, turn(600)])).toEqual(reminded(['5', 'ann', 'cem']));
    expect(await answerTo([...history, turn(1_200)])).toEqual(
      reminded(['5', 'ann', 'cem'], ['6', 'ann', 'cem']),
    );
    expect(await answerTo([...history, turn(599), turn(599)])).toEqual(reminded());
    expect(await answerTo([...history, turn(600), turn(600)])).toEqual(reminded());
    expect(await answerTo([...history, turn(600), remindedAfter(600), turn(600)])).toEqual(reminded());
    expect(await answerTo([...history, leave('ann'), turn(600)])).toEqual(reminded(['5', 'cem']));
    expect(await answerTo([...history, erase('ann'), turn(600)])).toEqual(reminded(['5', 'cem']));
    expect(await answerTo([...history, deleteGroup, turn(1_200)])).toEqual(reminded());
  });

  test('a reminder counts from when the message was sent, and its first recording decides', async () => {
    const earlier = { ...remindedAfter(3_600), sentAt: 3_000 } as OperationRequest;
    expect(await answerTo([...three, earlier, turn(600)])).toEqual(reminded(['5', 'ann', 'cem']));
    const again = [...three, remindedAfter(3_600), remindedAfter(600)];
    expect(await answerTo([...again, turn(600)])).toEqual(reminded());
    expect(await answerTo([...again, turn(3_600)])).toEqual(reminded(['5', 'ann', 'cem']));
    expect(await answerTo([...three, record(5n, 'ben'), remindedAfter(600), turn(600)])).toEqual(reminded());
  });

  test('a deleted or silent message has no reminder', async () => {
    const removed: OperationRequest = { kind: 'delete', ...g, messageId: 5n };
    expect(await answerTo([...three, remindedAfter(600), removed, turn(600)])).toEqual(reminded());
    expect(await answerTo([...three, removed, remindedAfter(600), turn(600)])).toEqual(reminded());
    expect(await answerTo([...three, remindedAfter(600, { silent: true }), turn(600)])).toEqual(reminded());
  });

  const readPrivately = { ...mark(5n), isPrivate: true } as OperationRequest;
  test.each<[string, Partial<Attributes>, OperationRequest[], boolean]>([
    ['has read', {}, [mark(5n)], false],
    ['has read privately', {}, [readPrivately], false],
    ['has marked unread after a private read', {}, [readPrivately, unreadFrom(5n)], true],
    ['has marked unread after a public read', {}, [mark(5n), unreadFrom(5n)], false],
    ['wants no messages', {}, [set({ notify: 'none' })], false],
    ['has muted the group', {}, [set({ mutedUntil: '2999-12-31T23:59:59.999Z' })], false],
    ['had muted the group', {}, [set({ mutedUntil: '2020-02-29T00:00:00.000Z' })], true],
    ['wants mentions and is not mentioned', { mentions: ['cem'] }, [set({ notify: 'mentions' })], false],
    ['wants mentions and is mentioned', { mentions: ['ann'] }, [set({ notify: 'mentions' })], true],
    ['wants mentions and all are mentioned', { mentions: 'all' }, [set({ notify: 'mentions' })], true],
    ['has archived the group', {}, [set({ archive: 'always' })], true],
  ])('a member who %s: %j', async (_name, attributes, acts, isNamed) => {
    expect(await answerTo([...three, remindedAfter(600, attributes), ...acts, turn(600)])).toEqual(
      reminded(isNamed ? ['5', 'ann', 'cem'] : ['5', 'cem']),
    );
  });

  const list = (...listed: (readonly [string, string | null, string | null])[]) => ({
    answer: {
      status: 200,
      body: {
        members: listed.map(([userId, messageId, joinedAfter]) => ({ userId, messageId, joinedAfter })),
      },
    },
  });

  test('facts count in the order in which they happened', async () => {
    const inOrder = [
      joined('ann', 1),
      sent(4n, 'ann', 2),
      left('ann', 3),
      joined('ann', 5),
      sent(6n, 'ben', 6),
    ];
    const expected = list(['ann', '4', '4']);
    expect(await answerTo([putFacts(...inOrder), members])).toEqual(expected);
    expect(await answerTo([putFacts(...inOrder.toReversed(), ...inOrder), members])).toEqual(expected);
  });

  test('a departure that arrives late discards earlier marks', async () => {
    const before = [putFacts(joined('ann', 1), sent(4n, 'ben', 2)), mark(4n)];
    expect(await answerTo([...before, putFacts(joined('ann', 5, 1n)), members])).toEqual(
      list(['ann', '4', null]),
    );
    expect(
      await answerTo([...before, putFacts(joined('ann', 5, 1n)), putFacts(left('ann', 3)), members]),
    ).toEqual(list(['ann', '1', '1']));
  });

  test('a departure wins at equal times, and the join of a member changes nothing', async () => {
    expect(await answerTo([putFacts(left('ann', 3), joined('ann', 3)), members])).toEqual(list());
    expect(await answerTo([putFacts(joined('ann', 3, 7n), joined('ann', 1, 2n)), members])).toEqual(
      list(['ann', '2', '2']),
    );
  });

  test('a sender’s watermark moves to the message that it sent as a member', async () => {
    const facts = [sent(9n, 'ann', 4), sent(5n, 'ann', 2), joined('ann', 3, 1n), sent(8n, 'ann', 3)];
    expect(await answerTo([putFacts(...facts), members])).toEqual(list(['ann', '9', '1']));
    expect(await answerTo([putFacts(joined('ann', 3, 1n), sent(8n, 'ann', 3)), members])).toEqual(
      list(['ann', '1', '1']),
    );
  });
});
